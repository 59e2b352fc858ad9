//! Clients connect, subscribe and leave while events flow.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{System, room};

/// Publishes numbered events until it is stopped. Tells the number of published events.
async fn publish(system: &System, next: &AtomicU64, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        // The number is stored before its event is published, so the events of all later numbers are published after a reader
        // sees it.
        let number = next.fetch_add(1, Ordering::SeqCst);
        system.publish(&room("demo", &format!("n{number}"))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_published_after_subscribed_was_read_arrives() {
    const LISTENED_TO: u64 = 15;
    let (system, next, stop) = (System::start().await, AtomicU64::new(0), AtomicBool::new(false));
    let listen = async |n: usize| {
        for round in 0..3 {
            let mut client = system.connect(&format!("tenant=demo&entityTypes=Nothing{n}")).await;
            client.send(json!({ "action": "subscribe", "entityTypes": ["Room"], "requestId": "s" }).to_string()).await;
            let mut seen = HashSet::new();
            let from = loop {
                let frame = client.json().await;
                match frame["entityId"].as_str() {
                    // The filter is in force a moment before the answer is read.
                    Some(id) => seen.insert(id.to_owned()),
                    None => {
                        assert_eq!(frame["type"], json!("subscribed"), "{frame}");
                        // One number may be stored whose event is not published yet.
                        break next.load(Ordering::SeqCst);
                    }
                };
            };
            let mut missing: HashSet<_> = (from..from + LISTENED_TO).map(|n| format!("n{n}")).collect();
            missing.retain(|id| !seen.contains(id));
            while !missing.is_empty() {
                missing.remove(&client.event_id().await);
            }
            // Some clients close their connection, others drop it.
            if (n + round).is_multiple_of(2) {
                client.close().await;
            }
        }
    };
    let listeners = async {
        join_all((0..12).map(listen)).await;
        stop.store(true, Ordering::SeqCst);
    };
    tokio::join!(publish(&system, &next, &stop), listeners);
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
}
