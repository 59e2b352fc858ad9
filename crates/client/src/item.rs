use std::time::Duration;

use entity_stream_protocol::RequestId;

use crate::error::ClientError;
use crate::event::ReceivedEvent;

/// An item of a stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamItem {
    /// The connection is open. With a filter that fits into the URL, events follow from now on.
    Connected,
    /// The filter is in force: every change that matches and is published from now on is delivered.
    Subscribed,
    /// An event. Each event comes once.
    Event(Box<ReceivedEvent>),
    /// The answer to [`EntityStream::ping`](crate::EntityStream::ping).
    Pong {
        /// The id of the ping. `None` if the server does not return it: a gateway that answers by itself may leave it out.
        request_id: Option<RequestId>,
    },
    /// A sentence about a frame of the server that changes nothing, for people.
    Notice(String),
    /// The connection failed. Changes that are published until the next [`StreamItem::Subscribed`] are missed.
    Disconnected {
        /// The reason, which is temporary.
        error: ClientError,
        /// The time until the next attempt.
        retry_in: Duration,
        /// True if the connection had been subscribed.
        was_subscribed: bool,
    },
}
