//! `ManagementApi::close` against an HTTP server.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use entity_stream_delivery::{CloseError, Endpoint, ManagementApi};
use entity_stream_protocol::ConnectionId;
use tokio::net::TcpListener;

const ID: &str = "XyZ12cdeIAMCJ1g=";

fn api(url: &str) -> ManagementApi {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")))
        .build();
    ManagementApi::new(&config, Endpoint::parse(url).unwrap())
}

/// Closes a connection through a server that answers with `status` and `error_type`. Returns the result and the number of
/// calls.
async fn close(status: u16, error_type: Option<&'static str>) -> (Result<(), CloseError>, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let app = Router::new().fallback(async move |method: Method, uri: Uri| {
        assert_eq!((method, uri.path()), (Method::DELETE, "/prod/@connections/XyZ12cdeIAMCJ1g%3D"));
        count.fetch_add(1, Ordering::SeqCst);
        let headers = error_type.map(|name| [("x-amzn-errortype", name)]);
        (StatusCode::from_u16(status).unwrap(), headers.map(axum::response::AppendHeaders), "{}")
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/prod", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let closed = api(&url).close(&ConnectionId::parse(ID).unwrap()).await;
    (closed, calls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn the_status_decides_with_and_without_the_error_type() {
    assert_eq!(close(204, None).await, (Ok(()), 1));
    for error_type in [Some("GoneException"), None] {
        assert_eq!(close(410, error_type).await, (Err(CloseError::Gone), 1));
    }
    for error_type in [Some("LimitExceededException"), None] {
        assert_eq!(close(429, error_type).await, (Err(CloseError::Throttled), 1));
    }
    let (forbidden, calls) = close(403, Some("ForbiddenException")).await;
    assert_eq!((forbidden, calls), (Err(CloseError::Forbidden("403 ForbiddenException".to_owned())), 1));
    assert!(matches!(close(503, None).await, (Err(CloseError::Failed(_)), 1)));
    assert!(matches!(close(400, Some("BadRequestException")).await, (Err(CloseError::Invalid(_)), 1)));
}

#[tokio::test]
async fn without_an_answer_the_error_names_the_cause() {
    // It is bound and does not listen, so that no other test can take the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = closed.local_addr().unwrap();
    let closed = api(&format!("http://{address}/prod")).close(&ConnectionId::parse(ID).unwrap()).await;
    let Err(CloseError::Failed(reason)) = closed else { panic!("{closed:?}") };
    assert!(reason.to_lowercase().contains("refused"), "{reason}");
}
