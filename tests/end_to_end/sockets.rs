//! Sockets are bounded in number, time and bytes, on every port.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use entity_stream_local::{Config, SocketLimits};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::logs::Log;
use crate::harness::{Client, PATIENCE, System, config, request, until};

const BRIEF: Duration = Duration::from_millis(200);
const KB: usize = 1024;

async fn system(sockets: SocketLimits) -> System {
    System::start_with(Config { sockets, ..config() }).await
}

fn ports(system: &System) -> [SocketAddr; 2] {
    let dynamodb = system.local.dynamodb_url();
    let port = dynamodb.rsplit_once(':').unwrap().1.parse().unwrap();
    [system.local.address(), (Ipv4Addr::LOCALHOST, port).into()]
}

/// Sends the beginning of a request, and no more.
async fn begin(port: SocketAddr, beginning: &str) -> TcpStream {
    let mut stream = TcpStream::connect(port).await.unwrap();
    // The other end may close before it has read everything.
    let _ = stream.write_all(beginning.as_bytes()).await;
    stream
}

/// A request for 8 MB of which only some arrive.
fn unfinished(bytes: usize) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AWSEvents.PutEvents\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{}",
        8 * KB * KB,
        "x".repeat(bytes)
    )
}

/// The status of the answer, or 0 without one. Waits until the server has closed the connection.
async fn ended(mut stream: TcpStream) -> u16 {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes the connection");
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn half_open_sockets_are_closed() {
    let system = system(SocketLimits { head_timeout: BRIEF, ..SocketLimits::default() }).await;
    for port in ports(&system) {
        let mut half_open = Vec::new();
        for beginning in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
            for _ in 0..20 {
                half_open.push(begin(port, beginning).await);
            }
        }
        for stream in half_open {
            ended(stream).await;
        }
    }
}

#[tokio::test]
async fn more_sockets_than_the_limit_wait_for_a_place() {
    let system = system(SocketLimits { number: 3, head_timeout: BRIEF, ..SocketLimits::default() }).await;
    let mut half_open = Vec::new();
    for _ in 0..9 {
        half_open.push(begin(system.local.address(), "GET /").await);
    }
    let health = request("GET", &format!("{}/_local/health", system.local.http_url()), &[], "").await;
    assert_eq!(health.status, 200, "it had a place once others were closed");
    for stream in half_open {
        ended(stream).await;
    }
}

#[tokio::test]
async fn the_number_of_websockets_is_bounded() {
    let system = system(SocketLimits { websockets: 2, ..SocketLimits::default() }).await;
    let first = system.connect("tenant=demo").await;
    let _second = system.connect("tenant=demo").await;
    let refused = Client::connect(&system.url("tenant=demo"), &[]).await.err().unwrap();
    assert_eq!(refused.status, 429, "{refused:?}");
    first.close().await;
    until("there is room again", async || Client::connect(&system.url("tenant=demo"), &[]).await.is_ok()).await;
}

#[tokio::test]
async fn a_head_has_a_size() {
    let system = system(SocketLimits::default()).await;
    for port in ports(&system) {
        let endless = begin(port, &format!("GET / HTTP/1.1\r\nX-Long: {}", "x".repeat(100 * KB))).await;
        assert!(matches!(ended(endless).await, 0 | 431));
    }
}

#[tokio::test]
async fn unfinished_bodies_are_closed() {
    let system = system(SocketLimits { body_timeout: BRIEF, ..SocketLimits::default() }).await;
    for port in ports(&system) {
        let unfinished = begin(port, &unfinished(10 * KB)).await;
        assert_eq!(ended(unfinished).await, 408);
    }
}

#[tokio::test]
async fn unfinished_bodies_have_a_bounded_number_of_bytes_together() {
    let system = system(SocketLimits { body_bytes: 1000 * KB, ..SocketLimits::default() }).await;
    let ports = ports(&system);
    let bodies: FuturesUnordered<_> =
        (0..10).map(|n| async move { ended(begin(ports[n % 2], &unfinished(300 * KB)).await).await }).collect();
    // Three have room. The others are refused, and may see their connection break instead.
    let refused: Vec<u16> = bodies.take(7).collect().await;
    assert!(refused.iter().all(|status| matches!(status, 503 | 0)), "{refused:?}");
    // The three have left by now.
    let url = system.local.http_url();
    until("there is room again", async || {
        request("POST", &url, &[("x-amz-target", "AWSEvents.Other")], vec![b'x'; 900 * KB]).await.status == 400
    })
    .await;
}

#[tokio::test]
async fn a_response_that_is_not_read_is_abandoned() {
    let system = system(SocketLimits { number: 1, write_timeout: BRIEF, ..SocketLimits::default() }).await;
    let id = "x".repeat(2000);
    let mut greedy = TcpStream::connect(system.local.address()).await.unwrap();
    // A client that asks without end and reads nothing. The connection breaks once all buffers are full.
    let asking = async {
        let ask = format!("GET /@connections/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        while greedy.write_all(ask.as_bytes()).await.is_ok() {}
    };
    timeout(PATIENCE, asking).await.expect("the server closes the connection");
    let health = request("GET", &format!("{}/_local/health", system.local.http_url()), &[], "").await;
    assert_eq!(health.status, 200, "its place is free");
}

#[tokio::test]
async fn a_client_that_never_reads_is_bounded_closed_and_logged() {
    let (log, _guard) = Log::of_this_thread();
    let outgoing_bytes = 512 * KB;
    // Long enough to fill the queue on a busy machine before the client counts as slow.
    let write_timeout = Duration::from_secs(3);
    let system = system(SocketLimits { write_timeout, outgoing_bytes, ..SocketLimits::default() }).await;
    let _idle = system.connect("tenant=demo").await;
    let id = system.only_connection().await;
    let url = format!("{}/@connections/{id}", system.local.http_url());
    let message = "x".repeat(110 * KB);
    let mut refused = false;
    let gone = async {
        loop {
            match request("POST", &url, &[], message.clone()).await.status {
                200 => {}
                429 => refused = true,
                410 => break,
                status => panic!("{status}"),
            }
        }
    };
    timeout(PATIENCE, gone).await.expect("the connection is closed");
    assert!(refused, "beyond the bound, messages are refused");
    system.until_no_connection_is_registered().await;
    let line = log.line("closed a slow consumer");
    let waiting = line.split("waiting_bytes=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(waiting.parse::<usize>().unwrap() <= outgoing_bytes && line.contains(id.as_str()), "{line}");
}
