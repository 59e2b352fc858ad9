//! Sizes of crates, in lines of code: without blank lines, comments and tests.

use crate::known;
use crate::source::Tree;
use crate::workspace::{Crate, TESTING, this};

/// The largest share of the workspace that one crate may hold: one in this many lines.
const SHARE: usize = 4;

/// Every crate that is too large.
fn violations(crates: &[Crate]) -> Vec<(String, String)> {
    let lines = |package: &Crate| package.roots.iter().map(|root| Tree::read(root).lines).sum::<usize>();
    let product = crates.iter().filter(|package| package.name != TESTING);
    let sizes: Vec<_> = product.map(|package| (&package.name, lines(package))).collect();
    let all: usize = sizes.iter().map(|(_, lines)| lines).sum();
    let too_large = sizes.into_iter().filter(|(_, lines)| lines * SHARE > all);
    too_large.map(|(name, lines)| (name.clone(), format!("{name} has {lines} of {all} lines of code"))).collect()
}

#[test]
fn no_crate_holds_more_than_a_quarter_of_the_code() {
    known::check(&violations(&this()), known::SIZES);
}

mod a_broken_workspace {
    use super::violations;
    use crate::made_up::{MadeUp, manifest};

    /// `auth` with this code, and three crates of four lines each.
    fn found(code: &str) -> Vec<String> {
        let four = "fn a() {}\nfn b() {}\nfn c() {}\nfn d() {}\n";
        let made_up = MadeUp::new(&[
            ("crates/auth/Cargo.toml", &manifest("auth", &[], &[])),
            ("crates/auth/src/lib.rs", code),
            ("crates/b/Cargo.toml", &manifest("b", &[], &[])),
            ("crates/b/src/lib.rs", four),
            ("crates/c/Cargo.toml", &manifest("c", &[], &[])),
            ("crates/c/src/lib.rs", four),
            ("crates/d/Cargo.toml", &manifest("d", &[], &[])),
            ("crates/d/src/lib.rs", four),
        ]);
        violations(&made_up.crates()).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn fails_on_a_crate_of_more_than_a_quarter() {
        assert_eq!(found("fn a() {}\nfn b() {}\nfn c() {}\nfn d() {}\nfn e() {}"), ["auth has 5 of 17 lines of code"]);
    }

    #[test]
    fn passes_on_a_quarter_besides_comments_blank_lines_and_tests() {
        let code = "//! Text.\n\nfn a() {}\nfn b() {}\n\n/// Text.\nfn c() {}\n\nfn d() {}\n\
                    #[cfg(test)]\nmod tests {\n    fn e() {}\n}\n";
        assert_eq!(found(code), [""; 0]);
    }
}
