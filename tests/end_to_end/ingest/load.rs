//! Many notifications at once. The long checks have a minute of them.

use std::collections::BTreeSet;
use std::time::Duration;

use entity_stream_local::{Config, FunctionHost, FunctionNames, QueueCapacity, SocketLimits};
use futures_util::future::join_all;
use serde_json::json;

use super::{ORION, notify, v2};
use crate::harness::{Client, Endpoint, Reply, System, config};

fn ten(notification: usize) -> String {
    v2(&(0..10).map(|i| json!({ "id": format!("{notification}-{i}"), "type": "Room", "n": i })).collect::<Vec<_>>())
}

fn all(notifications: usize) -> BTreeSet<String> {
    (0..notifications).flat_map(|number| (0..10).map(move |i| format!("{number}-{i}"))).collect()
}

/// Receives until every id was there.
async fn received(client: &mut Client, expected: &BTreeSet<String>) {
    let mut missing = expected.clone();
    while !missing.is_empty() {
        missing.remove(&client.event_id().await);
    }
}

#[tokio::test]
async fn notifications_at_once_all_arrive() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let senders = (0..12).map(async |number| notify(&system, &ORION, ten(number)).await.status);
    let expected = all(12);
    let (statuses, ()) = tokio::join!(join_all(senders), received(&mut client, &expected));
    assert!(statuses.iter().all(|status| *status == 204), "{statuses:?}");
}

#[tokio::test]
async fn a_system_that_publishes_as_many_as_it_can_says_so_at_once() {
    let sockets = SocketLimits { notifications: 0, ..SocketLimits::default() };
    let system = System::start_with(Config { sockets, ..config() }).await;
    let answer = notify(&system, &ORION, ten(1)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(super::name_and_detail(&answer).0, "busy");
}

#[tokio::test]
async fn a_throttled_function_is_a_429_that_says_when_to_come_back() {
    let lambda = Endpoint::script([Reply::status(429)]).await;
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names: FunctionNames::default() };
    let system = System::start_with(Config { functions, ..config() }).await;
    let answer = notify(&system, &ORION, ten(1)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("5")));
}

#[tokio::test]
async fn beyond_the_capacity_a_sender_is_told_when_to_come_back_and_nothing_is_lost() {
    // One tenant can use half of it: 20 events.
    let queue = QueueCapacity { events: 40, ..QueueCapacity::default() };
    let system = System::start_with(Config { queue, ..config() }).await;
    let mut client = system.connect("tenant=city").await;
    let senders = (0..25).map(async |number| {
        let mut refused = 0;
        loop {
            let answer = notify(&system, &ORION, ten(number)).await;
            match answer.status {
                204 => return refused,
                503 => assert_eq!(answer.header("retry-after"), Some("5")),
                status => panic!("{status}: {answer:?}"),
            }
            refused += 1;
            // A sender waits for longer. The queue has room again at once.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let expected = all(25);
    tokio::join!(join_all(senders), received(&mut client, &expected));
}
