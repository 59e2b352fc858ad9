//! Violations that are still in the workspace. Each list may only shrink: a line without its violation fails the test.

use std::collections::BTreeSet;

/// Crates with a circle between their modules.
pub(crate) const CIRCLES: &[&str] = &[];
/// Names of types that have several definitions.
pub(crate) const NAMES: &[&str] = &[];
/// Crates with more than a quarter of the code.
pub(crate) const SIZES: &[&str] = &[];

/// Fails unless exactly the known violations were found. `found` is the name of each and its explanation.
pub(crate) fn check(found: &[(String, String)], known: &[&str]) {
    let names: BTreeSet<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    let new: Vec<_> = found.iter().filter(|(name, _)| !known.contains(&name.as_str())).map(|(_, text)| text).collect();
    assert!(new.is_empty(), "{new:#?}");
    let gone: Vec<_> = known.iter().filter(|name| !names.contains(**name)).collect();
    assert!(gone.is_empty(), "no longer a violation; remove from tests/structure/known.rs: {gone:?}");
}

#[test]
fn a_known_violation_passes() {
    check(&[("auth".to_owned(), "explanation".to_owned())], &["auth"]);
}

#[test]
#[should_panic(expected = "explanation")]
fn a_new_violation_fails() {
    check(&[("auth".to_owned(), "explanation".to_owned())], &[]);
}

#[test]
#[should_panic(expected = "no longer a violation")]
fn a_known_violation_that_is_gone_fails() {
    check(&[], &["auth"]);
}
