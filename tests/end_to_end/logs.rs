//! No credential in any log.

use std::process::Command;

use crate::harness::logs::LOG_FILE;
use crate::harness::tokens::SECRET;

/// Runs the whole suite once more, with everything logged, and searches the log.
#[test]
fn no_credential_appears_in_anything_logged_by_the_whole_suite() {
    if std::env::var_os(LOG_FILE).is_some() {
        // This is that run.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let run = Command::new(std::env::current_exe().unwrap()).env(LOG_FILE, &path).output().unwrap();
    let log = std::fs::read_to_string(path).unwrap();
    for expected in
        ["connected", "refused", "authenticated", "closing a connection whose token has expired", "dead letter"]
    {
        assert!(log.contains(expected), "the log is that of the whole suite: {expected:?} is missing");
    }
    // Whoever is refused leaves a line with all that an operator asks for.
    let refusal =
        log.lines().find(|line| line.contains(r#"reason="tenant""#)).expect("somebody asked for another tenant");
    for field in ["connection_id=", "request_id=", "tenant=", r#"subject="alice""#, r#"source_ip="127.0.0.1""#] {
        assert!(refusal.contains(field), "{field} is missing: {refusal}");
    }
    // Every token of these tests begins like every other.
    let credential = regex::Regex::new(&format!(r"{SECRET}|\beyJ|\bes_[A-Za-z0-9_-]{{40}}")).unwrap();
    for line in log.lines() {
        assert!(!credential.is_match(line), "a credential was logged: {line}");
    }
    // Only what failed: the rest says nothing that the run around this one has not said.
    let output = String::from_utf8_lossy(&run.stdout);
    let failures = output.split_once("\nfailures:\n").map_or(output.as_ref(), |(_, failures)| failures);
    assert!(run.status.success(), "the suite fails with everything logged: {}\n{failures}", run.status);
}
