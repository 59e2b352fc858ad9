use entity_stream_client::{Client, ClientError, CloseCode, ErrorCode, ErrorKind, HandshakeRefusal, StreamItem};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::http::StatusCode;

use crate::server::Server;
use crate::{ended, next, subscribed};

#[tokio::test]
async fn a_permanent_status_ends_the_stream_with_the_servers_reason() {
    let server = Server::start().await;
    for (status, kind) in [
        (StatusCode::BAD_REQUEST, ErrorKind::RequestRefused),
        (StatusCode::UNAUTHORIZED, ErrorKind::CredentialRefused),
        (StatusCode::FORBIDDEN, ErrorKind::CredentialRefused),
        (StatusCode::NOT_FOUND, ErrorKind::NotFound),
    ] {
        let mut stream = server.client().token("eyJsecret").connect().unwrap();
        let body = r#"{"message":"the \u001b reason"}"#;
        let (error, ()) = tokio::join!(ended(&mut stream), server.refuse(status, None, body));
        assert_eq!(error.kind(), kind);
        let expected = format!("the server answered the handshake with {} (the \u{fffd} reason)", status.as_u16());
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains("eyJsecret"));
    }
}

#[tokio::test]
async fn a_refusal_of_the_gateway_itself_is_about_the_url() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let header = Some(("x-amzn-errortype", "ForbiddenException"));
    let refuse = server.refuse(StatusCode::FORBIDDEN, header, r#"{"message":"Forbidden"}"#);
    let (error, ()) = tokio::join!(ended(&mut stream), refuse);
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let ClientError::Handshake(HandshakeRefusal { status: 403, by_gateway: true, reason }) = error else { panic!() };
    assert_eq!(reason, "Forbidden");
}

#[tokio::test]
async fn a_page_for_browsers_is_not_repeated_and_a_long_reason_is_cut() {
    let server = Server::start().await;
    for (body, length) in [("<html>no</html>".to_owned(), 0), ("x".repeat(9999), 200), (String::new(), 0)] {
        let mut stream = server.client().connect().unwrap();
        let (error, ()) = tokio::join!(ended(&mut stream), server.refuse(StatusCode::NOT_FOUND, None, &body));
        let ClientError::Handshake(HandshakeRefusal { reason, .. }) = error else { panic!("{error:?}") };
        assert_eq!(reason.len(), length, "{reason}");
    }
}

#[tokio::test]
async fn a_temporary_status_is_tried_again() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    for status in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS] {
        let (item, ()) = tokio::join!(next(&mut stream), server.refuse(status, None, ""));
        let StreamItem::Disconnected { error, was_subscribed: false, .. } = item else { panic!("{item:?}") };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    let (item, _) = tokio::join!(next(&mut stream), server.accept());
    assert!(matches!(item, StreamItem::Connected));
}

#[tokio::test]
async fn without_reconnecting_a_temporary_error_ends_the_stream_too() {
    let server = Server::start().await;
    let mut stream = server.client().reconnect(false).connect().unwrap();
    let refuse = server.refuse(StatusCode::SERVICE_UNAVAILABLE, None, "");
    let (error, ()) = tokio::join!(ended(&mut stream), refuse);
    assert!(error.is_temporary());
}

#[tokio::test]
async fn a_close_with_1008_refuses_the_credential_and_any_other_passes() {
    for (code, kind) in [
        (1008, ErrorKind::CredentialRefused),
        (1000, ErrorKind::Disconnected),
        (1001, ErrorKind::Disconnected),
        (1011, ErrorKind::Disconnected),
        (4000, ErrorKind::Disconnected),
    ] {
        let server = Server::start().await;
        let mut stream = server.client().connect().unwrap();
        let script = tokio::spawn(async move {
            let mut peer = server.accept().await;
            peer.subscribed().await;
            peer.close(code, "the reason").await;
        });
        subscribed(&mut stream).await;
        let error = match stream.try_next().await {
            Ok(Some(StreamItem::Disconnected { error, .. })) | Err(error) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(error.kind(), kind, "{code}");
        let ClientError::Closed { code: found, reason } = error else { panic!("{error:?}") };
        assert_eq!((found, reason.as_str()), (CloseCode::from(code), "the reason"));
        script.await.unwrap();
    }
}

/// Locally, the server accepts the handshake and refuses the credential right after it.
#[tokio::test]
async fn a_close_before_the_subscription_is_understood() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move { server.accept().await.close(1008, "no token").await });
    let error = ended(&mut stream).await;
    assert_eq!(error.to_string(), "the server closed the connection with 1008: no token");
    script.await.unwrap();
}

#[tokio::test]
async fn a_rejected_filter_ends_the_stream() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let id = peer.message().await["requestId"].clone();
        let code = "invalid_id_pattern";
        peer.send(&json!({ "type": "error", "code": code, "message": "no \u{1b}[2Jgood", "requestId": id })).await;
        peer.closed().await
    });
    let error = ended(&mut stream).await;
    assert_eq!(error.kind(), ErrorKind::RequestRefused);
    let ClientError::Rejected { code: ErrorCode::InvalidIdPattern, message, .. } = error else { panic!("{error:?}") };
    assert_eq!(message, "no \u{fffd}[2Jgood");
    stream.close().await;
    assert!(script.await.unwrap(), "the client closes the connection in order");
}

#[tokio::test]
async fn something_that_speaks_no_tls_is_a_tls_error() {
    let server = Server::start().await;
    let url = server.url.replace("ws://", "wss://");
    let mut stream = Client::builder(url, "demo").connect().unwrap();
    let (error, ()) = tokio::join!(ended(&mut stream), async {
        let mut peer = server.stream().await;
        peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn a_server_that_breaks_off_is_tried_again() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    for kind in [ErrorKind::Disconnected, ErrorKind::Network] {
        let broken_off = async {
            let mut peer = server.stream().await;
            if kind == ErrorKind::Network {
                peer.set_zero_linger().unwrap();
            } else {
                peer.write_all(b"SSH-2.0-x\r\n\r\n").await.unwrap();
            }
        };
        let (item, ()) = tokio::join!(next(&mut stream), broken_off);
        let StreamItem::Disconnected { error, .. } = item else { panic!("{item:?}") };
        assert_eq!(error.kind(), kind, "{error:?}");
    }
}
