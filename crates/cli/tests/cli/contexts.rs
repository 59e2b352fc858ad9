//! One `--target`, and contexts, from which the addresses of a system follow.

use std::path::Path;

use tokio::time::timeout;

use crate::harness::{Ended, PATIENCE, run, run_with, start_with, system};

/// The outputs of a stack, as `sam list stack-outputs --output json` prints them.
const OUTPUTS: &str = r#"[
  {"OutputKey": "WebSocketUrl", "OutputValue": "wss://a1b2.execute-api.eu-west-1.amazonaws.com/live", "Description": "The URL for clients"},
  {"OutputKey": "ManagementEndpoint", "OutputValue": "https://a1b2.execute-api.eu-west-1.amazonaws.com/live"},
  {"OutputKey": "EventBus", "OutputValue": "city"},
  {"OutputKey": "TableName", "OutputValue": "stack-connections"},
  {"OutputKey": "ApiKeysTableName", "OutputValue": "stack-keys"},
  {"OutputKey": "AlarmTopicArn", "OutputValue": "arn:aws:sns:eu-west-1:1:alarms"}
]"#;

/// A user with a configuration folder of their own.
struct User {
    folder: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    async fn runs(&self, args: &[&str], input: &str) -> Ended {
        self.runs_with(args, &[], input).await
    }

    async fn runs_with(&self, args: &[&str], more: &[(&str, &str)], input: &str) -> Ended {
        let environment = [&[("XDG_CONFIG_HOME", self.folder.path().to_str().unwrap())], more].concat();
        run_with(args, &environment, input).await
    }

    async fn adds_prod(&self) {
        let ended = self.runs(&["context", "add", "prod", "--from", "-"], OUTPUTS).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout, "added prod: wss://a1b2.execute-api.eu-west-1.amazonaws.com/live\n");
        assert!(ended.stderr.contains("no output HistoryTableName, DeadLetterQueueUrl"), "{ended:?}");
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("entity-stream/contexts.json")
    }
}

const CHANGE: [&str; 8] =
    ["publish", "demo", "--type", "entityDeleted", "--entity-type", "Room", "--entity-id", "urn:1"];

