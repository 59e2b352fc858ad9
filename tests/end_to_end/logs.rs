//! No credential in any log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Command;

use crate::harness::logs::LOG_FILE;
use crate::harness::tokens::SECRET;

/// What only the whole suite logs.
const EXPECTED: [&str; 6] =
    [" TRACE ", "connected", "refused", "authenticated", "closing a connection whose token has expired", "dead letter"];

/// What a credential looks like: the secret, a token, an API key, and an API key with its name as it is sent.
struct Credentials(regex::Regex);

impl Credentials {
    fn new() -> Self {
        let patterns = [
            SECRET,
            // Even a part of a token whose header begins as most do, with `alg`, `typ` or `kid`.
            r"\beyJ(hbGc|0eXA|raWQ)",
            // Any other token. A connection's id and a handshake's key may begin like one, and end with what no token has.
            r"\beyJ[\w-]{13,}([^\w=+/-]|$)",
            r"\bes_[\w-]{40}",
            r"[Bb]asic [A-Za-z0-9+/]{20}",
        ];
        Self(regex::Regex::new(&patterns.join("|")).unwrap())
    }

    fn are_in(&self, line: &str) -> bool {
        // An expression without optimisation takes long for a log of this size.
        [SECRET, "eyJ", "es_", "asic "].iter().any(|part| line.contains(part)) && self.0.is_match(line)
    }
}

/// Runs the whole suite once more, with everything logged, and searches the log and what it prints.
#[test]
fn no_credential_appears_in_anything_logged_by_the_whole_suite() {
    if std::env::var_os(LOG_FILE).is_some() {
        // This is that run.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let run = command.arg("--nocapture").env(LOG_FILE, &path).output().unwrap();
    let credentials = Credentials::new();
    let mut missing = BTreeSet::from(EXPECTED);
    let mut refusals = BTreeMap::new();
    for line in BufReader::new(File::open(path).unwrap()).split(b'\n') {
        let line = line.unwrap();
        let line = String::from_utf8_lossy(&line);
        missing.retain(|expected| !line.contains(expected));
        for reason in [r#"reason="tenant""#, r#"reason="late_renewal""#] {
            if line.contains(reason) {
                refusals.entry(reason).or_insert_with(|| line.to_string());
            }
        }
        assert!(!credentials.are_in(&line), "a credential was logged: {line}");
    }
    assert!(missing.is_empty(), "the log is that of the whole suite: {missing:?} are missing");
    // Whoever is refused leaves a line with all that an operator asks for.
    assert_eq!(refusals.len(), 2, "somebody asked for another tenant, and somebody came too late: {refusals:?}");
    for refusal in refusals.values() {
        for field in ["connection_id=", "request_id=", "tenant=", r#"subject="alice""#, r#"source_ip="127.0.0.1""#] {
            assert!(refusal.contains(field), "{field} is missing: {refusal}");
        }
    }
    let (stdout, stderr) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    for line in stdout.lines().chain(stderr.lines()) {
        assert!(!credentials.are_in(line), "a credential was printed: {line}");
    }
    // Only what failed: the rest says nothing that the run around this one has not said.
    let failures = stdout.split_once("\nfailures:\n").map_or(stdout.as_ref(), |(_, failures)| failures);
    assert!(run.status.success(), "the suite fails with everything logged: {}\n{stderr}\n{failures}", run.status);
}

#[test]
fn a_credential_is_recognised() {
    let credentials = Credentials::new();
    for line in [
        format!("JWT_SECRET={SECRET}"),
        r#""authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x""#.to_owned(),
        "token=eyJhbGci".to_owned(),
        r#""eyJ4IjoxLCJhbGciOiJub25lIn0.e30.""#.to_owned(),
        "token eyJ4IjoxLCJhbGciOiJub25lIn0".to_owned(),
        format!("key=es_{}", "c2VjcmV0".repeat(5)),
        "authorization: Basic cm9ib3Q6ZXNfYzJWamNtVjA=".to_owned(),
    ] {
        assert!(credentials.are_in(&line), "{line}");
    }
    for line in [
        "processes_of_es_",
        "Basic authentication is for keys",
        "heyJude",
        "connection_id=eyJxtNNifPhAWvk= request_id=",
        "Sec-WebSocket-Key: eyJxtNNifPhAWvk/tNNifA==",
        "Sec-WebSocket-Accept: eyJxtNNifPhAWvkztNNifAhAWvk=",
    ] {
        assert!(!credentials.are_in(line), "{line}");
    }
}
