//! `listen --forward-to`: each event reaches the receiver, in order, or is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use entity_stream_local::Local;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::http::{HeaderMap, StatusCode};

use crate::harness::{PATIENCE, listen, run, run_with, start, start_with, system};

/// A receiver that answers with these statuses, and with 204 after them.
struct Hook {
    url: String,
    posts: mpsc::UnboundedReceiver<(HeaderMap, String)>,
}

type Script = Arc<(Mutex<VecDeque<u16>>, mpsc::UnboundedSender<(HeaderMap, String)>)>;

async fn answer(
    State(script): State<Script>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, [(&'static str, &'static str); 1]) {
    let status = script.0.lock().unwrap().pop_front().unwrap_or(204);
    script.1.send((headers, body)).unwrap();
    (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")])
}

impl Hook {
    async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?secret=1", listener.local_addr().unwrap());
        let (sender, posts) = mpsc::unbounded_channel();
        let script: Script = Arc::new((Mutex::new(statuses.iter().copied().collect()), sender));
        let router = Router::new().route("/hook", post(answer)).with_state(script);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, posts }
    }

    /// The next post: its headers and the id of its entity.
    async fn post(&mut self) -> (HeaderMap, Value) {
        let (headers, body) = timeout(PATIENCE, self.posts.recv()).await.expect("a post comes").unwrap();
        (headers, serde_json::from_str(&body).unwrap())
    }

    async fn entity(&mut self) -> String {
        self.post().await.1["entityId"].as_str().unwrap().to_owned()
    }
}

