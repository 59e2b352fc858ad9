//! Tokens in the first message of a connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_client::{DpopKey, ErrorKind, StreamItem, Subscription};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::server::{Peer, Server, event};
use crate::{ended, event_id, next};

/// Reads `authenticate`, whose connection has no credential and no subscription, and answers it.
async fn authenticated(server: &Server) -> (Peer<TcpStream>, Value) {
    let mut peer = server.accept().await;
    assert!(!peer.headers.contains_key("authorization"));
    assert_eq!(peer.uri, "/?tenant=demo&batch=true&subscribe=none", "an event before the answer would be lost");
    let authenticate = peer.message().await;
    assert_eq!(authenticate["action"], "authenticate");
    peer.send(&json!({ "type": "authenticated", "requestId": authenticate["requestId"] })).await;
    (peer, authenticate)
}

#[tokio::test]
async fn the_token_comes_before_the_subscriptions_on_each_connection() {
    let server = Server::start().await;
    let mut stream = server.client().token("a.b.c").authenticate_in_band(true).connect().unwrap();
    for number in ["1", "2"] {
        let script = async {
            let (mut peer, authenticate) = authenticated(&server).await;
            assert_eq!((&authenticate["token"], &authenticate["proof"]), (&json!("a.b.c"), &Value::Null));
            peer.subscribed().await;
            peer.send(&event(number)).await;
            peer.close(1001, "Going away").await;
        };
        let program = async {
            while !matches!(next(&mut stream).await, StreamItem::Subscribed { .. }) {}
            while !matches!(next(&mut stream).await, StreamItem::Event(event) if event.message().id == number) {}
            assert!(matches!(next(&mut stream).await, StreamItem::Disconnected { .. }));
        };
        tokio::join!(program, script);
    }
}

#[tokio::test]
async fn a_token_source_and_its_key_work_in_band_too() {
    let server = Server::start().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let source = move || {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        // The first token ends, so that the client renews it.
        let claims = json!({ "iat": 1000, "exp": if number == 0 { 1001 } else { 9000 }, "jti": number });
        let token = format!("a.{}.c", URL_SAFE_NO_PAD.encode(claims.to_string()));
        async move { Ok::<_, Infallible>(token) }
    };
    let client = server.client().bound_token_source(source, DpopKey::generate().unwrap()).authenticate_in_band(true);
    let mut stream = client.connect().unwrap();
    let script = tokio::spawn(async move {
        let (mut peer, first) = authenticated(&server).await;
        peer.subscribed().await;
        let renewal = peer.message().await;
        assert_eq!(renewal["action"], "authenticate");
        assert_ne!(renewal["token"], first["token"]);
        for message in [&first, &renewal] {
            assert_eq!(message["proof"].as_str().unwrap().split('.').count(), 3);
        }
        assert_ne!(renewal["proof"], first["proof"]);
        peer.send(&json!({ "type": "authenticated", "requestId": renewal["requestId"] })).await;
        peer.send(&event("1")).await;
        peer
    });
    assert!(matches!(next(&mut stream).await, StreamItem::Connected));
    assert!(matches!(next(&mut stream).await, StreamItem::Subscribed { .. }));
    assert_eq!(event_id(&mut stream).await, "1");
    script.await.unwrap();
}

/// A refusal of the token is no refusal of the subscription that waits.
#[tokio::test]
async fn a_refused_token_ends_the_stream_and_blames_no_subscription() {
    for (code, kind) in [("unauthorized", ErrorKind::CredentialRefused), ("invalid_message", ErrorKind::RequestRefused)]
    {
        let server = Server::start().await;
        let mut stream = server.client().subscriptions([]).token("a.b.c").authenticate_in_band(true).connect().unwrap();
        stream.subscribe([Subscription { name: "map".parse().unwrap(), ..Subscription::default() }]).unwrap();
        let script = async {
            let mut peer = server.accept().await;
            let authenticate = peer.message().await;
            let refusal =
                json!({ "type": "error", "code": code, "message": "no", "requestId": authenticate["requestId"] });
            peer.send(&refusal).await;
            peer
        };
        let (error, _peer) = tokio::join!(ended(&mut stream), script);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, "the server refused: no"));
    }
}

#[tokio::test]
async fn an_api_key_is_no_token() {
    let server = Server::start().await;
    let error = server.client().api_key("robot", "es_secret").authenticate_in_band(true).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(!error.to_string().contains("secret"));
}
