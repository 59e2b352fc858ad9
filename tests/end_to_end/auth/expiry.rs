//! A connection is never authorised for longer than its token.

use std::collections::BTreeSet;

use entity_stream_local::Config;
use entity_stream_protocol::ErrorCode;
use serde_json::json;

use super::{guarded_config, open};
use crate::harness::tokens::user_until;
use crate::harness::{Client, Hands, System, room};

/// A system with a clock that the test moves, and a client with a token for one minute.
async fn setting(query: &str) -> (System, Hands, Client) {
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(&[]) }).await;
    let token = minute(&hands, "alice", 1);
    let client = open(&system, query, &token).await.unwrap();
    (system, hands, client)
}

fn minute(hands: &Hands, subject: &str, minutes: u64) -> String {
    user_until("demo", subject, hands.clock().now().plus(std::time::Duration::from_secs(60 * minutes)))
}

fn authenticate(token: &str) -> serde_json::Value {
    json!({ "action": "authenticate", "token": token, "requestId": "a" })
}

#[tokio::test]
async fn after_exp_nothing_is_delivered_and_the_connection_is_closed() {
    let (system, hands, mut client) = setting("demo").await;
    system.publish(&room("demo", "before")).await;
    assert_eq!(client.event_id().await, "before");
    hands.forward(61);
    system.publish(&room("demo", "after")).await;
    let (code, _) = client.closed_at_once().await;
    assert_eq!(code, 1000, "@connections can close with 1000 only");
    system.until_no_connection_is_registered().await;
}

#[tokio::test]
async fn an_expired_connection_can_neither_subscribe_nor_renew() {
    let (system, hands, mut client) = setting("demo").await;
    hands.forward(61);
    let answer = client.ask(&json!({ "action": "subscribe", "requestId": "1" })).await;
    assert_eq!(answer["code"], json!(ErrorCode::Unauthorized), "{answer}");
    let answer = client.ask(&authenticate(&minute(&hands, "alice", 1))).await;
    assert_eq!(answer["code"], json!(ErrorCode::Unauthorized), "the renewal is too late: {answer}");
    system.publish(&room("demo", "after")).await;
    client.closed_at_once().await;
}

#[tokio::test]
async fn a_connection_that_renews_keeps_its_filter_and_misses_nothing() {
    let (system, hands, mut client) = setting("demo&entityTypes=Room,Sensor&idPattern=%5Er&group_id=g").await;
    let before = system.table().find(&system.only_connection().await, hands.clock().now()).await.unwrap().unwrap();
    hands.forward(30);
    let until = hands.clock().now().plus(std::time::Duration::from_secs(300));
    let answer = client.ask(&authenticate(&user_until("demo", "alice", until))).await;
    let expected = json!({ "type": "authenticated", "expiresAt": until.to_rfc3339(), "requestId": "a" });
    assert_eq!(answer, expected);
    let after = system.table().find(&before.id, hands.clock().now()).await.unwrap().unwrap();
    assert_eq!(
        (after.subscriptions, after.group),
        (before.subscriptions, before.group),
        "subscriptions and group are unchanged"
    );
    hands.forward(60);
    for id in ["x", "r1"] {
        system.publish(&room("demo", id)).await;
    }
    assert_eq!(client.event_id().await, "r1", "the filter is still in force after the first token's end");
    hands.forward(300);
    system.publish(&room("demo", "r2")).await;
    client.closed_at_once().await;
}

#[tokio::test]
async fn while_events_flow_a_renewal_loses_none() {
    let (system, hands, mut client) = setting("demo").await;
    let (mut published, mut received) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let id = format!("r{round}");
        let (detail, renewal) = (room("demo", &id), authenticate(&minute(&hands, "alice", 1)));
        tokio::join!(system.publish(&detail), client.send(renewal.to_string()));
        published.push(id);
        // The event may arrive before or after the answer. The clock moves on once the renewal is in force.
        loop {
            let frame = client.json().await;
            match frame["entityId"].as_str() {
                Some(id) => received.push(id.to_owned()),
                None => break assert_eq!(frame["type"], json!("authenticated"), "{frame}"),
            }
        }
        hands.forward(40);
    }
    // The clock moves by more than the time of an attempt, so an attempt that is under way fails, and its retry delivers again.
    let all: BTreeSet<_> = published.into_iter().collect();
    while !received.iter().cloned().collect::<BTreeSet<_>>().is_superset(&all) {
        received.push(client.event_id().await);
    }
}

#[tokio::test]
async fn a_renewal_is_for_the_same_subject_and_a_tenant_that_is_still_allowed() {
    let (system, hands, mut client) = setting("demo").await;
    let until = hands.clock().now().plus(std::time::Duration::from_secs(600));
    for (token, code) in [
        (minute(&hands, "mallory", 5), ErrorCode::Forbidden),
        (user_until("other", "alice", until), ErrorCode::Forbidden),
        (minute(&hands, "alice", 0), ErrorCode::Unauthorized),
        ("nonsense".to_owned(), ErrorCode::Unauthorized),
        ("eyJhbGciOiJub25lIn0.e30.".to_owned(), ErrorCode::Unauthorized),
    ] {
        let answer = client.ask(&authenticate(&token)).await;
        assert_eq!((&answer["code"], &answer["requestId"]), (&json!(code), &json!("a")), "{answer}");
        assert!(!answer.to_string().contains("eyJ"));
    }
    hands.forward(61);
    system.publish(&room("demo", "after")).await;
    client.closed_at_once().await;
}

#[tokio::test]
async fn an_expired_connection_does_not_delay_the_others() {
    let (system, hands, mut client) = setting("demo").await;
    let mut other = open(&system, "demo", &minute(&hands, "bob", 10)).await.unwrap();
    hands.forward(61);
    system.publish(&room("demo", "after")).await;
    assert_eq!(other.event_id().await, "after");
    client.closed_at_once().await;
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
}

#[tokio::test]
async fn the_next_member_of_a_group_gets_the_event_of_an_expired_one() {
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(&[]) }).await;
    let mut lasting = open(&system, "demo&group_id=g", &minute(&hands, "bob", 60)).await.unwrap();
    let mut brief = open(&system, "demo&group_id=g", &minute(&hands, "alice", 1)).await.unwrap();
    hands.forward(61);
    for n in 0..10 {
        system.publish(&room("demo", &format!("r{n}"))).await;
    }
    for _ in 0..10 {
        lasting.event_id().await;
    }
    brief.closed_at_once().await;
}
