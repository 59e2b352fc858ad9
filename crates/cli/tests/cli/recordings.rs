//! `record` and `replay`: the same changes, at the same pace or faster.

use std::path::Path;

use entity_stream_local::Local;
use entity_stream_protocol::EpochMillis;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::http::StatusCode;

use crate::harness::{Running, listen, run, run_with, start, system};
use crate::server::{EventBus, WebSocketServer};

async fn publish(system: &Local, lines: &str) {
    let ended = run_with(&["publish", "demo", "--file", "-", "--target", &system.http_url()], &[], lines).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn change(entity: &str, value: u64) -> String {
    json!({ "type": "entityUpdated", "entityId": entity, "entityType": "Room", "servicePath": "/madrid",
        "data": { "n": value }, "changedAttributes": ["n"] })
    .to_string()
}

/// A line of a recording.
fn line(received_at: &str, entity: &str, value: u64) -> String {
    let event = json!({ "type": "entityUpdated", "id": "1", "tenant": "demo", "servicePath": "/", "entityId": entity,
        "entityType": "Room", "data": { "n": value }, "timestamp": "2026-01-02T03:04:05Z" });
    format!("{}\n", json!({ "receivedAt": received_at, "event": event }))
}

async fn event(listener: &mut Running) -> Value {
    serde_json::from_str(&listener.line().await).unwrap()
}

#[tokio::test]
async fn a_recording_is_published_again_for_another_tenant() {
    let system = system().await;
    let (url, folder) = (system.http_url(), tempfile::tempdir().unwrap());
    let file = folder.path().join("city.ndjson");
    let path = file.to_str().unwrap();
    let mut recorder = start(&["record", "demo", path, "--count", "3", "--target", &url]);
    recorder.says("listening to demo").await;
    // The bus keeps no order within a request.
    for line in [change("a", 1), change("b", 2), change("a", 3)] {
        publish(&system, &line).await;
        system.settled().await;
    }
    assert_eq!(recorder.exit().await.code(), Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.starts_with(r#"{"receivedAt":"20"#), "{text}");
    assert!(is_private(&file));
    let mut listener = listen(&system, "test", &["--output", "json"]).await;
    let ended = run(&["replay", path, "--tenant", "test", "--speed", "max", "--target", &url]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.starts_with("3 events published, "), "{ended:?}");
    let mut of_a = Vec::new();
    for _ in 0..3 {
        let event = event(&mut listener).await;
        assert_eq!((&event["servicePath"], &event["changedAttributes"]), (&json!("/madrid"), &json!(["n"])));
        if event["entityId"] == "a" {
            of_a.push(event["data"]["n"].clone());
        }
    }
    assert_eq!(of_a, [json!(1), json!(3)]);
    let again = run(&["record", "demo", path, "--target", &url]).await;
    assert!(again.stderr.contains("city.ndjson exists; pass --append to add to it"), "{again:?}");
    let mut recorder = start(&["record", "demo", path, "--append", "--count", "1", "--target", &url]);
    recorder.says("listening to demo").await;
    publish(&system, &change("c", 4)).await;
    assert_eq!(recorder.exit().await.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 4);
}

#[tokio::test]
async fn the_pace_is_that_of_the_recording_divided_by_the_speed() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--output", "json"]).await;
    let lines = line("2026-01-02T03:04:05.000Z", "a", 1) + &line("2026-01-02T03:04:09.000Z", "a", 2);
    let (started, url) = (Instant::now(), system.http_url());
    let ended = run_with(&["replay", "-", "--speed", "4", "--target", &url], &[], &lines).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(started.elapsed().as_secs_f64() >= 1.0);
    let (first, second) = (event(&mut listener).await, event(&mut listener).await);
    assert_eq!((&first["data"]["n"], &second["data"]["n"]), (&json!(1), &json!(2)));
    let times = [&first, &second].map(|event| EpochMillis::from_rfc3339(event["timestamp"].as_str().unwrap()).unwrap());
    assert!(times[1].since(times[0]).as_secs_f64() >= 0.9, "each has the time of its replay: {times:?}");
    let days_later = line("2026-01-02T03:04:05Z", "a", 1) + &line("2026-01-09T03:04:05Z", "a", 2);
    let ended = run_with(&["replay", "-", "--max-pause", "10ms", "--target", &url], &[], &days_later).await;
    assert!(ended.stderr.contains("2 events published"), "{ended:?}");
    event(&mut listener).await;
    event(&mut listener).await;
    let keep = ["replay", "-", "--keep-timestamps", "--target", &url];
    run_with(&keep, &[], &line("2026-01-02T03:04:05Z", "b", 3)).await;
    assert_eq!(event(&mut listener).await["timestamp"], "2026-01-02T03:04:05Z");
}

/// The bus keeps no order within a request.
#[tokio::test]
async fn two_changes_of_an_entity_never_share_a_request() {
    let bus = EventBus::start(|_| None).await;
    let entities = (0..10).map(|entity| format!("urn:{entity}")).chain(["last".to_owned(), "last".to_owned()]);
    let lines: String = entities.map(|entity| line("2026-01-02T03:04:05Z", &entity, 1)).collect();
    let ended = run_with(&["replay", "-", "--speed", "max", "--endpoint-url", &bus.url], &[], &lines).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let requests = bus.requests.lock().unwrap();
    let sizes: Vec<_> = requests.iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 1, 1]);
    let times: Vec<_> = requests.iter().flatten().map(|detail| detail["timestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, next| one < next), "each change has the time of its replay: {times:?}");
}

#[tokio::test]
async fn an_interrupt_ends_a_replay_with_the_count() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--output", "json"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slow.ndjson");
    std::fs::write(&file, line("2026-01-02T03:04:05Z", "a", 1) + &line("2026-01-02T04:04:05Z", "a", 2)).unwrap();
    let mut replay = start(&["replay", file.to_str().unwrap(), "--target", &system.http_url()]);
    listener.line().await;
    replay.says("waiting 1h for line 2; --max-pause shortens pauses").await;
    replay.signal("INT").await;
    replay.says("error: stopped after 1 event published: interrupted").await;
    assert_eq!(replay.exit().await.code(), Some(1));
}

