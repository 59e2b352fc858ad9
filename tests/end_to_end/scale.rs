//! Many clients at once. `BENCHMARKS.md` has larger numbers.

use std::collections::HashMap;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use crate::harness::{System, room};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_clients_gets_each_event_exactly_once() {
    const CLIENTS: usize = 200;
    const EVENTS: usize = 20;
    let system = System::start().await;
    // A few at a time: a handshake that takes too long on a busy machine is told to try again later.
    let connecting = stream::iter(0..CLIENTS).map(|_| system.connect("tenant=demo")).buffer_unordered(8);
    let mut clients: Vec<_> = connecting.collect().await;
    let mut ids: Vec<String> = join_all((0..EVENTS).map(|n| {
        let detail = room("demo", &format!("urn:{n}"));
        let system = &system;
        async move { system.publish(&detail).await }
    }))
    .await;
    ids.sort();
    for client in &mut clients {
        let mut received = HashMap::<String, usize>::new();
        for _ in 0..EVENTS {
            *received.entry(client.json().await["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let mut received: Vec<String> = received.into_keys().collect();
        received.sort();
        assert_eq!(received, ids);
    }
    for client in &mut clients {
        client.nothing_more(&system).await;
    }
}
