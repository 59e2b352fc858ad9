//! Logs contain no credential.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Command;

use crate::harness::logs::LOG_FILE;
use crate::harness::tokens::SECRET;

/// Texts that only the whole suite logs.
const EXPECTED: [&str; 6] = [
    " TRACE ",
    "connected",
    "refused",
    "authenticated",
    "closing a connection whose authorisation has expired",
    "dead letter",
];

/// The patterns of credentials: the secret, a token, an API key, and an API key with its name in `Authorization`.
struct Credentials(regex::Regex);

impl Credentials {
    fn new() -> Self {
        let patterns = [
            SECRET,
            // Also a part of a token with a typical header, which begins with `alg`, `typ` or `kid`.
            r"\beyJ(hbGc|0eXA|raWQ)",
            // Any other token. A connection's id and a handshake's key may begin like a token, but end with other characters.
            r"\beyJ[\w-]{13,}([^\w=+/-]|$)",
            r"\bes_[\w-]{40}",
            r"[Bb]asic [A-Za-z0-9+/]{20}",
        ];
        Self(regex::Regex::new(&patterns.join("|")).unwrap())
    }

    fn are_in(&self, line: &str) -> bool {
        // The parts are a prefilter: an unoptimised regex is slow on a log of this size.
        [SECRET, "eyJ", "es_", "asic "].iter().any(|part| line.contains(part)) && self.0.is_match(line)
    }
}

/// Runs the whole suite once more, with all log levels, and searches its log and its output.
#[test]
fn the_whole_suite_logs_no_credential() {
    if std::env::var_os(LOG_FILE).is_some() {
        // This process is the second run.
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
    assert!(missing.is_empty(), "the log of the whole suite lacks {missing:?}");
    // Each refusal leaves a line with all fields that an operator needs.
    assert_eq!(refusals.len(), 2, "the suite has a refused tenant and a late renewal: {refusals:?}");
    for refusal in refusals.values() {
        for field in ["connection_id=", "request_id=", "tenant=", r#"subject="alice""#, r#"source_ip="127.0.0.1""#] {
            assert!(refusal.contains(field), "{field} is missing: {refusal}");
        }
    }
    let (stdout, stderr) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    for line in stdout.lines().chain(stderr.lines()) {
        assert!(!credentials.are_in(line), "a credential was printed: {line}");
    }
    // Prints only the failures, because the first run has printed the rest.
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