#[tokio::test]
async fn lines_that_cannot_be_published_are_told() {
    let system = system().await;
    let url = system.http_url();
    let snapshot = line("2026-01-02T03:04:05Z", "a", 1).replace("entityUpdated", "entitySnapshot");
    let truncated =
        line("2026-01-02T03:04:05Z", "a", 1).replace("\"data\":{\"n\":1}", "\"data\":{},\"truncated\":true");
    let lines = format!("{snapshot}{truncated}{}\n{}", change("a", 1), line("2026-01-02T03:04:05Z", "a", 1));
    let ended = run_with(&["replay", "-", "--target", &url], &[], &lines).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for expected in [
        "line 3: this is no line of `entity-stream record`: `receivedAt` must be a time such as",
        "2 events skipped: ",
        "1 event published, 1 rejected",
        "1 of 2 events rejected",
    ] {
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
    let of_event = |event: &str| format!("{{\"receivedAt\":\"2026-01-02T03:04:05Z\"{event}}}\n");
    let broken = [
        "hidden\n".to_owned(),
        of_event(""),
        of_event(",\"event\":{\"type\":\"entityUpdated\"}"),
        of_event(",\"event\":{\"type\":[\"hidden\"]}"),
    ];
    let ended = run_with(&["replay", "-", "--target", &url], &[], &broken.concat()).await;
    for expected in [
        "line 1: this is no line of `entity-stream record`: it is no JSON object with `receivedAt` and `event`",
        "line 2: this is no line of `entity-stream record`: `event` is missing",
        "line 3: this is no line of `entity-stream record`: `event` has no `id`",
        "line 4: this is no line of `entity-stream record`: `event` is not as received",
    ] {
        assert!(ended.stderr.contains(expected) && !ended.stderr.contains("hidden"), "{ended:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&["record", "demo", folder.path().to_str().unwrap(), "--target", &url]).await;
    assert!(ended.stderr.contains("it is a directory"), "{ended:?}");
    let ended = run(&["replay", "/nonexistent", "--target", &url]).await;
    assert!(ended.stderr.contains("cannot read /nonexistent"), "{ended:?}");
    assert_eq!(run(&["replay", "-", "--speed", "0"]).await.code, Some(2));
}

#[tokio::test]
async fn a_recording_goes_on_after_a_line_that_was_cut_off() {
    let system = system().await;
    let (url, folder) = (system.http_url(), tempfile::tempdir().unwrap());
    let file = folder.path().join("city.ndjson");
    let path = file.to_str().unwrap();
    std::fs::write(&file, r#"{"receivedAt":"2026-01-02T0"#).unwrap();
    let mut recorder = start(&["record", "demo", path, "--append", "--count", "1", "--target", &url]);
    recorder.says("listening to demo").await;
    publish(&system, &change("a", 1)).await;
    assert_eq!(recorder.exit().await.code(), Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    let ended = run(&["replay", path, "--target", &url]).await;
    assert!(ended.stderr.contains("1 event published, 1 rejected"), "{ended:?}");
}

/// The next command would refuse to replace the file.
#[tokio::test]
async fn a_recording_that_did_not_begin_leaves_no_file() {
    let server = WebSocketServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.ndjson");
    let args = ["record", "demo", file.to_str().unwrap(), "--url", &server.url];
    let (ended, ()) = tokio::join!(run(&args), server.refuse(StatusCode::UNAUTHORIZED, ""));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!file.exists());
    // A file that was there stays.
    std::fs::write(&file, "").unwrap();
    let append = [&args[..], &["--append"]].concat();
    let (ended, ()) = tokio::join!(run(&append), server.refuse(StatusCode::UNAUTHORIZED, ""));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(file.exists());
}

#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777 == 0o600
}

#[cfg(not(unix))]
fn is_private(path: &Path) -> bool {
    path.exists()
}

#[tokio::test]
async fn an_event_is_recorded_once_and_as_it_was_published() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.ndjson");
    let path = file.to_str().unwrap();
    for (options, expected) in [
        (&["--attributes", "speed"][..], "leave --attributes out"),
        (&["--key-values"], "leave --key-values out"),
        (&["--subscription", r#"map={"attributes":["speed"]}"#], "`attributes` of --subscription"),
        (&["--subscription", r#"map={"representation":"keyValues"}"#], "`representation` of --subscription"),
        (&["--entity-type", "Room", "--subscription", r#"map={"showChanges":true}"#], "each event once; give each"),
    ] {
        let ended = run(&[&["record", "demo", path], options].concat()).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
        assert!(!file.exists(), "{options:?}");
    }
    let system = system().await;
    let two = ["--entity-type", "Room", "--subscription", r#"list={"entityIds":["a"]}"#];
    let url = system.http_url();
    let mut recorder = start(&[&["record", "demo", path, "--count", "2", "--target", &url], &two[..]].concat());
    recorder.says("listening to demo").await;
    for line in [change("a", 1), change("b", 2)] {
        publish(&system, &line).await;
        system.settled().await;
    }
    assert_eq!(recorder.exit().await.code(), Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    let entities: Vec<_> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!(entities.iter().map(|line| line["event"]["entityId"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
}
