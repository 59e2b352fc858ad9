//! Streams against a server that follows the script of a test, over real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed, and says where")]

mod connecting;
mod entities;
mod idling;
mod in_band;
mod listening;
mod possession;
mod refusals;
mod resuming;
mod server;
mod silence;
mod snapshots;
mod subscribing;
mod updates;

use entity_stream_client::{ClientError, EntityStream, NotRecovered, StreamItem};

/// The next item, which has to come.
async fn next(stream: &mut EntityStream) -> StreamItem {
    stream.try_next().await.unwrap().expect("the stream goes on")
}

/// The error that ends the stream.
async fn ended(stream: &mut EntityStream) -> ClientError {
    loop {
        match stream.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without an error"),
            Err(error) => {
                assert!(stream.try_next().await.unwrap().is_none(), "nothing follows the error");
                return error;
            }
        }
    }
}

/// The id of the next item, which has to be an event.
async fn event_id(stream: &mut EntityStream) -> String {
    match next(stream).await {
        StreamItem::Event(event) => event.message().id.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The items that show a new subscription.
async fn subscribed(stream: &mut EntityStream) {
    assert!(matches!(next(stream).await, StreamItem::Connected));
    assert!(matches!(next(stream).await, StreamItem::Subscribed { .. }));
}

/// The items that show a new subscription after a lost one, at a server that keeps no history.
async fn subscribed_again(stream: &mut EntityStream) {
    subscribed(stream).await;
    let verdict = next(stream).await;
    let StreamItem::NotRecovered { reason: NotRecovered::Unavailable, missed_since: Some(_) } = verdict else {
        panic!("{verdict:?}")
    };
}