#[tokio::test]
async fn each_command_finds_a_local_system_by_its_url() {
    let system = system().await;
    let url = system.http_url();
    let target = ["--target", &url];
    let mut listener = start_with(&["listen", "demo", "--output", "json"], &[("ENTITY_STREAM_URL", &url)]);
    listener.says("listening to demo").await;
    let ended = run(&[&CHANGE[..], &target].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(listener.line().await.contains("urn:1"));
    let ended = run(&[&["connections", "list", "--output", "ids"][..], &target].concat()).await;
    let connection = ended.stdout.trim();
    assert!(!connection.is_empty(), "{ended:?}");
    let ended = run(&[&["connections", "close"][..], &target, &["--", connection]].concat()).await;
    assert!(ended.stdout.starts_with("closed "), "{ended:?}");
    for (args, expected) in [
        (&["keys", "create", "robot", "--tenant", "demo"][..], "es_"),
        (&["keys", "list"], "robot"),
        (&["keys", "revoke", "robot"], "revoked robot"),
        (&["dead-letters", "list", "--output", "json"], "[]"),
        (&["doctor", "demo"], "all checks passed"),
        (&["simulate", "demo", "--count", "1", "--rate", "100"], ""),
        (
            &["publish", "demo", "--type", "entityUpdated", "--entity-type", "Room", "--entity-id", "urn:2"],
            "published as ",
        ),
    ] {
        let ended = run(&[args, &target].concat()).await;
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        assert!(ended.stdout.contains(expected), "{args:?}: {ended:?}");
    }
    // The state is written while the event is delivered.
    let listed = async {
        let list = ["state", "list", "--tenant", "demo", "--ids-only", "--target", &url];
        while !run(&list).await.stdout.contains("urn:2") {}
    };
    timeout(PATIENCE, listed).await.expect("the entity is listed");
}

#[tokio::test]
async fn the_options_win_over_the_target_and_the_target_over_the_variable_and_the_context() {
    let (system, user) = (system().await, User::new());
    let url = system.http_url();
    let nowhere = [("ENTITY_STREAM_URL", "http://127.0.0.1:9")];
    for (name, url) in [("nowhere", "http://127.0.0.1:9"), ("here", &url)] {
        let ended = user.runs(&["context", "add", name, "--url", url], "").await;
        assert_eq!(ended.stdout, format!("added {name}: {url}\n"));
    }
    let publish = |more: &[&'static str]| [&CHANGE[..], more].concat();
    let ended = user.runs_with(&publish(&["--target", "here"]), &nowhere, "").await;
    assert!(ended.stdout.starts_with("published as "), "{ended:?}");
    let ended =
        user.runs_with(&[&CHANGE[..], &["--target", "nowhere", "--endpoint-url", &url]].concat(), &nowhere, "").await;
    assert!(ended.stdout.starts_with("published as "), "{ended:?}");
    assert_eq!(user.runs(&["context", "use", "here"], "").await.stdout, "commands without --target use here\n");
    assert!(user.runs(&CHANGE, "").await.stdout.starts_with("published as "));
    let ended = user.runs_with(&CHANGE, &nowhere, "").await;
    assert!(ended.stderr.contains("cannot publish to http://127.0.0.1:9"), "{ended:?}");
    let ended = user.runs_with(&CHANGE, &[("ENTITY_STREAM_URL", "here")], "").await;
    assert!(ended.stdout.starts_with("published as "), "{ended:?}");
    let ended = user.runs(&["keys", "list", "--target", "nowhere"], "").await;
    assert!(
        ended.stderr.contains("cannot reach the local system at http://127.0.0.1:9 (is `entity-stream local`"),
        "{ended:?}"
    );
    assert!(user.runs(&["context", "list"], "").await.stdout.contains("*  here "));
    assert_eq!(user.runs(&["context", "use", "local"], "").await.code, Some(0));
    assert!(!user.runs(&["context", "list"], "").await.stdout.contains('*'));
}

#[tokio::test]
async fn the_places_of_a_deployed_system_come_from_its_context() {
    let user = User::new();
    user.adds_prod().await;
    // Without credentials, each command says what it would use, or what it lacks.
    for (args, expected) in [
        (&[&CHANGE[..], &["--target", "prod"]].concat()[..], "no AWS credentials"),
        (&["connections", "list", "--target", "prod"], "no AWS credentials"),
        (&["keys", "list", "--target", "wss://a1b2.execute-api.eu-west-1.amazonaws.com/live"], "no AWS credentials"),
        (&["connections", "close", "x", "--target", "prod"], "no AWS credentials"),
        (
            &["state", "list", "--tenant", "demo", "--target", "prod"],
            "error: the context prod has no output HistoryTableName, the table of the history; a stack has it with HistoryMinutes \
             or EntityState. Pass --history-table NAME, or read the outputs again with `entity-stream context add prod --from -`",
        ),
        (&["state", "list", "--tenant", "demo", "--target", "prod", "--history-table", "t"], "no AWS credentials"),
        (&["dead-letters", "list", "--target", "prod"], "has no output DeadLetterQueueUrl, the dead-letter queue"),
        (&["token", "--tenant", "demo", "--target", "prod"], "has no output SigningSecretArn"),
        (
            &["connections", "list", "--target", "wss://stream.example.com"],
            "the URL wss://stream.example.com does not tell the table of connections; pass --table NAME, or keep",
        ),
        (&["connections", "list", "--target", "test"], "no context has the name test; there are prod."),
        (&["listen", "demo", "--target", "a b"], "--target must be a URL such as http://localhost:3000"),
        (
            &["connections", "list", "--target", "local", "--region", "eu-west-1", "--dynamodb-url", "http://x"],
            "--profile and --region are for AWS; pass --table NAME or --target CONTEXT with them",
        ),
        (&[&CHANGE[..], &["--region", "x"]].concat(), "pass --event-bus NAME or --target CONTEXT with them"),
        (&["dead-letters", "list", "--region", "x"], "pass --queue-url URL or --target CONTEXT with them"),
    ] {
        let ended = user.runs_with(args, &[("AWS_EC2_METADATA_DISABLED", "true")], "").await;
        // A target that does not exist is a mistake on the command line.
        let code = if args.contains(&"test") || args.contains(&"a b") { 2 } else { 1 };
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{args:?}: {ended:?}");
    }
}

#[tokio::test]
async fn contexts_are_kept_for_their_owner_without_a_credential() {
    let user = User::new();
    let none = user.runs(&["context", "list"], "").await;
    assert_eq!((none.code, none.stderr.as_str()), (Some(0), "no contexts; `entity-stream context add` adds one\n"));
    user.adds_prod().await;
    assert!(is_private(&user.file()));
    let text = std::fs::read_to_string(user.file()).unwrap();
    assert!(text.contains(r#""TableName": "stack-connections""#) && !text.contains("AlarmTopicArn"), "{text}");
    let shown = user.runs(&["context", "show", "prod"], "").await.stdout;
    assert!(shown.contains(r#""region": "eu-west-1""#), "{shown}");
    let listed = user.runs(&["context", "list", "--output", "json"], "").await.stdout;
    assert!(listed.starts_with(r#"[{"#) && listed.contains(r#""inUse":false"#), "{listed}");
    let again = user.runs(&["context", "add", "prod", "--profile", "work", "--from", "-"], OUTPUTS).await;
    assert!(again.stdout.starts_with("replaced prod: wss://"), "{again:?}");
    user.runs(&["context", "use", "prod"], "").await;
    let removed = user.runs(&["context", "remove", "prod"], "").await;
    assert_eq!((removed.code, removed.stdout.as_str()), (Some(0), "removed prod\n"));
    assert!(removed.stderr.contains("use the local system now"), "{removed:?}");
    for (args, input, expected) in [
        (&["context", "remove", "prod"][..], "", "no context has the name prod; there are none."),
        (&["context", "use", "prod"], "", "no context has the name prod"),
        (&["context", "show"], "", "no context is in use; pass a name"),
        (
            &["context", "add", "x", "--from", "-"],
            "{}",
            "--from: standard input is unusable: expected the outputs of a stack as JSON",
        ),
        (&["context", "add", "x", "--from", "/nonexistent"], "", "cannot read /nonexistent"),
        (&["context", "add", "x", "--url", "localhost"], "", "--url must be a URL such as http://localhost:3000"),
        (&["context", "add", "x", "--url", "http://localhost:3000", "--region", "r"], "", "leave them out"),
    ] {
        let ended = user.runs(args, input).await;
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{args:?}: {ended:?}");
    }
    assert_eq!(user.runs(&["context", "add", "a/b", "--from", "-"], "").await.code, Some(2));
    std::fs::write(user.file(), "{").unwrap();
    let broken = user.runs(&CHANGE, "").await;
    assert!(broken.stderr.contains("contexts.json is not a file of contexts: "), "{broken:?}");
    let named = user.runs(&[&CHANGE[..], &["--endpoint-url", "http://127.0.0.1:9"]].concat(), "").await;
    assert!(named.stderr.contains("cannot publish to http://127.0.0.1:9"), "{named:?}");
}

#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    (mode(path), mode(path.parent().unwrap())) == (0o600, 0o700)
}

#[cfg(not(unix))]
fn is_private(path: &Path) -> bool {
    path.exists()
}

#[tokio::test]
async fn a_context_in_use_that_is_not_in_the_file_is_not_the_local_system() {
    let user = User::new();
    std::fs::create_dir_all(user.file().parent().unwrap()).unwrap();
    std::fs::write(user.file(), r#"{"inUse":"prod","contexts":{}}"#).unwrap();
    let ended = user.runs(&CHANGE, "").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("error: the context in use, prod, is not in "), "{ended:?}");
    assert_eq!(user.runs(&["context", "use", "local"], "").await.code, Some(0));
    let ended = user.runs(&[&CHANGE[..], &["--endpoint-url", "http://127.0.0.1:9"]].concat(), "").await;
    assert!(ended.stderr.contains("cannot publish to http://127.0.0.1:9"), "{ended:?}");
}

#[tokio::test]
async fn a_foreign_document_does_not_write_to_the_terminal() {
    let user = User::new();
    let outputs = OUTPUTS.replace("/live", "/\\u001b[2J");
    let ended = user.runs(&["context", "add", "prod", "--from", "-"], &outputs).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("amazonaws.com/\u{fffd}[2J"), "{ended:?}");
}

/// People keep their configuration in a folder of its own, with links to its files.
#[cfg(unix)]
#[tokio::test]
async fn a_file_of_contexts_that_is_a_link_stays_one() {
    let user = User::new();
    let own = user.folder.path().join("own.json");
    std::fs::create_dir_all(user.file().parent().unwrap()).unwrap();
    std::fs::write(&own, r#"{"contexts":{}}"#).unwrap();
    std::os::unix::fs::symlink(&own, user.file()).unwrap();
    user.adds_prod().await;
    assert!(user.file().is_symlink());
    assert!(std::fs::read_to_string(&own).unwrap().contains("stack-keys"));
}
