//! Circles between the modules of a crate.
//!
//! A module depends on the module that defines an item which it imports or mentions. A re-export is not a definition: the
//! user depends on the module behind it, and so does the module that re-exports it. An item that `lib.rs` or `mod.rs`
//! defines belongs to that module, which in turn depends on every module that it imports from or mentions. `mod name;` is
//! no dependency.

use std::collections::{BTreeMap, VecDeque};

use crate::known;
use crate::source::{Import, Mention, Module, Tree};
use crate::workspace::{Crate, this};

/// The most re-exports between a name and its definition.
const LONGEST_CHAIN: usize = 32;

/// A module, or the module that defines an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Module(usize),
    ItemOf(usize),
}

/// Resolves paths to the modules of one tree.
struct Resolver<'a>(&'a [Module]);

impl Resolver<'_> {
    /// The place of a path in a module, or nothing if the path leads out of the crate.
    fn resolve(&self, module: usize, path: &[String], depth: usize) -> Option<Place> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(0, rest, depth).or(Some(Place::ItemOf(0))),
            "self" => self.walk(module, rest, depth).or(Some(Place::ItemOf(module))),
            "super" => {
                let (mut parent, mut rest) = (self.0[module].parent?, rest);
                while let Some(("super", further)) = rest.split_first().map(|(first, rest)| (first.as_str(), rest)) {
                    (parent, rest) = (self.0[parent].parent?, further);
                }
                self.walk(parent, rest, depth).or(Some(Place::ItemOf(parent)))
            }
            _ => self.walk(module, path, depth),
        }
    }

    /// The place of a path below a module.
    fn walk(&self, module: usize, path: &[String], depth: usize) -> Option<Place> {
        let Some((first, rest)) = path.split_first() else { return Some(Place::Module(module)) };
        let depth = depth.checked_sub(1)?;
        let Module { children, items, imports, .. } = &self.0[module];
        let child = || children.get(first).and_then(|child| self.walk(*child, rest, depth));
        let item = || items.contains(first).then_some(Place::ItemOf(module));
        let behind = |import: &Import| {
            let path = [&import.target.path[..], rest].concat();
            self.resolve(module, &path, depth)
        };
        let import = || imports.iter().filter(|import| import.name.as_ref() == Some(first)).find_map(behind);
        let glob = || {
            imports.iter().filter(|import| import.name.is_none()).find_map(|import| {
                match self.resolve(module, &import.target.path, depth)? {
                    Place::Module(target) if target != module => self.walk(target, path, depth),
                    _ => None,
                }
            })
        };
        // A module and an item may have the same name. Only a module has anything below it but variants and methods.
        if rest.is_empty() {
            item().or_else(import).or_else(child).or_else(glob)
        } else {
            child().or_else(item).or_else(import).or_else(glob)
        }
    }
}

/// For each module: the modules on which it depends, with the first mention of each.
fn dependencies(modules: &[Module]) -> Vec<BTreeMap<usize, Mention>> {
    let resolver = Resolver(modules);
    let dependencies = |(index, module): (usize, &Module)| {
        let mut targets = BTreeMap::new();
        let imports = module.imports.iter().filter_map(|import| {
            let (Place::Module(target) | Place::ItemOf(target)) =
                resolver.resolve(index, &import.target.path, LONGEST_CHAIN)?;
            Some((target, &import.target))
        });
        // A path that ends at a module is a local variable of the same name.
        let mentions = module.mentions.iter().filter_map(|mention| {
            match resolver.resolve(index, &mention.path, LONGEST_CHAIN)? {
                Place::ItemOf(target) => Some((target, mention)),
                Place::Module(_) => None,
            }
        });
        for (target, mention) in imports.chain(mentions).filter(|(target, _)| *target != index) {
            targets.entry(target).or_insert_with(|| mention.clone());
        }
        targets
    };
    modules.iter().enumerate().map(dependencies).collect()
}

/// The shortest way from a module back to itself.
fn shortest_circle(start: usize, dependencies: &[BTreeMap<usize, Mention>]) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for &target in dependencies[module].keys() {
            if target == start {
                let mut circle = vec![start, module];
                while circle.last() != Some(&start) {
                    circle.push(came_from[circle.last().unwrap()]);
                }
                circle.reverse();
                return Some(circle);
            }
            came_from.entry(target).or_insert_with(|| {
                queue.push_back(target);
                module
            });
        }
    }
    None
}

/// The shortest circle through each module that is in none of the circles before it.
fn circles(tree: &Tree) -> Vec<String> {
    let dependencies = dependencies(&tree.modules);
    let mut reported = Vec::new();
    let mut texts = Vec::new();
    for start in 0..tree.modules.len() {
        if reported.contains(&start) {
            continue;
        }
        let Some(circle) = shortest_circle(start, &dependencies) else { continue };
        texts.push(describe(&circle, &tree.modules, &dependencies));
        reported.extend(circle);
    }
    texts
}

/// `crate::a → crate::b (a.rs:1 crate::b::B) → crate::a (b.rs:1 super::a::A)`
fn describe(circle: &[usize], modules: &[Module], dependencies: &[BTreeMap<usize, Mention>]) -> String {
    let steps = circle.windows(2).map(|step| {
        let (from, to) = (step[0], step[1]);
        let mention = &dependencies[from][&to];
        let file = modules[from].file.file_name().unwrap_or_default().to_string_lossy();
        format!(" → {} ({file}:{} {})", modules[to].path, mention.line, mention.path.join("::"))
    });
    format!("{}{}", modules[circle[0]].path, String::from_iter(steps))
}

