//! Names of types: a name means one thing in the whole workspace.

use std::collections::BTreeMap;

use crate::known;
use crate::source::Tree;
use crate::workspace::{Crate, TESTING, this};

/// Names with one meaning and several definitions.
const EXCEPTIONS: [&str; 1] = [
    // The arguments of a command, which the code always writes with the module of the command: `listen::Args`.
    "Args",
];

/// Every name with several definitions.
fn violations(crates: &[Crate]) -> Vec<(String, String)> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in crates.iter().filter(|package| package.name != TESTING) {
        for module in package.roots.iter().flat_map(|root| Tree::read(root).modules) {
            let mut here = BTreeMap::new();
            for (name, line) in module.types {
                // Several definitions in one module are alternatives for different platforms.
                here.entry(name).or_insert(line);
            }
            for (name, line) in here {
                let file = module.file.file_name().unwrap_or_default().to_string_lossy();
                let place = format!("{} {} ({file}:{line})", package.name, module.path);
                places.entry(name).or_default().push(place);
            }
        }
    }
    let several = places.into_iter().filter(|(name, places)| places.len() > 1 && !EXCEPTIONS.contains(&name.as_str()));
    several.map(|(name, places)| (name.clone(), format!("{name} is defined in {}", places.join(", ")))).collect()
}

#[test]
fn a_type_name_has_one_definition() {
    known::check(&violations(&this()), known::NAMES);
}

mod a_broken_workspace {
    use super::violations;
    use crate::made_up::{MadeUp, manifest};

    fn two_crates(first: &str, second: &str) -> Vec<String> {
        let made_up = MadeUp::new(&[
            ("crates/auth/Cargo.toml", &manifest("auth", &[], &[])),
            ("crates/auth/src/lib.rs", first),
            ("crates/protocol/Cargo.toml", &manifest("protocol", &[], &[])),
            ("crates/protocol/src/lib.rs", second),
        ]);
        violations(&made_up.crates()).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn fails_on_one_name_in_two_crates() {
        let expected = ["Refusal is defined in auth crate (lib.rs:1), protocol crate (lib.rs:2)"];
        assert_eq!(two_crates("pub struct Refusal;", "\nenum Refusal {}"), expected);
    }

    #[test]
    fn fails_on_a_trait_a_type_alias_and_a_type_within_a_function() {
        let found =
            two_crates("trait A {}\ntype B = u8;\nstruct C;", "struct A;\nmod m { struct B; }\nfn f() { struct C; }");
        assert_eq!(
            found,
            [
                "A is defined in auth crate (lib.rs:1), protocol crate (lib.rs:1)",
                "B is defined in auth crate (lib.rs:2), protocol crate::m (lib.rs:2)",
                "C is defined in auth crate (lib.rs:3), protocol crate (lib.rs:3)",
            ]
        );
    }

    #[test]
    fn passes_on_alternatives_for_platforms() {
        assert_eq!(two_crates("#[cfg(unix)]\nstruct A;\n#[cfg(not(unix))]\nstruct A;", ""), [""; 0]);
    }

    #[test]
    fn passes_on_the_same_name_in_tests() {
        assert_eq!(two_crates("struct A;", "#[cfg(test)]\nmod tests { struct A; }"), [""; 0]);
    }
}
