//! Servers that say nothing. The tests stop the clock, which then jumps to the next deadline whenever all tasks wait.

use std::time::Duration;

use entity_stream_client::{Client, ClientError, EntityStream, ErrorKind, StreamItem};
use futures_util::FutureExt;
use serde_json::json;
use tokio::io::{DuplexStream, duplex};
use tokio::time::{Instant, advance, pause, resume};

use crate::server::{Peer, Server, event};
use crate::{ended, event_id, next, subscribed};

/// A stream and its server, connected within the process, so that no byte is ever on its way while the clock jumps.
async fn connected() -> (EntityStream, Peer<DuplexStream>) {
    let client = Client::builder("ws://localhost", "demo").reconnect(false).build().unwrap();
    let (ours, theirs) = duplex(64 * 1024);
    let (stream, peer) = tokio::join!(client.connect_over(ours), Peer::accept(theirs));
    (stream.unwrap(), peer)
}

#[tokio::test(start_paused = true)]
async fn a_stream_pings_every_five_minutes_and_notices_a_silent_server() {
    let (mut stream, mut peer) = connected().await;
    let script = tokio::spawn(async move {
        assert_eq!(peer.subscribed().await, json!({ "action": "subscribe", "requestId": "subscribe" }));
        let mut since = Instant::now();
        for answered in [true, true, false] {
            assert_eq!(peer.message().await, json!({ "action": "ping" }));
            assert_eq!(since.elapsed().as_secs(), 5 * 60);
            since = Instant::now();
            if answered {
                peer.send(&json!({ "type": "pong" })).await;
            }
        }
        peer.closed().await;
        since
    });
    subscribed(&mut stream).await;
    let error = ended(&mut stream).await;
    assert!(matches!(error, ClientError::Timeout(time) if time == Duration::from_secs(10)), "{error:?}");
    assert_eq!(error.to_string(), "no answer in 10 seconds");
    stream.close().await;
    assert_eq!(script.await.unwrap().elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_learns_positions() {
    let (mut stream, mut peer) = connected().await;
    let script = tokio::spawn(async move {
        peer.subscribed_with(json!({ "position": "01", "session": "s" })).await;
        for position in ["02", "03"] {
            assert_eq!(peer.message().await, json!({ "action": "sync" }));
            peer.send(&json!({ "type": "synced", "position": position })).await;
        }
        peer.send(&event("1")).await;
        peer
    });
    subscribed(&mut stream).await;
    assert_eq!(stream.bookmark().unwrap().position.as_str(), "01");
    let since = Instant::now();
    assert_eq!(event_id(&mut stream).await, "1");
    assert_eq!(since.elapsed().as_secs(), 10 * 60);
    assert_eq!(stream.bookmark().unwrap().position.as_str(), "03");
    script.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_are_no_answer_to_subscribe() {
    let (mut stream, mut peer) = connected().await;
    let since = Instant::now();
    let script = tokio::spawn(async move {
        peer.message().await;
        peer.send(&event("1")).await;
        peer.send(&json!({ "type": "subscribed", "requestId": "other" })).await;
        peer.closed().await;
    });
    assert!(matches!(next(&mut stream).await, StreamItem::Connected));
    assert_eq!(event_id(&mut stream).await, "1");
    assert_eq!(ended(&mut stream).await.kind(), ErrorKind::Timeout);
    assert_eq!(since.elapsed().as_secs(), 30);
    stream.close().await;
    script.await.unwrap();
}

/// The program is busy for an hour. The answer that came meanwhile counts.
#[tokio::test(start_paused = true)]
async fn an_answer_that_has_arrived_is_in_time_even_for_a_slow_program() {
    let (mut stream, mut peer) = connected().await;
    assert!(matches!(next(&mut stream).await, StreamItem::Connected));
    assert!(stream.try_next().now_or_never().is_none(), "it waits for the answer");
    peer.subscribed().await;
    peer.send(&event("1")).await;
    advance(Duration::from_secs(3600)).await;
    assert!(matches!(next(&mut stream).await, StreamItem::Subscribed { .. }));
    assert_eq!(event_id(&mut stream).await, "1");
}

#[tokio::test]
async fn a_server_that_never_answers_the_handshake_is_given_up() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move {
        let connection = server.stream().await;
        pause();
        // It is open as long as the test runs.
        std::future::pending::<()>().await;
        drop(connection);
    });
    let item = next(&mut stream).await;
    let StreamItem::Disconnected { error: ClientError::Timeout(time), was_subscribed: false, .. } = item else {
        panic!("{item:?}")
    };
    assert_eq!(time.as_secs(), 40);
    script.abort();
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_and_tried_again() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed().await;
        (server, peer)
    });
    subscribed(&mut stream).await;
    let (server, _peer) = script.await.unwrap();
    pause();
    let since = Instant::now();
    let item = next(&mut stream).await;
    let StreamItem::Disconnected { error, retry_in, was_subscribed: true } = item else { panic!("{item:?}") };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(since.elapsed().as_secs(), 5 * 60 + 10);
    assert!(retry_in < Duration::from_secs(2), "the connection was stable: {retry_in:?}");
    resume();
    let (_, _peer) = tokio::join!(next(&mut stream), server.accept());
}
