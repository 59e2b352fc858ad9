use entity_stream_client::{
    ErrorKind, FilterFields, InvalidSubscriptions, StreamItem, Subscription, SubscriptionName, SubscriptionRequest,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::server::{Peer, Server, event};
use crate::{event_id, next, subscribed, subscribed_again};

fn with_q(name: &str, q: &str) -> Subscription {
    let filter = FilterFields { q: Some(q.to_owned()), ..FilterFields::default() }.check().unwrap();
    Subscription { name: name.parse().unwrap(), ..filter.into() }
}

/// Reads a request and answers it.
async fn answer(peer: &mut Peer<TcpStream>, kind: &str) -> Value {
    let request = peer.message().await;
    peer.send(&json!({ "type": kind, "requestId": request["requestId"] })).await;
    request
}

fn event_of(id: &str, subscriptions: &[&str]) -> Value {
    let mut event = event(id);
    event["subscriptions"] = json!(subscriptions);
    event
}

#[tokio::test]
async fn a_connection_opens_without_what_no_url_can_hold() {
    let server = Server::start().await;
    let mut stream =
        server.client().subscriptions([with_q("map", "co2>1"), with_q("list", "co2>2")]).connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        assert_eq!(peer.uri, "/?tenant=demo&batch=true&subscribe=none");
        let expected = json!([{ "subscription": "map", "q": "co2>1" }, { "subscription": "list", "q": "co2>2" }]);
        assert_eq!(peer.subscribed().await["subscriptions"], expected);
        peer.send(&event_of("1", &["map"])).await;
        peer.send(&event_of("1", &["list"])).await;
        peer.send(&event_of("1", &["map"])).await;
        peer.send(&event_of("2", &["map", "list"])).await;
        peer
    });
    subscribed(&mut stream).await;
    for (id, names) in [("1", &["map"][..]), ("1", &["list"]), ("2", &["map", "list"])] {
        let StreamItem::Event(event) = next(&mut stream).await else { panic!("{id}") };
        let found: Vec<&str> = event.subscriptions().iter().map(SubscriptionName::as_str).collect();
        assert_eq!((&*event.message().id, found.as_slice()), (id, names));
    }
    assert_eq!(stream.repeats(), 1);
    script.await.unwrap();
}

#[tokio::test]
async fn subscriptions_of_an_open_connection_are_added_replaced_and_removed_and_restored() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        assert_eq!(peer.uri, "/?tenant=demo&batch=true");
        peer.subscribed().await;
        let added = answer(&mut peer, "subscribed").await;
        assert_eq!((&added["action"], &added["q"]), (&json!("subscribe"), &json!("co2>1")));
        let new = answer(&mut peer, "subscribed").await;
        assert_eq!(new["subscription"], "list");
        let old = answer(&mut peer, "unsubscribed").await;
        assert_eq!((&old["action"], &old["subscription"]), (&json!("unsubscribe"), &Value::Null));
        peer.close(1001, "Going away").await;
        let mut peer = server.accept().await;
        assert_eq!(peer.uri, "/?tenant=demo&batch=true&subscribe=none");
        let expected = json!([{ "subscription": "map", "q": "co2>1" }, { "subscription": "list", "q": "co2>2" }]);
        assert_eq!(peer.subscribed().await["subscriptions"], expected);
        peer.send(&event_of("1", &["list"])).await;
        peer
    });
    subscribed(&mut stream).await;
    stream.subscribe([with_q("map", "co2>1")]).unwrap();
    stream.replace(SubscriptionName::DEFAULT, with_q("list", "co2>2")).unwrap();
    let missing = stream.unsubscribe("other".parse().unwrap());
    assert!(matches!(missing, Err(InvalidSubscriptions::NotSubscribed(name)) if name.as_str() == "other"));
    assert!(matches!(next(&mut stream).await, StreamItem::Accepted(SubscriptionRequest::Subscribe(_))));
    assert!(matches!(next(&mut stream).await, StreamItem::Accepted(SubscriptionRequest::Replace { .. })));
    assert!(matches!(next(&mut stream).await, StreamItem::Disconnected { was_subscribed: true, .. }));
    subscribed_again(&mut stream).await;
    assert_eq!(event_id(&mut stream).await, "1");
    script.await.unwrap();
}

#[tokio::test]
async fn a_refused_subscription_is_named_and_the_stream_goes_on() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed().await;
        let request = peer.message().await;
        peer.send(
            &json!({ "type": "error", "code": "limit_exceeded", "message": "too \u{1b}many", "action": "subscribe",
            "subscription": "map", "requestId": request["requestId"] }),
        )
        .await;
        peer.send(&event("1")).await;
        peer
    });
    subscribed(&mut stream).await;
    stream.subscribe([with_q("map", "co2>1")]).unwrap();
    let item = next(&mut stream).await;
    let StreamItem::Refused { request: SubscriptionRequest::Subscribe(refused), error } = item else {
        panic!("{item:?}")
    };
    assert_eq!(refused, [with_q("map", "co2>1")]);
    assert_eq!(error.kind(), ErrorKind::RequestRefused);
    assert_eq!(error.to_string(), "the server refused the subscription map: too \u{fffd}many");
    assert_eq!(event_id(&mut stream).await, "1");
    script.await.unwrap();
}