async fn publish(system: &Local, entity: &str) {
    let args = ["publish", "demo", "--type", "entityDeleted", "--entity-type", "Room", "--entity-id", entity];
    let ended = run(&[&args[..], &["--target", &system.http_url()]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_failed_post_is_repeated_and_the_order_is_kept() {
    let (system, mut hook) = (system().await, Hook::start(&[500, 429, 408, 204]).await);
    let args = ["--output", "none", "--count", "2", "--forward-to", &hook.url];
    let mut listener = listen(&system, "demo", &args).await;
    publish(&system, "a").await;
    publish(&system, "b").await;
    let (headers, event) = hook.post().await;
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["entity-stream-event-id"], event["id"].as_str().unwrap());
    assert_eq!(headers["entity-stream-tenant"], "demo");
    assert_eq!((event["entityId"].as_str(), event["type"].as_str()), (Some("a"), Some("entityDeleted")));
    for expected in ["a", "a", "a", "b"] {
        assert_eq!(hook.entity().await, expected);
    }
    let said = listener.says("cannot forward to http://127.0.0.1").await;
    assert!(said.contains("it answers 500; trying again in 0.") && !said.contains("secret"), "{said}");
    assert!(!said.contains("in 0.0 s"), "a receiver that asks for no pause gets one: {said}");
    listener.says("2 events forwarded").await;
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn every_post_has_the_headers_of_the_file() {
    let (system, mut hook) = (system().await, Hook::start(&[503]).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("headers");
    std::fs::write(&file, "Authorization: Bearer hidden\nUser-Agent: city\n").unwrap();
    let path = file.to_str().unwrap();
    let more = ["--output", "none", "--count", "1", "--forward-to", &hook.url, "--forward-headers", path];
    let mut listener = listen(&system, "demo", &more).await;
    publish(&system, "a").await;
    for _ in 0..2 {
        let (headers, _) = hook.post().await;
        assert_eq!(
            (&headers["authorization"], &headers["user-agent"]),
            (&"Bearer hidden".parse().unwrap(), &"city".parse().unwrap())
        );
        assert_eq!(headers["content-type"], "application/json");
    }
    listener.says("1 event forwarded").await;
    assert_eq!(listener.exit().await.code(), Some(0));
    std::fs::write(&file, "Bearer hidden\n").unwrap();
    let ended = run(&["listen", "demo", "--forward-to", "http://192.0.2.1/", "--forward-headers", path]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("line 1: expected a header") && !ended.stderr.contains("hidden"), "{ended:?}");
    std::fs::write(&file, "A: b\n").unwrap();
    let elsewhere = ["--forward-to", "http://192.0.2.1/", "--forward-headers", path, "--target"];
    let mut listener = start(&[&["listen", "demo"][..], &elsewhere, &[&system.http_url()]].concat());
    listener.says("warning: the headers of --forward-headers are sent unencrypted").await;
    listener.signal("INT").await;
    assert_eq!(run(&["listen", "demo", "--forward-headers", path]).await.code, Some(2));
}

#[tokio::test]
async fn a_refused_event_is_skipped_and_the_exit_code_says_so() {
    let (system, mut hook) = (system().await, Hook::start(&[422, 204]).await);
    let more = ["--output", "none", "--count", "2", "--format", "cloudevents", "--forward-to", &hook.url];
    let mut listener = listen(&system, "demo", &more).await;
    publish(&system, "a").await;
    publish(&system, "b").await;
    let (headers, event) = hook.post().await;
    assert_eq!(headers["content-type"], "application/cloudevents+json");
    assert_eq!((event["specversion"].as_str(), event["data"]["entityId"].as_str()), (Some("1.0"), Some("a")));
    assert_eq!(hook.post().await.1["data"]["entityId"], "b");
    listener.says(" refused the event ").await;
    listener.says("1 event forwarded, 1 skipped").await;
    listener.says("refused 1 event").await;
    assert_eq!(listener.exit().await.code(), Some(1));
}

#[tokio::test]
async fn the_place_moves_only_when_the_receiver_has_the_event() {
    let (system, mut hook) = (system().await, Hook::start(&[204, 503, 503, 503, 503, 503, 503, 503]).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("place.json");
    let more = ["--output", "none", "--resume", file.to_str().unwrap(), "--forward-to", &hook.url];
    let mut listener = listen(&system, "demo", &more).await;
    for entity in ["a", "b", "c"] {
        publish(&system, entity).await;
    }
    assert_eq!([hook.entity().await, hook.entity().await], ["a", "b"]);
    listener.says("it answers 503").await;
    listener.signal("INT").await;
    listener.says("the next command continues there").await;
    assert_eq!(listener.exit().await.code(), Some(0));
    let mut hook = Hook::start(&[]).await;
    let url = system.websocket_url();
    let mut listener = start(
        &[&["listen", "demo", "--url", &url, "--resume", file.to_str().unwrap(), "--forward-to"][..], &[&hook.url]]
            .concat(),
    );
    let mut entities = vec![hook.entity().await];
    while entities.last().unwrap() != "c" {
        entities.push(hook.entity().await);
    }
    // Events of the last seconds before the place can come again.
    assert!(entities.ends_with(&["b".to_owned(), "c".to_owned()]), "{entities:?}");
    listener.signal("INT").await;
    assert_eq!(listener.exit().await.code(), Some(0));
}

/// As in a small container.
const NO_CERTIFICATES: [(&str, &str); 2] = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];

#[tokio::test]
async fn a_receiver_without_tls_needs_no_certificates() {
    let (system, mut hook) = (system().await, Hook::start(&[]).await);
    let args = ["listen", "demo", "--url", &system.websocket_url(), "--count", "1", "--forward-to", &hook.url];
    let mut listener = start_with(&args, &NO_CERTIFICATES);
    listener.says("listening to demo").await;
    publish(&system, "a").await;
    assert_eq!(hook.entity().await, "a");
    assert_eq!(listener.exit().await.code(), Some(0));
    let ended = run_with(&["listen", "demo", "--forward-to", "https://localhost/x"], &NO_CERTIFICATES, "").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected =
        "error: this machine has no root certificates, which https:// needs; install the package ca-certificates";
    assert!(ended.stderr.starts_with(expected), "{ended:?}");
}

#[tokio::test]
async fn a_stream_with_tls_says_that_certificates_are_missing() {
    let system = system().await;
    let url = system.websocket_url().replace("ws:", "wss:");
    let ended = run_with(&["listen", "demo", "--url", &url], &NO_CERTIFICATES, "").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("this machine has no root certificates; install the package"), "{ended:?}");
    let ended = run_with(&["doctor", "demo", "--url", &url, "--no-publish"], &NO_CERTIFICATES, "").await;
    assert!(ended.stdout.contains("✗ TLS          this machine has no root certificates"), "{ended:?}");
}

#[tokio::test]
async fn without_a_place_the_exit_code_tells_what_did_not_arrive() {
    let system = system().await;
    let more = ["--output", "none", "--forward-to", "http://127.0.0.1:9/"];
    let mut listener = listen(&system, "demo", &more).await;
    publish(&system, "a").await;
    listener.says("cannot forward to http://127.0.0.1:9: ").await;
    listener.signal("INT").await;
    listener.says("error: ended before 1 event reached http://127.0.0.1:9; with --resume FILE").await;
    assert_eq!(listener.exit().await.code(), Some(1));
    for (url, expected) in [
        ("localhost/hidden", "--forward-to must be a URL such as https://example.com/hook"),
        ("htps://a:hidden@localhost", "--forward-to must be a URL such as https://example.com/hook"),
        ("http://a:b@localhost", "--forward-to takes no user name and no password"),
    ] {
        let ended = run(&["listen", "demo", "--forward-to", url]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(expected) && !ended.stderr.contains("hidden"), "{ended:?}");
    }
}
