//! The Rust client through the changes of a long life: each event comes once, whatever happens to its connections.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity_stream_client::{Client, EntityStream, Filter, StreamItem, StreamTiming, Subscription, View};
use serde_json::json;

use crate::harness::tokens::{auth_environment, claims, in_seconds, token};
use crate::harness::{PATIENCE, System, config, room};

/// The next item, within the patience of a test.
async fn next(stream: &mut EntityStream) -> StreamItem {
    tokio::time::timeout(PATIENCE, stream.try_next()).await.expect("an item").unwrap().expect("the stream goes on")
}

fn rooms(name: &str) -> Subscription {
    Subscription::new(name.parse().unwrap(), Filter::new(["Room"], None).unwrap(), View::default()).unwrap()
}

#[tokio::test]
async fn connections_are_replaced_and_each_event_comes_once() {
    let system = Arc::new(System::start().await);
    let mut timing = StreamTiming::default();
    (timing.rotate_after, timing.drain) = (Duration::from_millis(1000), Duration::from_millis(800));
    let client = Client::builder(system.local.websocket_url(), "demo").subscriptions([rooms("rooms")]).timing(timing);
    let mut stream = client.connect().unwrap();
    while !matches!(next(&mut stream).await, StreamItem::Subscribed { .. }) {}

    let publisher = Arc::clone(&system);
    let publishing = tokio::spawn(async move {
        let (mut published, mut connections) = (BTreeSet::new(), HashSet::new());
        while connections.len() < 5 {
            published.insert(publisher.publish(&room("demo", "urn:ngsi-ld:Room:1")).await);
            connections.extend(publisher.connection_ids().await);
        }
        published
    });
    let (mut received, mut published) = (Vec::new(), None);
    let publishing = async { publishing.await.unwrap() };
    tokio::pin!(publishing);
    while published.as_ref().is_none_or(|published: &BTreeSet<String>| received.len() < published.len()) {
        let item = tokio::select! {
            item = next(&mut stream) => item,
            all = &mut publishing, if published.is_none() => {
                published = Some(all);
                continue;
            }
        };
        match item {
            StreamItem::Event(event) => received.push(event.message().id.to_string()),
            other => panic!("{other:?}"),
        }
    }
    let distinct: BTreeSet<String> = received.iter().cloned().collect();
    assert_eq!(distinct.len(), received.len(), "an event came twice");
    assert_eq!(Some(distinct), published);
    assert!(stream.repeats() > 0, "no event came on two connections, so they did not overlap");
    stream.close().await;
    system.until_no_connection_is_registered().await;
}

#[tokio::test]
async fn tokens_are_renewed_on_one_connection() {
    renewed_on_one_connection(false).await;
}

#[tokio::test]
async fn tokens_are_sent_and_renewed_in_band() {
    renewed_on_one_connection(true).await;
}

async fn renewed_on_one_connection(is_in_band: bool) {
    let environment = auth_environment(if is_in_band { &[("AUTH_IN_BAND", "true")] } else { &[] });
    let system = System::start_with(entity_stream_local::Config { auth_enabled: true, environment, ..config() }).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let source = {
        let calls = Arc::clone(&calls);
        move || {
            let number = calls.fetch_add(1, Ordering::SeqCst);
            let mut claims = claims("demo");
            (claims["iat"], claims["exp"], claims["jti"]) =
                (json!(in_seconds(0)), json!(in_seconds(6)), json!(number.to_string()));
            std::future::ready(Ok::<_, std::convert::Infallible>(token(&claims)))
        }
    };
    let client = Client::builder(system.local.websocket_url(), "demo").token_source(source);
    let mut stream = client.authenticate_in_band(is_in_band).connect().unwrap();
    while !matches!(next(&mut stream).await, StreamItem::Subscribed { .. }) {}
    let connection = system.only_connection().await;
    // The stream works while it is polled. The first token has ended when the fourth is there.
    while calls.load(Ordering::SeqCst) < 4 {
        let id = system.publish(&room("demo", "urn:ngsi-ld:Room:1")).await;
        let item = next(&mut stream).await;
        assert!(matches!(&item, StreamItem::Event(event) if event.message().id == id.as_str()), "{item:?}");
    }
    let id = system.publish(&room("demo", "urn:ngsi-ld:Room:1")).await;
    let StreamItem::Event(event) = next(&mut stream).await else { panic!() };
    assert_eq!(event.message().id, id.as_str());
    assert_eq!(system.only_connection().await, connection);
}
