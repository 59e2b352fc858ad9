//! The exchanges of many connections at once. Each can read and deliver 16 MB, so they take turns as requests for past events do.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity_stream_connections::Connection;
use entity_stream_protocol::ConnectionId;
use entity_stream_testing::{Asked, Endpoint, Reply, dynamodb_url};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::support::{HISTORY, Setting};

/// The exchanges that may go on at once.
const TURNS: usize = 64;
const EXCHANGES: usize = TURNS + 6;

/// The connections to which past events are being delivered.
#[derive(Default)]
struct Deliveries {
    going_on: HashSet<String>,
    most: usize,
}

#[tokio::test]
async fn exchanges_take_turns_until_their_events_are_delivered() {
    let (gate, deliveries) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Deliveries::default())));
    let (is_full, mut full) = watch::channel(false);
    let (gate_of_events, seen) = (Arc::clone(&gate), Arc::clone(&deliveries));
    let api = Endpoint::new(move |asked: &Asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap();
        let mut deliveries = seen.lock().unwrap();
        match message["type"].as_str() {
            Some("entityUpdated") => {
                deliveries.going_on.insert(asked.path.clone());
                deliveries.most = deliveries.most.max(deliveries.going_on.len());
                if deliveries.going_on.len() >= TURNS {
                    is_full.send_replace(true);
                }
                Reply::When(Arc::clone(&gate_of_events), Box::new(Reply::status(200)))
            }
            Some("subscribed") => {
                deliveries.going_on.remove(&asked.path);
                // On a slow machine, a delivery may end before the last one begins.
                is_full.send_replace(true);
                Reply::status(200)
            }
            _ => Reply::status(200),
        }
    });
    let setting = Arc::new(Setting::prepared(dynamodb_url(), HISTORY, api.await).await);
    let mut connections = Vec::new();
    for i in 0..=EXCHANGES {
        let id = ConnectionId::parse(format!("Qw7LqXg9I{i:06}=")).unwrap();
        connections.push(setting.register_as(|connection| Connection { id, ..connection }).await);
    }
    let other = connections.pop().unwrap();
    setting.hands.forward(60);
    setting.past("e", setting.now().minus(Duration::from_secs(5)), &json!({})).await;

    let mut exchanges = JoinSet::new();
    for connection in connections {
        let setting = Arc::clone(&setting);
        exchanges.spawn(async move {
            let exchange = json!({ "action": "subscribe", "entityTypes": ["Room"], "requestId": "1" });
            setting.send(&connection, &exchange).await.unwrap();
        });
    }
    full.wait_for(|is_full| *is_full).await.unwrap();
    // The time for an exchange that does not wait for its turn.
    for _ in 0..100 {
        setting.send(&other, &json!({ "action": "ping" })).await.unwrap();
    }
    gate.add_permits(10 * EXCHANGES);
    while let Some(exchange) = exchanges.join_next().await {
        exchange.unwrap();
    }

    assert!(deliveries.lock().unwrap().most <= TURNS, "{} at once", deliveries.lock().unwrap().most);
    let answers = setting.answers().into_iter().filter(|answer| answer["type"] == "subscribed");
    assert_eq!(answers.count(), EXCHANGES, "every exchange is answered");
}
