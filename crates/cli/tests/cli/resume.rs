//! Listeners that come back, and their verdicts on missed events.

use std::path::Path;
use std::time::Duration;

use entity_stream_local::{Config, Local};
use entity_stream_runtime::Environment;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::harness::{Ended, PATIENCE, Running, listen, run, start, system, system_with};
use crate::server::WebSocketServer;

/// Publishes a change, and returns its id.
async fn publish(system: &Local, entity: &str) -> String {
    let args = ["publish", "demo", "--type", "entityDeleted", "--entity-type", "Room", "--entity-id", entity];
    let ended = run(&[&args[..], &["--endpoint-url", &system.http_url()]].concat()).await;
    ended.stdout.trim().strip_prefix("published as ").unwrap_or_else(|| panic!("{ended:?}")).to_owned()
}

fn id(line: &str) -> String {
    serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Reads lines up to the event with this id, and returns the ids.
async fn ids_up_to(listener: &mut Running, last: &str) -> Vec<String> {
    let mut ids = vec![id(&listener.line().await)];
    while ids.last().unwrap() != last {
        ids.push(id(&listener.line().await));
    }
    ids
}

fn event(id: &str, position: &str) -> String {
    json!({ "type": "entityUpdated", "id": id, "tenant": "demo", "servicePath": "/", "entityId": "urn:1",
        "entityType": "Room", "data": {}, "timestamp": "2026-01-02T03:04:05Z", "position": position })
    .to_string()
}

fn subscribed(subscribe: &Value, position: &str, more: &Value) -> String {
    let mut answer = json!({ "type": "subscribed", "position": position, "session": "s",
        "requestId": subscribe["requestId"] });
    answer.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    answer.to_string()
}

/// Waits until the file has this place. The listener writes it within a second.
async fn place(file: &Path, position: &str) {
    let expected = format!(r#""position":"{position}""#);
    let mut look = interval(Duration::from_millis(50));
    let written = async {
        while !std::fs::read_to_string(file).is_ok_and(|text| text.contains(&expected)) {
            look.tick().await;
        }
    };
    timeout(PATIENCE, written).await.expect("the place is written");
}

#[tokio::test]
async fn a_listener_that_is_cut_off_recovers_what_it_missed() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--output", "json"]).await;
    for round in 0..3 {
        let before = publish(&system, "urn:1").await;
        assert_eq!(id(&listener.line().await), before);
        // The connection that the last round closed may still be listed.
        let list = loop {
            let dynamodb = system.dynamodb_url();
            let list = run(&["connections", "list", "--output", "ids", "--dynamodb-url", &dynamodb]).await.stdout;
            if list.lines().count() == 1 {
                break list;
            }
        };
        let connection = list.trim();
        let closed = run(&["connections", "close", "--api", &system.http_url(), "--", connection]).await;
        assert_eq!(closed.code, Some(0), "{closed:?}");
        listener.says("lost the connection").await;
        let missed = publish(&system, "urn:1").await;
        assert_eq!(id(&listener.line().await), missed, "round {round}");
        let said = listener.says("connected again").await;
        assert!(said.starts_with("connected again; recovered "), "{said}");
    }
}

#[tokio::test]
async fn another_listener_continues_at_the_place_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data.db"), folder.path().join("place.json"));
    let resume = ["--resume", file.to_str().unwrap(), "--output", "json"];
    let system = system_with(Config { data: Some(data.clone()), ..Config::default() }).await;
    let mut listener = listen(&system, "demo", &[&resume[..], &["--count", "1"]].concat()).await;
    let first = publish(&system, "urn:1").await;
    assert_eq!(id(&listener.line().await), first);
    assert_eq!(listener.exit().await.code(), Some(0));
    let missed = [publish(&system, "urn:1").await, publish(&system, "urn:2").await];

    let mut listener = start(&[&["listen", "demo", "--url", &system.websocket_url()], &resume[..]].concat());
    listener.says("recovered ").await;
    let ids = ids_up_to(&mut listener, &missed[1]).await;
    let new: Vec<_> = ids.iter().filter(|id| **id != first).collect();
    assert_eq!(new, missed.iter().collect::<Vec<_>>());
    listener.signal("TERM").await;
    assert_eq!(listener.exit().await.code(), Some(0));

    // The history outlives the system.
    let missed = publish(&system, "urn:3").await;
    system.shutdown().await;
    let system = system_with(Config { data: Some(data), ..Config::default() }).await;
    let mut listener = start(&[&["listen", "demo", "--url", &system.websocket_url()], &resume[..]].concat());
    listener.says("recovered ").await;
    ids_up_to(&mut listener, &missed).await;
}

