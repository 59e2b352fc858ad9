use entity_stream_local::Config;
use entity_stream_protocol::{EpochMillis, Position};
use entity_stream_runtime::Environment;
use serde_json::{Value, json};

use super::place::Place;
use crate::harness::{Hands, System, config, room};

fn with(minutes: &'static str, hands: &Hands) -> Config {
    let environment = Environment::new(move |name| (name == "HISTORY_MINUTES").then(|| minutes.to_owned()));
    Config { environment, clock: hands.clock(), ..config() }
}

fn verdict(answer: &Value) -> (&Value, &Value) {
    assert_eq!(answer["type"], "subscribed", "{answer}");
    (&answer["recovered"], &answer["reason"])
}

#[tokio::test]
async fn a_client_that_returns_after_the_history_has_ended_is_told_so() {
    let hands = Hands::default();
    let system = System::start_with(with("1", &hands)).await;
    let mut client = system.connect("tenant=demo").await;
    let mut place = Place::of(&mut client).await;
    system.publish(&room("demo", "r")).await;
    place.receive(&mut client, 1).await;
    drop(client);
    system.until_no_connection_is_registered().await;
    system.publish(&room("demo", "missed")).await;
    system.local.settled().await;

    hands.forward(50);
    let mut client = system.connect("tenant=demo").await;
    assert_eq!(verdict(&place.clone().resume(&mut client).await), (&json!(true), &Value::Null));
    hands.forward(11);
    let seen = place.seen.len();
    let mut client = system.connect("tenant=demo").await;
    assert_eq!(verdict(&place.resume(&mut client).await), (&json!(false), &json!("expired")));
    assert_eq!(place.seen.len(), seen, "nothing is replayed");
    // It goes on from here.
    system.publish(&room("demo", "later")).await;
    place.receive(&mut client, seen + 1).await;
    hands.forward(30);
    let mut client = system.connect("tenant=demo").await;
    assert_eq!(verdict(&place.resume(&mut client).await), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn more_events_than_are_replayed_are_too_many() {
    let system = System::start_with(with("60", &Hands::default())).await;
    let entry = crate::harness::entry(&room("demo", "r").to_string());
    for _ in 0..31 {
        system.put_events(vec![entry.clone(); 10]).await;
    }
    system.local.settled().await;
    for (query, recovered) in [("tenant=demo", false), ("tenant=demo&batch=true", true)] {
        let mut client = system.connect(query).await;
        let mut place = Place::default();
        let answer = place.ask(&mut client, &json!({ "action": "subscribe", "since": { "seconds": 10 } })).await;
        assert_eq!(answer["recovered"], recovered, "{query}: {answer}");
        assert_eq!(place.seen.len(), if recovered { 310 } else { 0 }, "all or nothing");
    }
}

#[tokio::test]
async fn a_place_of_another_service_is_unknown() {
    let system = System::start().await;
    let far = Position::new(EpochMillis::new(i64::MAX / 2), 0).to_string();
    for position in ["another-form/1", &far] {
        let mut client = system.connect("tenant=demo").await;
        let mut place = Place { position: position.to_owned(), session: "s".to_owned(), ..Place::default() };
        let answer = place.resume(&mut client).await;
        assert_eq!(verdict(&answer), (&json!(false), &json!("unknown_position")));
        assert!(answer["position"].is_string(), "where to go on: {answer}");
    }
}

#[tokio::test]
async fn without_a_history_there_is_no_place() {
    let system = System::start_with(with("0", &Hands::default())).await;
    let mut client = system.connect("tenant=demo").await;
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.json().await.get("position"), None);
    let answer = client.ask(&json!({ "action": "subscribe", "requestId": "1" })).await;
    assert_eq!(answer, json!({ "type": "subscribed", "requestId": "1" }));
    let answer = client.ask(&json!({ "action": "subscribe", "since": { "seconds": 1 } })).await;
    assert_eq!(answer, json!({ "type": "subscribed", "recovered": false, "reason": "unavailable" }));
    let answer = client.ask(&json!({ "action": "sync" })).await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("not_available")));
}

#[tokio::test]
async fn a_malformed_since_is_refused_and_changes_nothing() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&entityTypes=Car").await;
    for since in [json!(30), json!({}), json!({ "seconds": -1 }), json!({ "position": "x" }), json!([])] {
        let answer = client.ask(&json!({ "action": "subscribe", "since": since })).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("invalid_since")), "{answer}");
    }
    system.publish(&room("demo", "r")).await;
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn members_of_a_group_have_no_place() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&group_id=team").await;
    let answer = client.ask(&json!({ "action": "subscribe", "requestId": "1" })).await;
    assert_eq!(answer, json!({ "type": "subscribed", "requestId": "1" }));
    let answer = client.ask(&json!({ "action": "subscribe", "since": { "seconds": 1 } })).await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("not_available")));
}
