//! Streams against a server that follows the script of a test, over real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed, and says where")]

mod connecting;
mod listening;
mod refusals;
mod server;
mod silence;
mod subscribing;

use entity_stream_client::{ClientError, EntityStream, StreamItem};

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
    assert!(matches!(next(stream).await, StreamItem::Subscribed));
}
