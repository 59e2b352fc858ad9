//! Streams without subscriptions.

use std::time::Duration;

use entity_stream_client::{ErrorKind, StreamItem, StreamState, Subscription};
use futures_util::FutureExt;
use serde_json::json;
use tokio::time::timeout;

use crate::server::Server;
use crate::{next, subscribed};

fn named(name: &str) -> Subscription {
    Subscription { name: name.parse().unwrap(), ..Subscription::default() }
}

#[tokio::test]
async fn a_stream_connects_for_its_first_subscription_and_closes_after_its_last() {
    let server = Server::start().await;
    let mut stream = server.client().subscriptions([]).connect().unwrap();
    assert!(stream.try_next().now_or_never().is_none());
    assert!(server.stream().now_or_never().is_none(), "no connection without a subscription");
    for name in ["map", "list"] {
        assert_eq!(stream.state(), StreamState::Idle);
        stream.subscribe([named(name)]).unwrap();
        let script = async {
            let mut peer = server.accept().await;
            assert_eq!(peer.subscribed_with(json!({ "position": "01", "session": "s" })).await["since"], json!(null));
            let unsubscribe = peer.message().await;
            assert_eq!((&unsubscribe["action"], &unsubscribe["subscription"]), (&json!("unsubscribe"), &json!(name)));
            peer.send(&json!({ "type": "unsubscribed", "requestId": unsubscribe["requestId"] })).await;
            assert!(peer.closed().await, "the client closes in order");
        };
        let program = async {
            subscribed(&mut stream).await;
            stream.unsubscribe(name.parse().unwrap()).unwrap();
            assert!(matches!(next(&mut stream).await, StreamItem::Accepted(_)));
            assert!(matches!(next(&mut stream).await, StreamItem::Idle));
            assert!(stream.bookmark().is_none());
            // The close handshake goes on while the stream is polled.
            assert!(timeout(Duration::from_secs(1), stream.try_next()).await.is_err());
        };
        tokio::join!(program, script);
    }
}

#[tokio::test]
async fn an_open_connection_needs_a_subscription() {
    let server = Server::start().await;
    let client = server.client().subscriptions([]).build().unwrap();
    let (ours, _theirs) = tokio::io::duplex(64);
    let error = client.connect_over(ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}