/// Every crate with a circle.
fn violations(crates: &[Crate]) -> Vec<(String, String)> {
    let mut violations = Vec::new();
    for package in crates {
        for circle in package.roots.iter().flat_map(|root| circles(&Tree::read(root))) {
            violations.push((package.name.clone(), format!("{}: {circle}", package.name)));
        }
    }
    violations
}

#[test]
fn modules_form_no_circle() {
    known::check(&violations(&this()), known::CIRCLES);
}

mod a_broken_crate {
    use super::violations;
    use crate::made_up::MadeUp;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        violations(&MadeUp::with_sources(files).crates()).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn fails_on_two_modules_that_import_each_other() {
        let found = circles(&[
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "use crate::b::B;\npub struct A(B);"),
            ("b.rs", "pub struct B;\nfn f(_: &crate::a::A) {}"),
        ]);
        assert_eq!(found, ["auth: crate::a → crate::b (a.rs:1 crate::b::B) → crate::a (b.rs:2 crate::a::A)"]);
    }

    #[test]
    fn fails_on_a_circle_through_super() {
        let found = circles(&[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod inner;\nuse inner::Inner;\npub struct A(Inner);"),
            ("a/inner.rs", "pub struct Inner;\nimpl Inner { fn f(_: super::A) {} }"),
        ]);
        assert_eq!(
            found,
            ["auth: crate::a → crate::a::inner (mod.rs:2 inner::Inner) → crate::a (inner.rs:2 super::A)"]
        );
    }

    #[test]
    fn fails_on_a_circle_through_a_re_export() {
        let found = circles(&[
            ("lib.rs", "mod a;\nmod b;\npub use b::B;"),
            ("a.rs", "use crate::B;\npub struct A(B);"),
            ("b.rs", "use super::a::A;\npub enum B { Of(Box<A>) }"),
        ]);
        assert_eq!(found, ["auth: crate::a → crate::b (a.rs:1 crate::B) → crate::a (b.rs:1 super::a::A)"]);
    }

    #[test]
    fn fails_on_a_circle_through_a_chain_of_re_exports_and_a_glob() {
        let found = circles(&[
            ("lib.rs", "mod a;\nmod b;\npub use b::*;"),
            ("a.rs", "use crate::Renamed;\npub struct A(Renamed);"),
            ("b/mod.rs", "mod c;\npub use c::C as Renamed;"),
            ("b/c.rs", "pub struct C;\nfn f() { let _ = crate::a::A; }"),
        ]);
        assert_eq!(found, ["auth: crate::a → crate::b::c (a.rs:1 crate::Renamed) → crate::a (c.rs:2 crate::a::A)"]);
    }

    #[test]
    fn fails_on_an_item_of_the_root_that_its_module_uses() {
        let found = circles(&[
            ("lib.rs", "mod a;\nuse a::A;\npub struct Root(A);"),
            ("a.rs", "use crate::Root;\npub struct A;\nimpl A { fn f(_: Root) {} }"),
        ]);
        assert_eq!(found, ["auth: crate → crate::a (lib.rs:2 a::A) → crate (a.rs:1 crate::Root)"]);
    }

    #[test]
    fn fails_on_a_circle_of_three_through_a_macro_an_attribute_and_a_module_name() {
        let found = circles(&[
            ("lib.rs", "mod a;\nmod b;\nmod c;"),
            ("a.rs", "pub fn a() { println!(\"{}\", crate::b::b()); }"),
            ("b.rs", "#[serde(with = \"crate::c::c\")]\nstruct B;\npub fn b() {}"),
            ("c.rs", "use super::a;\npub fn c() { a::a() }"),
        ]);
        let expected = "auth: crate::a → crate::b (a.rs:1 crate::b::b) → crate::c (b.rs:1 crate::c::c) → \
                        crate::a (c.rs:1 super::a)";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn fails_on_a_circle_in_a_binary() {
        let found = circles(&[
            ("main.rs", "mod a;\nmod b;\nfn main() {}"),
            ("a.rs", "use crate::b::*;\npub fn a() { b() }"),
            ("b.rs", "pub fn b() { crate::a::a() }"),
        ]);
        assert_eq!(found, ["auth: crate::a → crate::b (a.rs:1 crate::b) → crate::a (b.rs:1 crate::a::a)"]);
    }

    #[test]
    fn passes_without_a_circle() {
        let found = circles(&[
            // `a` is a local variable, the declarations are no use, and the tests may use anything.
            ("lib.rs", "mod a;\nmod b;\npub use b::run;\nfn f() { let a = 1; drop(a); }"),
            ("a.rs", "pub(super) struct A;\n#[cfg(test)]\nmod tests { use crate::b::B; }"),
            ("b/mod.rs", "mod run;\npub use run::run;"),
            (
                "b/run.rs",
                "use crate::a::A;\npub fn run() { let _ = A; }\nimpl A { #[cfg(test)] fn t() { crate::f() } }",
            ),
        ]);
        assert_eq!(found, [""; 0]);
    }
}
