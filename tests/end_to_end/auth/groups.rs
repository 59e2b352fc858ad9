//! Consumer groups with authentication.

use serde_json::json;

use super::{guarded, guarded_config};
use crate::harness::tokens::{claims, token};
use crate::harness::{Client, System, room};

async fn member(system: &System, subject: &str) -> Client {
    let mut claims = claims("demo");
    claims["sub"] = json!(subject);
    let bearer = format!("Bearer {}", token(&claims));
    let url = system.url("tenant=demo&group_id=billing-worker");
    Client::connect(&url, &[("authorization", &bearer)]).await.unwrap()
}

/// The ids of the events that a client has received.
async fn received(client: &mut Client, system: &System) -> Vec<String> {
    system.local.settled().await;
    let mut ids = Vec::new();
    let mut frame = client.ask(&json!({ "action": "ping" })).await;
    while frame["type"] != "pong" {
        ids.push(frame["entityId"].as_str().unwrap().to_owned());
        frame = client.json().await;
    }
    ids
}

/// Any user of the tenant can name a group, and takes no event from the group of another user.
#[tokio::test]
async fn a_group_of_another_subject_is_another_group() {
    let system = guarded(&[]).await;
    let mut workers = [member(&system, "key-of-billing").await, member(&system, "key-of-billing").await];
    let mut stranger = member(&system, "mallory").await;
    let events: Vec<String> = (0..30).map(|number| format!("event{number:02}")).collect();
    for id in &events {
        system.publish(&room("demo", id)).await;
    }
    let mut of_stranger = received(&mut stranger, &system).await;
    of_stranger.sort();
    assert_eq!(of_stranger, events, "a group of one");
    let shares = [received(&mut workers[0], &system).await, received(&mut workers[1], &system).await];
    assert!(shares.iter().all(|share| !share.is_empty()), "both members work: {shares:?}");
    let mut together = shares.concat();
    together.sort();
    assert_eq!(together, events, "each event reaches one worker");
}

#[tokio::test]
async fn a_member_that_authenticates_in_band_joins_the_group_of_its_subject() {
    let config = guarded_config(&[("AUTH_IN_BAND", "true")]);
    let system = System::start_with(config).await;
    let mut first = member(&system, "worker").await;
    let mut claims = claims("demo");
    claims["sub"] = json!("worker");
    let mut second = system.connect("tenant=demo&group_id=billing-worker").await;
    let answer = second.ask(&json!({ "action": "authenticate", "token": token(&claims) })).await;
    assert_eq!(answer["type"], "authenticated", "{answer}");
    let events: Vec<String> = (0..30).map(|number| format!("event{number:02}")).collect();
    for id in &events {
        system.publish(&room("demo", id)).await;
    }
    let mut together = received(&mut first, &system).await;
    together.extend(received(&mut second, &system).await);
    together.sort();
    assert_eq!(together, events, "each event reaches one member");
}
