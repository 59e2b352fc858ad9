use std::time::Duration;

use entity_stream_protocol::RequestId;

use crate::error::ClientError;
use crate::event::ReceivedEvent;
use crate::subscription_request::SubscriptionRequest;

/// An item of a stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamItem {
    /// The connection is open. If it has only the default subscription and the URL holds that, events follow from now on.
    Connected,
    /// The subscriptions are in force: every change that matches and is published from now on is delivered. That includes
    /// what the program requested before the connection opened.
    Subscribed,
    /// The server accepted a request about subscriptions: every change that matches its new subscriptions and is published
    /// from now on is delivered.
    Accepted(SubscriptionRequest),
    /// The server refused a request about subscriptions, which changed nothing. The stream goes on. If only the second half
    /// of [`SubscriptionRequest::Replace`] failed, both subscriptions are in force.
    Refused {
        /// The request.
        request: SubscriptionRequest,
        /// The reason. If it is temporary, the same request can succeed later.
        error: ClientError,
    },
    /// An event. Each event comes once for each view: the subscriptions of the connection that show the same of it share one
    /// item. [`ReceivedEvent::subscriptions`] names them.
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
