//! Tokens that are bound to a key.

use entity_stream_client::{ClientError, DpopKey, ErrorKind, StreamItem};
use serde_json::{Value, json};

use crate::server::Server;
use crate::{ended, next};

fn key() -> DpopKey {
    DpopKey::generate().unwrap()
}

fn error(bind: &Value, code: &str) -> Value {
    json!({ "type": "error", "code": code, "message": "no", "action": "dpop_bind", "requestId": bind["requestId"] })
}

#[tokio::test]
async fn each_connection_begins_with_another_proof() {
    let server = Server::start().await;
    let mut stream = server.client().bound_token("a.b.c", key()).connect().unwrap();
    let mut proofs = Vec::new();
    for _ in 0..2 {
        let (item, mut peer) = tokio::join!(next(&mut stream), async {
            let mut peer = server.accept().await;
            assert_eq!(peer.headers["authorization"], "Bearer a.b.c");
            let bind = peer.message().await;
            assert_eq!((&bind["action"], bind["proof"].as_str().unwrap().split('.').count()), (&json!("dpop_bind"), 3));
            proofs.push(bind["proof"].clone());
            peer.send(&json!({ "type": "dpop_verified", "requestId": bind["requestId"] })).await;
            peer
        });
        assert!(matches!(item, StreamItem::Connected), "{item:?}");
        let (item, ()) = tokio::join!(next(&mut stream), async move {
            assert_eq!(peer.message().await["action"], "subscribe", "not before the proof is accepted");
        });
        assert!(matches!(item, StreamItem::Disconnected { .. }), "{item:?}");
    }
    assert_ne!(proofs[0], proofs[1]);
}

#[tokio::test]
async fn a_refused_proof_ends_the_stream_and_a_failure_does_not() {
    let server = Server::start().await;
    for (code, is_final) in
        [("unauthorized", true), ("limit_exceeded", false), ("internal", false), ("not_connected", false)]
    {
        let mut stream = server.client().bound_token("a.b.c", key()).connect().unwrap();
        let serve = async {
            let mut peer = server.accept().await;
            let bind = peer.message().await;
            peer.send(&error(&bind, code)).await;
            peer
        };
        if is_final {
            let (error, _peer) = tokio::join!(ended(&mut stream), serve);
            assert!(!error.is_temporary() && error.to_string().contains("no"), "{code}: {error}");
            assert!(!format!("{error:?}").contains("a.b.c"));
        } else {
            let (item, _peer) = tokio::join!(next(&mut stream), serve);
            let StreamItem::Disconnected { error, was_subscribed: false, .. } = item else {
                panic!("{code}: {item:?}");
            };
            assert_eq!(matches!(error, ClientError::TooManyConnections(_)), code == "limit_exceeded", "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_closes_instead_of_answering_is_tried_again() {
    let server = Server::start().await;
    let mut stream = server.client().bound_token("a.b.c", key()).connect().unwrap();
    let (item, ()) = tokio::join!(next(&mut stream), async { drop(server.accept().await) });
    let StreamItem::Disconnected { error, .. } = item else { panic!("{item:?}") };
    assert!(matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::Network), "{error:?}");
}
