//! Brokers that send 100 notifications of 10 entities a second.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use crate::harness::{Client, System, request};

/// The time between two notifications.
const PACE: Duration = Duration::from_millis(10);
const ENTITIES: usize = 10;

/// The seconds for which notifications are sent. The long checks have a minute of them.
fn seconds() -> usize {
    std::env::var("ENTITY_STREAM_NOTIFY_SECONDS").ok().and_then(|number| number.parse().ok()).unwrap_or(2)
}

fn notification(number: usize) -> String {
    let entity = |i: usize| {
        json!({
            "id": format!("{number}-{i}"), "type": "Room",
            "temperature": { "type": "Number", "value": number, "metadata": {} },
        })
    };
    json!({ "subscriptionId": "1", "data": (0..ENTITIES).map(entity).collect::<Vec<_>>() }).to_string()
}

/// Sends a notification until it is accepted. Returns how often it was told to come back.
async fn send(url: String, number: usize) -> usize {
    let body = notification(number);
    let headers = [("content-type", "application/json"), ("fiware-service", "city")];
    let mut refused = 0;
    loop {
        let answer = request("POST", &url, &headers, body.clone()).await;
        match answer.status {
            204 => return refused,
            503 => {
                let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                refused += 1;
                sleep(Duration::from_secs(seconds)).await;
            }
            status => panic!("{status}: {}", answer.text()),
        }
    }
}

/// Receives until every entity was there. It fails if nothing arrives for a while.
async fn receive(client: &mut Client, number: usize) -> usize {
    let (mut seen, mut repeats) = (HashSet::new(), 0);
    while seen.len() < number {
        let message = client.json().await;
        let events = match message["type"].as_str() {
            Some("events") => message["events"].as_array().unwrap().clone(),
            _ => vec![message],
        };
        for event in events {
            repeats += usize::from(!seen.insert(id_of(&event)));
        }
    }
    repeats
}

fn id_of(event: &Value) -> String {
    event["entityId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_notifications_a_second_all_arrive() {
    let (system, number) = (System::start().await, seconds() * 100);
    let mut client = system.connect("tenant=city&batch=true").await;
    let url = format!("{}/notify", system.local.http_url());
    let sending = async {
        let (mut senders, mut pace) = (JoinSet::new(), interval(PACE));
        for notification in 0..number {
            pace.tick().await;
            senders.spawn(send(url.clone(), notification));
        }
        senders.join_all().await
    };
    let (refused, repeats) = tokio::join!(sending, receive(&mut client, number * ENTITIES));
    assert_eq!(refused.len(), number, "every notification was accepted in the end");
    let told = refused.iter().sum::<usize>();
    // A notification that was published in part is sent again as a whole.
    assert!(repeats <= told * ENTITIES, "{repeats} repeats after {told} answers with 503");
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
}
