//! Arrows between crates: functions → runtime → auth, connections, delivery, history, publisher → clock → protocol.
//!
//! `dependencies` and `build-dependencies` follow the table. `dev-dependencies` follow only one rule: together with the
//! other dependencies they form no circle.

use std::collections::BTreeMap;

use crate::workspace::{Crate, this};

/// The crates that hold the product's concepts, above the protocol.
const ROOMS: [&str; 6] = ["auth", "connections", "dead-letters", "delivery", "history", "publisher"];
/// One Lambda function each.
const FUNCTIONS: [&str; 5] = ["connect", "default", "disconnect", "broadcast", "ingest"];

/// The crates that a crate may use, or nothing if the crate has no place in the table.
fn allowed(name: &str) -> Option<Vec<&'static str>> {
    let protocol = ["clock", "protocol"];
    Some(match name {
        "protocol" => Vec::new(),
        "clock" => vec!["protocol"],
        name if ROOMS.contains(&name) => protocol.to_vec(),
        "runtime" => [&ROOMS[..], &protocol].concat(),
        name if FUNCTIONS.contains(&name) => [&["runtime"], &ROOMS[..], &protocol].concat(),
        "client" => vec!["protocol"],
        "simulation" => [&["publisher"], &protocol[..]].concat(),
        "local" => [&FUNCTIONS[..], &["runtime", "simulation"], &ROOMS, &protocol].concat(),
        "cli" => [&["local", "client", "simulation", "runtime"], &ROOMS[..], &protocol].concat(),
        // For tests only: no crate may have it among its dependencies, and every crate among its dev-dependencies.
        "testing" => protocol.to_vec(),
        // It shares no code with a client, so that they do not make the same mistake.
        "conformance" => Vec::new(),
        // It has no code but tests.
        "tests" => Vec::new(),
        _ => return None,
    })
}

/// Every use of a crate against the arrows.
fn violations(crates: &[Crate]) -> Vec<String> {
    let mut violations = Vec::new();
    for package in crates {
        let name = &package.name;
        match allowed(name) {
            None => violations.push(format!("{name} has no place in the table of tests/structure/arrows.rs")),
            Some(allowed) => {
                let wrong = package.dependencies.iter().filter(|used| !allowed.contains(&used.as_str()));
                violations.extend(wrong.map(|used| format!("{name} must not use {used}")));
            }
        }
    }
    if let Some(circle) = circle(crates) {
        violations.push(format!("dev-dependencies form a circle: {circle}"));
    }
    violations
}

/// A circle of dependencies and dev-dependencies.
fn circle(crates: &[Crate]) -> Option<String> {
    let uses: BTreeMap<&str, Vec<&str>> = crates
        .iter()
        .map(|package| {
            let all = package.dependencies.iter().chain(&package.dev_dependencies);
            (package.name.as_str(), all.map(String::as_str).collect())
        })
        .collect();
    let mut done = Vec::new();
    uses.keys().find_map(|name| circle_from(name, &uses, &mut Vec::new(), &mut done))
}

fn circle_from<'a>(
    name: &'a str,
    uses: &BTreeMap<&'a str, Vec<&'a str>>,
    way: &mut Vec<&'a str>,
    done: &mut Vec<&'a str>,
) -> Option<String> {
    if let Some(start) = way.iter().position(|before| *before == name) {
        return Some([&way[start..], &[name]].concat().join(" → "));
    }
    if done.contains(&name) {
        return None;
    }
    way.push(name);
    let found = uses.get(name).into_iter().flatten().find_map(|next| circle_from(next, uses, way, done));
    way.pop();
    done.push(name);
    found
}

#[test]
fn crates_use_each_other_along_the_arrows() {
    let violations = violations(&this());
    assert!(violations.is_empty(), "{violations:#?}");
}

mod a_broken_workspace {
    use super::violations;
    use crate::made_up::{MadeUp, manifest};

    #[test]
    fn fails_on_a_use_against_the_arrows() {
        let made_up = MadeUp::new(&[
            ("crates/connections/Cargo.toml", &manifest("connections", &["auth"], &[])),
            ("crates/connections/src/lib.rs", "use entity_stream_auth::Identity;"),
            ("crates/auth/Cargo.toml", &manifest("auth", &["protocol"], &[])),
            ("crates/auth/src/lib.rs", "pub struct Identity;"),
            ("crates/protocol/Cargo.toml", &manifest("protocol", &[], &[])),
            ("crates/protocol/src/lib.rs", ""),
        ]);
        assert_eq!(violations(&made_up.crates()), ["connections must not use auth"]);
    }

    #[test]
    fn fails_on_a_function_that_uses_a_function() {
        let made_up = MadeUp::new(&[
            ("crates/connect/Cargo.toml", &manifest("connect", &["default"], &[])),
            ("crates/connect/src/lib.rs", ""),
            ("crates/default/Cargo.toml", &manifest("default", &[], &[])),
            ("crates/default/src/lib.rs", ""),
        ]);
        assert_eq!(violations(&made_up.crates()), ["connect must not use default"]);
    }

    #[test]
    fn fails_on_a_crate_without_a_place() {
        let made_up =
            MadeUp::new(&[("crates/utils/Cargo.toml", &manifest("utils", &[], &[])), ("crates/utils/src/lib.rs", "")]);
        assert_eq!(violations(&made_up.crates()), ["utils has no place in the table of tests/structure/arrows.rs"]);
    }

    #[test]
    fn fails_on_a_circle_through_dev_dependencies() {
        let made_up = MadeUp::new(&[
            ("crates/auth/Cargo.toml", &manifest("auth", &["protocol"], &[])),
            ("crates/auth/src/lib.rs", ""),
            ("crates/protocol/Cargo.toml", &manifest("protocol", &[], &["auth"])),
            ("crates/protocol/src/lib.rs", ""),
        ]);
        assert_eq!(violations(&made_up.crates()), ["dev-dependencies form a circle: auth → protocol → auth"]);
    }

    #[test]
    fn passes_when_a_test_uses_a_crate_above() {
        let made_up = MadeUp::new(&[
            ("crates/auth/Cargo.toml", &manifest("auth", &[], &[])),
            ("crates/auth/src/lib.rs", ""),
            ("crates/connections/Cargo.toml", &manifest("connections", &[], &["auth"])),
            ("crates/connections/src/lib.rs", ""),
        ]);
        assert_eq!(violations(&made_up.crates()), [""; 0]);
    }
}
