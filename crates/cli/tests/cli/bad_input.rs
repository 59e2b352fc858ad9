use crate::harness::{run, run_with};

/// Each mistake has a message with the remedy.
#[tokio::test]
async fn a_mistake_is_explained() {
    let room = ["--type", "entityUpdated", "--entity-type", "Room", "--entity-id", "urn:1"];
    let publish = |more: &[&'static str]| [&["publish", "demo"], &room[..], more].concat();
    let cases: Vec<(Vec<&str>, i32, &str)> = vec![
        (vec!["publish", "demo"], 2, "publish <TENANT> --file <FILE>"),
        (vec!["publish", "a#b", "--file", "-"], 2, "a tenant is 1 to 63 of"),
        (vec!["publish", "demo", "--file", "nowhere"], 1, "cannot read nowhere"),
        (vec!["publish", "demo", "--file", "/"], 1, "it is a directory"),
        (publish(&["--data", "{a:1}"]), 2, "--data is not JSON: key must be a string"),
        (publish(&["--data", "[1]"]), 2, "--data must be a JSON object"),
        (publish(&["--service-path", "madrid"]), 2, "--service-path must begin with `/`, such as `/madrid`"),
        (publish(&["--changed-attribute", ""]), 2, "--changed-attribute must be a name; found an empty text"),
        (
            publish(&["--timestamp", "noon"]),
            2,
            "error: --timestamp must be a time with an offset, such as 2026-01-31T12:00:00Z",
        ),
        (publish(&["--endpoint-url", "ws://localhost"]), 1, "such as http://localhost:3000"),
        (publish(&["--region", "eu-west-1"]), 1, "--event-bus"),
        (vec!["simulate", "demo", "--rate", "0"], 2, "from 0.001 to 10000"),
        (vec!["simulate", "demo", "--format", "ngsi"], 2, "[possible values: ngsi-ld, ngsi-v2]"),
        (vec!["listen", "demo", "--url", "http://h"], 2, "try ws://h"),
        (vec!["listen", "demo", "--id-pattern", "(?=a)"], 2, "look-around"),
        (vec!["listen", "demo", "--id", ""], 2, "'--id <ID>': an entity id has 1 to 512 characters"),
        (vec!["listen", "demo", "--trigger", "created"], 2, "--trigger: send some of entityCreated"),
        (vec!["listen", "demo", "--q", "speed>"], 2, "--q: character 7 (the end): "),
        (vec!["listen", "demo", "--group", "a/b"], 2, "'--group <NAME>': expected 1 to 128 characters of"),
        (vec!["listen", "demo", "--geo-q", "here"], 2, "near:LONGITUDE,LATITUDE,METRES"),
        (vec!["listen", "demo", "--geo-q", "near:139,235,5"], 2, "--geo-q: coordinates: "),
        (vec!["listen", "demo", "--service-path", "x"], 2, "--service-path begins with a slash"),
        (vec!["listen", "demo", "--subscription", "map"], 2, "expected NAME=JSON"),
        (vec!["listen", "demo", "--subscription", r#"map={"entityType":["A"]}"#], 2, "there is no field `entityType`"),
        (
            vec!["listen", "demo", "--subscription", "map={}", "--subscription", "map={}"],
            2,
            "--subscription: two subscriptions have the name `map`",
        ),
        (vec!["listen", "demo", "--entities", "--count", "1"], 2, "cannot be used with"),
        (vec!["listen", "demo", "--entities", "--watch", "speed"], 2, "cannot be used with"),
        (vec!["listen", "demo", "--group", "g", "--snapshot"], 2, "a member of a group cannot receive a snapshot"),
        (vec!["listen", "demo", "--count", "0"], 2, "a whole number of at least 1"),
        (vec!["listen", "demo", "--count", "-1"], 2, "a whole number of at least 1"),
        (vec!["listen", "demo", "--timeout", "0s"], 2, "a time of more than 0 and at most a year"),
        (vec!["replay", "-", "--speed", "-1"], 2, "a factor from 0.001 to 1000"),
        (vec!["publish", "demo", "--file", "-", "--in-flight", "0"], 2, "a whole number of at least 1"),
        (vec!["token", "--tenant", "demo", "--expires-in", "90000d"], 2, "at least 1s and at most 3660d"),
        (vec!["listen", "demo", "--format", "xml"], 2, "format is json"),
        (vec!["local", "--idle-timeout", "10"], 2, "500ms, 90s, 10m or 1h30m"),
        (
            vec!["local", "--port", "3472", "--dynamodb-port", "3472"],
            2,
            "--port and --dynamodb-port both name the port 3472; choose different ports",
        ),
        (vec!["local", "--host", "example.com"], 2, "expected localhost, or an IP address"),
        (vec!["local", "--simulate-rate", "5"], 2, "--simulate <TENANT>"),
        (vec!["local", "--simulate-format", "ngsi-v2"], 2, "--simulate <TENANT>"),
        (vec!["local", "--simulate-partial"], 2, "--simulate <TENANT>"),
        (vec!["local", "--auth", "--lambda-endpoint", "http://localhost:9000"], 2, "cannot be used with"),
        (
            vec!["token", "--tenant", "demo", "--role", "super_admin"],
            2,
            "may listen to all tenants; leave it out, or pass --role tenant_admin",
        ),
        (vec!["state", "erase", "--tenant", "demo"], 2, "state erase --tenant <TENANT> --all"),
        (vec!["dead-letters", "replay"], 2, "dead-letters replay --all"),
        (vec!["dead-letters", "purge"], 2, "dead-letters purge --all"),
        (vec!["context", "add", "here"], 2, "context add <NAME> --url <URL>"),
        (vec!["token", "--tenant", "demo"], 1, "set JWT_SECRET (`entity-stream local --auth` prints one)"),
        (vec!["token"], 2, "--tenant is missing; only --role super_admin"),
        (
            vec!["token", "--tenant", "demo", "--role", "root"],
            2,
            "[possible values: publisher, user, tenant_admin, super_admin]",
        ),
        (vec!["token", "--tenant", "demo", "--expires-in", "10"], 2, "such as 30s, 15m, 1h or 90d"),
        (vec!["token", "--tenant", "demo", "--claim", "x"], 2, "expected name=value"),
        (vec!["token", "--tenant", "demo", "--claim", "exp=1"], 2, "another option sets `exp`"),
        (vec!["token", "--tenant", "demo", "--secret-file", "nowhere"], 1, "cannot read --secret-file nowhere"),
        (vec!["token", "--tenant", "demo", "--secret-file", "/dev/zero"], 1, "/dev/zero: it is longer than 1 MB"),
        (vec!["token", "--tenant", "demo", "--dpop", "/dev/zero"], 1, "the key in /dev/zero: it is longer than 1 MB"),
        (
            vec!["listen", "demo", "--api-key", "x", "--api-key-file", "/dev/zero"],
            1,
            "/dev/zero: it is longer than 1 MB",
        ),
        (vec!["token", "--inspect"], 1, "or set ENTITY_STREAM_TOKEN"),
        (vec!["token", "--inspect", "x", "--role", "user"], 2, "cannot be used with"),
        (vec!["keys", "create", "robot"], 2, "--tenant is missing; only --role super_admin"),
        (
            vec!["keys", "create", "robot", "--tenant", "demo", "--role", "super_admin"],
            2,
            "may listen to all tenants; leave it out, or pass --role tenant_admin",
        ),
        (vec!["token", "--tenant", "demo", "--subject", "key:robot"], 2, "--subject must not begin with key:"),
        (vec!["keys", "create", "a b", "--tenant", "demo"], 2, "1 to 64 characters of A-Z a-z 0-9 _ - ."),
        (vec!["keys", "list", "--dynamodb-url", "localhost"], 1, "such as http://localhost:8000"),
        (vec!["keys", "list", "--region", "eu-west-1"], 1, "--keys-table NAME"),
        (vec!["keys", "list", "--keys-table", "x"], 1, "no AWS region"),
        (vec!["keys", "list", "--table", "x"], 2, "unexpected argument '--table'"),
        (vec!["connections", "list", "--region", "eu-west-1"], 1, "--table NAME"),
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
async fn a_credential_in_the_wrong_place_is_not_repeated() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2VjcmV0";
    let key = "es_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2V";
    for args in [
        &["token", jwt][..],
        &["listen", "demo", jwt],
        &["listen", jwt],
        &["listen", "demo", "--count", jwt],
        &["listen", "demo", "--api-key", &format!("robot:{key}")],
        &["listen", "demo", key],
        &["keys", "create", "robot", key],
        &[jwt],
    ] {
        let ended = run(args).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("(a credential)") && ended.stderr.contains("--help"), "{ended:?}");
        assert!(!ended.stderr.contains("eyJ") && !ended.stderr.contains("c2VjcmV0"), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
}

#[tokio::test]
async fn an_invalid_log_level_is_named() {
    for level in ["banana", "verbose", "debug,banana", "entity_stream=loud"] {
        for args in [&["token", "--tenant", "demo"][..], &["local"]] {
            let ended = run_with(args, &[("RUST_LOG", level)], "").await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(
                ended.stderr.contains("RUST_LOG: the log level is invalid: expected error, warn, info"),
                "{ended:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_command_shows_examples_and_fits_a_terminal() {
    let commands = [
        "local",
        "listen",
        "publish",
        "simulate",
        "token",
        "keys",
        "keys create",
        "keys list",
        "keys revoke",
        "connections",
        "connections list",
        "connections close",
        "doctor",
        "record",
        "replay",
        "bench",
        "context",
        "context add",
        "man",
        "completions",
    ];
    for command in commands {
        let ended = run(&command.split(' ').chain(["--help"]).collect::<Vec<_>>()).await;
        assert_eq!(ended.code, Some(0));
        let (_, examples) = ended.stdout.split_once("Examples:").unwrap();
        assert!(examples.contains(&format!("entity-stream {command} ")), "{examples}");
        let long: Vec<_> = ended.stdout.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(long.is_empty(), "{long:?}");
        // A wrapped example cannot be copied, even at the width of old terminals.
        let commands = examples.lines().filter(|line| line.contains("entity-stream "));
        let long: Vec<_> = commands.filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{long:?}");
    }
}

#[tokio::test]
async fn every_shell_gets_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = run(&["completions", shell]).await;
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("entity-stream") && ended.stdout.contains("simulate"), "{shell}");
        assert!(ended.stdout.contains("simulate-partial"), "{shell}");
    }
}
