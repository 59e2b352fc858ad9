//! Members of a consumer group.

use std::collections::HashSet;

use serde_json::json;

use crate::harness::{Running, listen, run, start, system};
use crate::server::WebSocketServer;

fn event(id: &str) -> String {
    json!({ "type": "entityUpdated", "id": id, "tenant": "demo", "servicePath": "/", "entityId": "urn:1",
        "entityType": "Room", "data": { "co2": 1 }, "timestamp": "2026-01-02T03:04:05Z" })
    .to_string()
}

#[tokio::test]
async fn members_of_a_group_share_the_stream() {
    let system = system().await;
    let group = ["--group", "workers", "--output", "json"];
    let (mut one, mut other) = (listen(&system, "demo", &group).await, listen(&system, "demo", &group).await);
    let args = ["simulate", "demo", "--count", "20", "--rate", "1000", "--endpoint-url", &system.http_url()];
    assert_eq!(run(&args).await.code, Some(0));
    let mut lines = std::collections::HashSet::new();
    for _ in 0..20 {
        lines.insert(tokio::select! { line = one.line() => line, line = other.line() => line });
    }
    assert_eq!(lines.len(), 20, "each event went to one of them");
}

/// The server has assigned events to a member until it has answered that the member left, and some arrive a little later.
#[tokio::test]
async fn a_member_leaves_its_group_and_prints_what_is_under_way() {
    let server = WebSocketServer::start().await;
    for (end, signal) in
        [(&["--count", "1"][..], None), (&["--timeout", "3s"], None), (&[], Some("INT")), (&[], Some("TERM"))]
    {
        let member = ["listen", "demo", "--url", &server.url, "--group", "workers", "--output", "json"];
        let mut listener = start(&[&member[..], end].concat());
        let mut client = server.accept().await;
        client.subscribed().await;
        client.send(&event("1")).await;
        assert_eq!(listener.line().await, event("1"));
        if let Some(signal) = signal {
            listener.signal(signal).await;
        }
        let farewell = client.message().await;
        assert_eq!(farewell["action"], "unsubscribe", "{farewell}");
        client.send(&event("2")).await;
        client.send(&json!({ "type": "unsubscribed", "requestId": farewell["requestId"] }).to_string()).await;
        client.send(&event("3")).await;
        assert!(client.closed().await, "it closes the connection in order");
        for id in ["2", "3"] {
            assert_eq!(listener.line().await, event(id), "{end:?} {signal:?}");
        }
        listener.says("leaving the group workers").await;
        listener.says("3 events in ").await;
        assert_eq!(listener.exit().await.code(), Some(0), "{end:?} {signal:?}");
    }
}

/// Reads lines to the end of the command, or up to the last of the expected ones.
async fn collect(member: &mut Running, lines: &mut HashSet<String>, expected: usize) {
    while lines.len() < expected {
        lines.insert(member.line().await);
    }
}

#[tokio::test]
async fn no_event_is_lost_when_a_member_leaves() {
    let system = system().await;
    let group = ["--group", "workers", "--output", "json"];
    let (mut leaver, mut other) = (listen(&system, "demo", &group).await, listen(&system, "demo", &group).await);
    let url = system.http_url();
    let args = ["simulate", "demo", "--count", "300", "--rate", "150", "--endpoint-url", &url];
    let publish = run(&args);
    let leave = async {
        let mut lines = HashSet::new();
        collect(&mut leaver, &mut lines, 20).await;
        leaver.signal("INT").await;
        while let Some(line) = leaver.rest().await {
            lines.insert(line);
        }
        assert_eq!(leaver.exit().await.code(), Some(0));
        lines
    };
    let (published, mut lines) = tokio::join!(publish, leave);
    assert_eq!(published.code, Some(0), "{published:?}");
    collect(&mut other, &mut lines, 300).await;
}

#[tokio::test]
async fn a_member_without_a_receiver_gets_no_advice_that_it_cannot_follow() {
    let system = system().await;
    let more = ["--output", "none", "--group", "workers", "--forward-to", "http://127.0.0.1:9/"];
    let mut listener = listen(&system, "demo", &more).await;
    let change = ["publish", "demo", "--type", "entityDeleted", "--entity-type", "Room", "--entity-id", "a"];
    assert_eq!(run(&[&change[..], &["--target", &system.http_url()]].concat()).await.code, Some(0));
    listener.says("cannot forward to http://127.0.0.1:9: ").await;
    listener.signal("INT").await;
    let said = listener.says("error: ended before 1 event reached http://127.0.0.1:9; ").await;
    assert!(said.ends_with("the other members of the group do not get them") && !said.contains("--resume"), "{said}");
    assert_eq!(listener.exit().await.code(), Some(1));
}
