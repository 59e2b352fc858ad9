use entity_stream_client::{
    Client, ClientError, ErrorKind, Filter, Format, GroupId, InvalidCredential, InvalidStreamUrl, InvalidSubscriptions,
    Since, StreamItem, StreamState, Subscription,
};
use serde_json::json;

use crate::server::{Server, event};
use crate::{event_id, next, subscribed, subscribed_again};

#[tokio::test]
async fn the_handshake_and_subscribe_say_everything() {
    let server = Server::start().await;
    let filter = Filter::new(["Room", "Sensor"], Some("^urn:")).unwrap();
    let builder = server.client().filter(filter).format(Format::CloudEvents).group(GroupId::parse("g").unwrap());
    let mut stream = builder.token("eyJsecret").connect().unwrap();
    let (_, ()) = tokio::join!(subscribed(&mut stream), async {
        let mut peer = server.accept().await;
        let query =
            "tenant=demo&format=cloudevents&group_id=g&batch=true&entityTypes=Room%2CSensor&idPattern=%5Eurn%3A";
        assert_eq!(peer.uri, format!("/?{query}"));
        assert_eq!(peer.headers["authorization"], "Bearer eyJsecret");
        assert!(peer.headers["user-agent"].to_str().unwrap().starts_with("entity-stream-client/"));
        assert_eq!(
            peer.subscribed().await,
            json!({ "action": "subscribe", "entityTypes": ["Room", "Sensor"], "idPattern": "^urn:",
                "requestId": "subscribe" })
        );
    });
    assert!(matches!(stream.state(), StreamState::Streaming { .. }));
    assert!(!format!("{stream:?}").contains("eyJsecret"));
}

#[tokio::test]
async fn an_api_key_is_sent_as_basic_authentication() {
    let server = Server::start().await;
    let client = server.client().api_key("robot", "es_secret").user_agent("robot/1").build().unwrap();
    assert!(!format!("{client:?}").contains("es_secret"));
    let mut stream = client.connect();
    let (_, ()) = tokio::join!(next(&mut stream), async {
        let peer = server.accept().await;
        assert_eq!(peer.headers["authorization"], "Basic cm9ib3Q6ZXNfc2VjcmV0");
        assert_eq!(peer.headers["user-agent"], "robot/1");
    });
}

#[test]
fn an_invalid_argument_is_an_error_before_anything_is_sent() {
    let client = |url: &str, tenant: &str| Client::builder(url, tenant);
    for (error, expected) in [
        (client("http://h", "demo").build().unwrap_err(), "try ws://h"),
        (client("ws://h?tenant=x", "demo").build().unwrap_err(), "`tenant`"),
        (client("ws://h", "a b").build().unwrap_err(), "tenant"),
        (client("ws://h", "demo").token("Bearer x").build().unwrap_err(), "Bearer"),
        (client("ws://h", "demo").api_key("a", "").build().unwrap_err(), "API key"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(expected) && !error.is_temporary(), "{error}");
    }
    let error = client("ws://h", "demo").token("x y").build().unwrap_err();
    assert!(matches!(error, ClientError::Credential(InvalidCredential::Token)));
    let in_group = client("ws://h", "demo").group(GroupId::parse("g").unwrap()).since(Since::Seconds { seconds: 30 });
    let error = in_group.build().unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidArgument && matches!(error, ClientError::SinceInGroup));
    let twice = [Subscription::default(), Subscription::default()];
    let error = client("ws://h", "demo").subscriptions(twice).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(matches!(error, ClientError::Subscriptions(InvalidSubscriptions::Repeated(_))));
    let error = client("ws:/", "demo").build().unwrap_err();
    assert!(matches!(error, ClientError::Url(InvalidStreamUrl::NotWebSocket(_))));
}

#[tokio::test]
async fn a_host_that_does_not_listen_or_exist_is_tried_again() {
    // It is bound and does not listen, so that no other test can take the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = closed.local_addr().unwrap();
    for url in [format!("ws://{free}"), "ws://no.such.host.invalid".to_owned()] {
        let mut stream = Client::builder(&url, "demo").connect().unwrap();
        let StreamItem::Disconnected { error, was_subscribed: false, retry_in } = next(&mut stream).await else {
            panic!("{url}")
        };
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        assert!(retry_in.as_millis() <= 500);
        assert!(matches!(stream.state(), StreamState::Waiting { .. }));
    }
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_and_repeats_are_dropped() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed().await;
        for id in ["1", "1", "2"] {
            peer.send(&event(id)).await;
        }
        peer.close(1001, "Going away").await;
        let mut peer = server.accept().await;
        peer.subscribed().await;
        peer.send(&event("2")).await;
        peer.send(&event("3")).await;
        assert!(peer.closed().await, "the client closes the connection in order");
    });
    subscribed(&mut stream).await;
    assert_eq!(event_id(&mut stream).await, "1");
    assert_eq!(event_id(&mut stream).await, "2");
    let item = next(&mut stream).await;
    let StreamItem::Disconnected { error, was_subscribed: true, .. } = item else { panic!("{item:?}") };
    assert_eq!(error.to_string(), "the server closed the connection with 1001: Going away");
    subscribed_again(&mut stream).await;
    assert_eq!(event_id(&mut stream).await, "3");
    assert_eq!(stream.repeats(), 2);
    stream.close().await;
    script.await.unwrap();
}
