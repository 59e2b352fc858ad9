//! Clients that do not take their replay. One that would get only a part is closed, and comes back with its former
//! position.

use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant};
use entity_stream_testing::{Asked, Endpoint, Reply, dynamodb_url};
use serde_json::{Value, json};

use crate::support::{HISTORY, Setting};

/// A connection that missed three events, and answers of `@connections` to the first, the second and the other messages.
async fn missed(replies: impl IntoIterator<Item = Reply>, close: Reply) -> (Setting, Connection) {
    let replies = std::sync::Mutex::new(replies.into_iter().collect::<std::collections::VecDeque<_>>());
    let api = Endpoint::new(move |asked: &Asked| {
        if asked.method == "DELETE" {
            return close.clone();
        }
        let mut replies = replies.lock().unwrap();
        if replies.len() > 1 { replies.pop_front().unwrap() } else { replies[0].clone() }
    });
    let setting = Setting::prepared(dynamodb_url(), HISTORY, api.await).await;
    let connection = setting.register(Authorisation::Open).await;
    for seconds in [3, 2, 1] {
        setting.past(&format!("e{seconds}"), setting.ago(seconds), &json!({})).await;
    }
    (setting, connection)
}

fn resume() -> Value {
    json!({ "action": "subscribe", "since": { "seconds": 60 }, "requestId": "1" })
}

fn types(setting: &Setting) -> Vec<Value> {
    setting.answers().into_iter().map(|answer| answer["type"].clone()).collect()
}

#[tokio::test]
async fn are_closed_and_get_no_answer() {
    let (setting, connection) = missed([Reply::status(200), Reply::status(400)], Reply::status(204)).await;
    setting.send(&connection, &resume()).await.unwrap();
    assert_eq!(types(&setting), ["entityUpdated", "entityUpdated"], "the rest is not sent");
    assert_eq!(setting.closed(), 1);
}

#[tokio::test]
async fn that_hang_are_closed_after_twelve_seconds() {
    let (setting, connection) = missed([Reply::status(200), Reply::Never], Reply::status(204)).await;
    let started = std::time::Instant::now();
    setting.send(&connection, &resume()).await.unwrap();
    assert!((11..20).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert!(types(&setting).iter().all(|kind| kind == "entityUpdated"));
    assert_eq!(setting.closed(), 1);
}

#[tokio::test]
async fn that_recover_get_everything() {
    let replies = [Reply::status(429), Reply::status(200), Reply::status(500), Reply::status(200)];
    let (setting, connection) = missed(replies, Reply::status(204)).await;
    setting.send(&connection, &resume()).await.unwrap();
    let mut ids: Vec<_> =
        setting.answers().iter().filter_map(|answer| answer["id"].as_str().map(str::to_owned)).collect();
    ids.dedup();
    assert_eq!(ids, ["e3", "e2", "e1"]);
    assert_eq!((setting.answers().last().unwrap()["recovered"].clone(), setting.closed()), (json!(true), 0));
}

#[tokio::test]
async fn that_cannot_be_closed_fail_the_invocation() {
    let (setting, connection) = missed([Reply::status(400)], Reply::status(400)).await;
    let failure = setting.send(&connection, &resume()).await.unwrap_err();
    assert_eq!(failure.kind, "ReplayNotDelivered", "{failure}");
}

#[tokio::test]
async fn that_have_ended_need_nothing() {
    let (setting, connection) = missed([Reply::status(410)], Reply::status(204)).await;
    setting.send(&connection, &resume()).await.unwrap();
    assert_eq!((types(&setting).len(), setting.closed()), (1, 0));
}

/// Nothing is replayed after the end of the right to receive it.
#[tokio::test]
async fn whose_token_expires_meanwhile_are_closed() {
    let slow = Reply::After(Duration::from_millis(1200), Box::new(Reply::status(200)));
    let (setting, connection) = missed([slow], Reply::status(204)).await;
    setting.table.forget(&connection.id).await.unwrap();
    let until = setting.now().plus(Duration::from_secs(3));
    let authorisation = Authorisation::Granted(Grant::new("alice", "user", Some(until)));
    let connection = Connection { authorisation, ..connection };
    setting.table.register(&connection).await.unwrap();
    let resume = json!({ "action": "subscribe", "since": { "seconds": 60 } });
    setting.send(&connection, &resume).await.unwrap();
    assert!(types(&setting).iter().all(|kind| kind == "entityUpdated"), "{:?}", types(&setting));
    assert_eq!(setting.closed(), 1);
}

/// A client that replaces a subscription asked for no past event. It keeps its connection, and learns that it may lack some.
#[tokio::test]
async fn that_exchange_a_subscription_are_told_that_it_was_too_much() {
    let slow = Reply::After(Duration::from_secs(6), Box::new(Reply::status(200)));
    let fast = Reply::status(200);
    let (setting, connection) = missed([fast.clone(), slow, Reply::Never, fast], Reply::status(204)).await;
    setting.hands.forward(60);
    for seconds in [3, 2, 1] {
        setting.past(&format!("late {seconds}"), setting.ago(seconds), &json!({})).await;
    }
    let exchange = json!({ "action": "subscribe", "entityIds": ["urn:room:1"], "requestId": "1" });
    setting.send(&connection, &exchange).await.unwrap();
    let answers = setting.answers();
    let answer = answers.last().unwrap();
    assert_eq!((&answer["type"], &answer["requestId"]), (&json!("subscribed"), &json!("1")), "{answers:?}");
    assert_eq!((&answer["recovered"], &answer["reason"]), (&json!(false), &json!("too_many")), "{answers:?}");
    assert_eq!((answers.len(), setting.closed()), (4, 0), "{answers:?}");
}
