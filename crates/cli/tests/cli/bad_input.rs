use crate::harness::{run, run_with};

/// Every slip has a message that says what would be right.
#[tokio::test]
async fn a_slip_is_explained() {
    let room = ["--type", "entityUpdated", "--entity-type", "Room", "--entity-id", "urn:1"];
    let publish = |more: &[&'static str]| [&["publish", "demo"], &room[..], more].concat();
    let cases: Vec<(Vec<&str>, i32, &str)> = vec![
        (vec!["publish", "demo"], 2, "publish <TENANT> --file <FILE>"),
        (vec!["publish", "a#b", "--file", "-"], 2, "a tenant is 1 to 63 of"),
        (vec!["publish", "demo", "--file", "nowhere"], 1, "cannot read nowhere"),
        (vec!["publish", "demo", "--file", "/"], 1, "it is a directory"),
        (publish(&["--data", "{a:1}"]), 1, "--data is not JSON: key must be a string"),
        (publish(&["--data", "[1]"]), 1, "--data is a JSON object"),
        (publish(&["--timestamp", "noon"]), 1, "2026-01-31T12:00:00Z"),
        (publish(&["--endpoint-url", "ws://localhost"]), 1, "such as http://localhost:3000"),
        (publish(&["--region", "eu-west-1"]), 2, "--event-bus"),
        (vec!["simulate", "demo", "--rate", "0"], 2, "from 0.001 to 10000"),
        (vec!["listen", "demo", "--url", "http://h"], 1, "try ws://h"),
        (vec!["listen", "demo", "--id-pattern", "(?=a)"], 1, "look-around"),
        (vec!["listen", "demo", "--count", "0"], 2, "a whole number of at least 1"),
        (vec!["listen", "demo", "--format", "xml"], 2, "format is json"),
        (vec!["local", "--idle-timeout", "10"], 2, "500ms, 90s, 10m or 1h30m"),
        (vec!["local", "--host", "example.com"], 2, "a host is localhost"),
        (vec!["local", "--simulate-rate", "5"], 2, "--simulate <TENANT>"),
    ];
    for (args, code, expected) in cases {
        let ended = run(&args).await;
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{args:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{args:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_malformed_token_is_not_repeated() {
    for token in ["Bearer eyJsecret", "eyJsecret\u{7}"] {
        let ended = run(&["listen", "demo", "--token", token]).await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("ENTITY_STREAM_TOKEN") && !ended.stderr.contains("eyJsecret"), "{ended:?}");
    }
    let ended = run_with(&["listen", "--help"], &[("ENTITY_STREAM_TOKEN", "eyJsecret")], "").await;
    assert!(!ended.stdout.contains("eyJsecret"), "{ended:?}");
}

#[tokio::test]
async fn every_command_shows_examples_and_fits_a_terminal() {
    for command in ["local", "listen", "publish", "simulate", "completions"] {
        let ended = run(&[command, "--help"]).await;
        assert_eq!(ended.code, Some(0));
        let (_, examples) = ended.stdout.split_once("Examples:").unwrap();
        assert!(examples.contains(&format!("entity-stream {command} ")), "{examples}");
        let long: Vec<_> = ended.stdout.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(long.is_empty(), "{long:?}");
    }
}

#[tokio::test]
async fn every_shell_gets_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = run(&["completions", shell]).await;
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("entity-stream") && ended.stdout.contains("simulate"), "{shell}");
    }
}
