//! Servers that are no Entity Stream system, and ports where none listens.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{closed_port, run};

/// Starts a server with one answer to each request, and returns its host and port.
async fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = client.read(&mut request).await;
                let _ = client.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

const PAGE: &str = "HTTP/1.1 501 Not Implemented\r\nconnection: close\r\ncontent-length: 6\r\n\r\n<html>";

#[tokio::test]
async fn another_server_is_named_as_such() {
    let url = format!("http://{}", server(PAGE).await);
    let tables = "the endpoint does not answer as DynamoDB does (status 501)";
    let letters = format!("error: {url} does not answer like an Entity Stream system (status 501); pass the URL of ");
    for (args, option, expected) in [
        (&["connections", "list"][..], "--dynamodb-url", tables),
        (&["keys", "list"], "--dynamodb-url", tables),
        (&["state", "list", "--tenant", "demo"], "--dynamodb-url", tables),
        (&["dead-letters", "list"], "--target", &letters),
        (&["dead-letters", "list"], "--endpoint-url", &letters),
        (&["publish", "demo", "--file", "/dev/null"], "--target", ""),
    ] {
        let ended = run(&[args, &[option, &url]].concat()).await;
        assert_eq!(ended.code, Some(i32::from(!expected.is_empty())), "{ended:?}");
        assert!(ended.stderr.contains(expected) && !ended.stderr.contains("unexpected token"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_named_without_the_causes_of_the_sdk() {
    let (_closed, free) = closed_port();
    let url = format!("http://{free}");
    let hint = format!("error: cannot use the table at {url} (is `entity-stream local` running there?): ");
    for args in [&["connections", "list"][..], &["state", "list", "--tenant", "demo"]] {
        let ended = run(&[args, &["--dynamodb-url", &url]].concat()).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.starts_with(&hint) && ended.stderr.contains(": no connection: Connection"), "{ended:?}");
        assert!(!ended.stderr.contains("dispatch failure"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_fault_of_the_protocol_is_named_once() {
    let url = format!("ws://{}", server("HTTP/1.0 200 OK\r\n\r\n").await);
    let ended = run(&["listen", "demo", "--url", &url, "--timeout", "2s"]).await;
    let first = ended.stderr.lines().next().unwrap_or_default();
    assert!(first.contains("the server broke the WebSocket protocol: HTTP version must be 1.1"), "{ended:?}");
    assert!(!ended.stderr.contains("WebSocket protocol error"), "{ended:?}");
}

#[tokio::test]
async fn a_password_or_a_token_in_a_url_is_not_repeated() {
    for (args, code) in [
        (&["listen", "demo", "--target", "http://me:hidden@localhost:3000"][..], 2),
        (&["listen", "demo", "--target", "wss://localhost/prod?token=hidden"], 2),
        (&["listen", "demo", "--url", "ws://me:hidden@localhost:3000"], 2),
        (&["context", "add", "x", "--url", "wss://me:hidden@localhost/prod"], 1),
        (&["publish", "demo", "--file", "/dev/null", "--endpoint-url", "htp://me:hidden@localhost"], 1),
        (&["dead-letters", "list", "--endpoint-url", "http://me:hidden@127.0.0.1:9"], 1),
        (&["dead-letters", "list", "--queue-url", "hidden@"], 1),
        (&["connections", "list", "--dynamodb-url", "http://me:hidden@127.0.0.1:9"], 1),
        (&["connections", "close", "--api", "http://me:hidden@127.0.0.1:9", "x="], 1),
    ] {
        let ended = run(args).await;
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(!ended.stderr.contains("hidden") || args.contains(&"hidden@"), "{args:?}: {ended:?}");
    }
}
