//! Messages, events and the end of a connection at the same time, in all orders.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::harness::{Functions, Hands, Reply, System, envelope, lambda_event, room};
use crate::receivers::{Receivers, connection, id_of, ids, register};

const RUNS: usize = 2_000;

fn message(id: &str, body: &Value) -> String {
    json!({
        "requestContext": {
            "routeKey": "$default", "eventType": "MESSAGE", "connectionId": id, "requestId": "r", "stage": "local",
            "connectedAt": 1_767_000_000_000_u64, "requestTimeEpoch": 1_767_000_000_000_u64, "apiId": "api",
            "domainName": "localhost", "identity": { "sourceIp": "127.0.0.1" },
        },
        "body": body.to_string(), "isBase64Encoded": false,
    })
    .to_string()
}

fn end(id: &str) -> String {
    json!({
        "requestContext": {
            "routeKey": "$disconnect", "eventType": "DISCONNECT", "connectionId": id, "requestId": "r", "stage": "local",
            "connectedAt": 1_767_000_000_000_u64, "requestTimeEpoch": 1_767_000_000_000_u64, "apiId": "api",
            "domainName": "localhost", "identity": { "sourceIp": "127.0.0.1" }, "disconnectStatusCode": 1001,
        },
        "isBase64Encoded": false,
    })
    .to_string()
}

/// Yields to other tasks a number of times.
async fn after_a_while() {
    for _ in 0..fastrand::usize(..30) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_connection_leaves_no_item_behind() {
    let (system, hands) = (System::start().await, Hands::default());
    let ended: Arc<Mutex<HashSet<String>>> = Arc::default();
    let known = Arc::clone(&ended);
    let receivers =
        Receivers::with(move |asked| known.lock().unwrap().contains(&id_of(asked)).then(|| Reply::status(410))).await;
    let functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    // One connection stays. Its items never change, whatever happens to the others.
    let started = hands.clock().now();
    register(&functions.table, [connection("survivor", started, None)]).await;
    let survivor = system.items().await;
    hands.forward(31);

    let filters = [
        json!({ "action": "subscribe", "entityTypes": ["Room"] }),
        json!({ "action": "subscribe", "entityTypes": ["Room", "Sensor", "Car"] }),
        json!({ "action": "subscribe", "idPattern": "^r" }),
        json!({ "action": "subscribe" }),
        json!({ "action": "unsubscribe" }),
    ];
    stream::iter(ids("run", RUNS).into_iter().enumerate())
        .for_each_concurrent(8, async |(n, id)| {
            register(&functions.table, [connection(&id, started, (n % 3 == 0).then_some("team"))]).await;
            let subscribe = async || {
                after_a_while().await;
                let filter = &filters[fastrand::usize(..filters.len())];
                functions.default.handle(lambda_event(&message(&id, filter))).await.unwrap();
            };
            let disconnect = async {
                after_a_while().await;
                ended.lock().unwrap().insert(id.clone());
                after_a_while().await;
                // `$disconnect` may never arrive. The next event for the connection then removes it.
                if n % 4 != 0 {
                    functions.disconnect.handle(lambda_event(&end(&id))).await.unwrap();
                }
            };
            let publish = async {
                after_a_while().await;
                functions.broadcast(&envelope(&format!("e{n}"), &room("demo", "r1")), 60).await.unwrap();
            };
            tokio::join!(subscribe(), subscribe(), disconnect, publish);
        })
        .await;

    // The last event finds all connections without `$disconnect`. Unsubscribed ones are not found, and expire.
    functions.broadcast(&envelope("last", &room("demo", "r1")), 60).await.unwrap();
    let text = |item: &std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>, name: &str| {
        item[name].as_s().unwrap().clone()
    };
    let mut unreported = 0;
    for item in system.items().await {
        let (pk, sk) = (text(&item, "pk"), text(&item, "sk"));
        if survivor.contains(&item) {
            continue;
        }
        let id = pk.strip_prefix("C#").unwrap_or_else(|| panic!("an interest without a connection: {pk} {sk}"));
        assert!(item["subscriptions"].as_l().unwrap().is_empty(), "an event found {id} and did not remove it");
        assert!(item.contains_key("expiresAt"));
        unreported += 1;
    }
    assert!(unreported <= RUNS / 4, "{unreported}");
    for item in &survivor {
        assert!(system.items().await.contains(item), "the live connection keeps its items");
    }
}