#[tokio::test]
async fn a_listener_can_begin_in_the_past() {
    let system = system().await;
    let published = publish(&system, "urn:1").await;
    let url = system.websocket_url();
    let args = ["listen", "demo", "--url", &url, "--output", "json", "--since", "10s"];
    let mut listener = start(&args);
    assert_eq!(id(&listener.line().await), published);
    listener.says("listening to demo").await;
    listener.says("recovered 1 event").await;
    // An event and the position of its connection, which a program could have stored.
    let position = "000000000000";
    let Ended { code, stderr, .. } =
        run(&["listen", "demo", "--url", &url, "--since", &format!("{position}:s"), "--timeout", "5s"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.contains("may have missed events: the server does not know the place (unknown_position)"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_listener_that_begins_with_a_snapshot_has_a_place_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    for (minutes, says) in [("60", None), ("0", Some("the server keeps no history, so --resume has no place to keep"))]
    {
        let environment = Environment::new(|name| (name == "HISTORY_MINUTES").then(|| minutes.to_owned()));
        let system = system_with(Config { environment, ..Config::default() }).await;
        let file = folder.path().join(minutes);
        let url = system.websocket_url();
        let mut listener = start(&["listen", "demo", "--url", &url, "--snapshot", "--resume", file.to_str().unwrap()]);
        listener.says("listening to demo").await;
        assert_eq!(listener.says("").await, "the snapshot is complete: 0 entities match");
        if let Some(expected) = says {
            assert_eq!(listener.says("").await, expected);
        }
        listener.signal("TERM").await;
        assert!(listener.says("").await.starts_with("0 events"));
        assert_eq!(listener.exit().await.code(), Some(0));
        assert_eq!(file.exists(), says.is_none());
    }
}

#[tokio::test]
async fn without_a_history_a_listener_says_so() {
    let environment = Environment::new(|name| (name == "HISTORY_MINUTES").then(|| "0".to_owned()));
    let system = system_with(Config { environment, ..Config::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("place.json");
    let url = system.websocket_url();
    let mut listener = start(&["listen", "demo", "--url", &url, "--resume", file.to_str().unwrap()]);
    listener.says("the server keeps no history, so --resume has no place to keep").await;
    listener.signal("TERM").await;
    assert_eq!(listener.exit().await.code(), Some(0));
    assert!(!file.exists());
    let mut listener = start(&["listen", "demo", "--url", &url, "--since", "5m"]);
    listener
        .says("may have missed events: the server cannot vouch for all of this time: its history is off, is too new")
        .await;
    let nowhere = folder.path().join("none/place.json");
    let ended = run(&["listen", "demo", "--url", &url, "--resume", nowhere.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("none/place.json: its folder does not exist"), "{ended:?}");
}

#[tokio::test]
async fn the_place_is_kept_while_the_listener_runs_and_a_gap_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("place.json");
    let server = WebSocketServer::start().await;
    let args = ["listen", "demo", "--url", &server.url, "--output", "json", "--resume", file.to_str().unwrap()];
    let mut listener = start(&args);
    let mut client = server.accept().await;
    let subscribe = client.message().await;
    assert_eq!(subscribe.get("since"), None);
    client.send(&subscribed(&subscribe, "01", &json!({}))).await;
    place(&file, "01").await;
    client.send(&format!(r#"{{"type":"events","events":[{},{}]}}"#, event("1", "02"), event("2", "03"))).await;
    assert_eq!((listener.line().await, listener.line().await), (event("1", "02"), event("2", "03")));
    place(&file, "03").await;
    listener.signal("KILL").await;
    listener.exit().await;

    let mut listener = start(&args);
    let mut client = server.accept().await;
    assert_eq!(client.uri, "/?tenant=demo&batch=true&subscribe=none");
    let subscribe = client.message().await;
    assert_eq!(subscribe["since"], json!({ "position": "03", "session": "s" }));
    client.send(&subscribed(&subscribe, "08", &json!({ "recovered": false, "reason": "expired" }))).await;
    let said = listener.says("may have missed events since 20").await;
    assert!(said.ends_with(": the history does not reach back (expired)"), "{said}");
    client.close(1001, "Going away").await;
    listener.says("lost the connection").await;
    let mut client = server.accept().await;
    let subscribe = client.message().await;
    assert_eq!(subscribe["since"]["position"], "08");
    client.send(&subscribed(&subscribe, "09", &json!({ "recovered": false, "reason": "too_many" }))).await;
    let said = listener.says("connected again; may have missed events since 20").await;
    assert!(said.ends_with(": the server has more events than it delivers again (too_many)"), "{said}");
    listener.signal("TERM").await;
    assert_eq!(listener.exit().await.code(), Some(0));
    place(&file, "09").await;
}

#[tokio::test]
async fn a_place_is_never_ahead_of_what_was_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("place.json");
    let server = WebSocketServer::start().await;
    let args = ["listen", "demo", "--url", &server.url, "--output", "json", "--resume", file.to_str().unwrap()];
    let mut listener = start(&[&args[..], &["--count", "1", "--quiet"]].concat());
    let mut client = server.accept().await;
    let subscribe = client.message().await;
    client.send(&subscribed(&subscribe, "01", &json!({}))).await;
    // The second event of the frame is not printed.
    client.send(&format!(r#"{{"type":"events","events":[{},{}]}}"#, event("1", "02"), event("2", "03"))).await;
    assert_eq!(listener.line().await, event("1", "02"));
    assert_eq!(listener.exit().await.code(), Some(0));
    place(&file, "02").await;
}

#[tokio::test]
async fn a_command_that_ends_among_missed_events_leaves_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("place.json");
    let text = r#"{"tenant":"demo","position":"01","session":"s","savedAt":"2026-01-02T03:04:05Z"}"#;
    std::fs::write(&file, text).unwrap();
    let server = WebSocketServer::start().await;
    let args = ["listen", "demo", "--url", &server.url, "--resume", file.to_str().unwrap(), "--count", "1"];
    let mut listener = start(&args);
    let mut client = server.accept().await;
    client.message().await;
    client.send(&format!(r#"{{"type":"events","events":[{},{}]}}"#, event("1", "02"), event("2", "03"))).await;
    listener.says("ended before all missed events were printed; the next command begins with the same ones").await;
    assert_eq!(listener.exit().await.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_wrong_place_or_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "notes").unwrap();
    let notes = notes.to_str().unwrap();
    for (args, code, expected) in [
        (&["--since", "yesterday"][..], 2, "expected a time such as 30s, 5m or 1h, or POSITION:SESSION"),
        (&["--since", "5m", "--group", "g"], 2, "cannot be used with"),
        (&["--resume", notes, "--group", "g"], 2, "cannot be used with"),
        (&["--resume", notes], 2, "notes.txt is not a file of `listen --resume`; choose another file, or delete it"),
    ] {
        let ended = run(&[&["listen", "demo"], args].concat()).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
}

/// A folder that cannot be written is found before the first place, which can come hours later.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named_at_once() {
    // The superuser cannot write there either.
    let ended = run(&["listen", "demo", "--url", "ws://127.0.0.1:9", "--resume", "/proc/self/place.json"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.starts_with("error: --resume: cannot write /proc/self/place.json: "), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}
