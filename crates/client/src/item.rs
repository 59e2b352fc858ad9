use std::time::{Duration, SystemTime};

use entity_stream_protocol::{NotRecovered, RequestId, Subscription, SubscriptionName};

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
    /// the requests of the program before the connection opened.
    ///
    /// If events may have been missed before, [`StreamItem::Recovered`] or [`StreamItem::NotRecovered`] is the next item.
    Subscribed {
        /// The names of the subscriptions; the default subscription has an empty one.
        subscriptions: Vec<SubscriptionName>,
    },
    /// The stream has every event that it missed while it had no connection: the server has delivered them again from its
    /// history. After [`ClientBuilder::since`](crate::ClientBuilder::since) it has every event since then.
    Recovered {
        /// The number of event items that came from the history. Repeats do not count, because the stream drops them.
        replayed: u64,
    },
    /// The stream may have missed events, and the server has delivered none of them again. A program that keeps the state of
    /// entities reads them again, or [begins with a snapshot](crate::ClientBuilder::snapshots), which then follows.
    NotRecovered {
        /// The reason: [`NotRecovered::Unavailable`] for a server without a history, and for a member of a group.
        reason: NotRecovered,
        /// The time when the stream last heard from the server, by the clock of this machine: events after it may be missed. `None`
        /// if the stream had no connection before, or the exchange of a subscription missed them.
        missed_since: Option<SystemTime>,
    },
    /// The server accepted a request about subscriptions: every change that matches its new subscriptions and is published
    /// from now on is delivered. If the server cannot remove a subscription at the moment, the client goes on trying after this
    /// item, and drops the events of that subscription, except in a group.
    Accepted(SubscriptionRequest),
    /// The server refused a request about subscriptions, which changed nothing. The stream goes on. If the server closed a subscribed
    /// connection because of the request's message, [`StreamItem::Disconnected`] is the next item.
    Refused {
        /// The request.
        request: SubscriptionRequest,
        /// The reason. If it is temporary, the same request can succeed later.
        error: ClientError,
    },
    /// The server does not accept a subscription any more that it has accepted before, when the stream restores it after a lost
    /// connection. The others go on. If it is the only one, the stream ends with the error instead.
    SubscriptionEnded {
        /// The subscription.
        subscription: Subscription,
        /// The reason.
        error: ClientError,
    },
    /// The stream has no subscription, and closes its connection. All requests of the program about subscriptions have taken effect.
    /// The next one that subscribes opens another connection.
    Idle,
    /// An event. Each event comes once for each view: the subscriptions of the connection that show the same of it share one
    /// item. [`ReceivedEvent::subscriptions`] names them.
    Event(Box<ReceivedEvent>),
    /// An entity as it is now, from the snapshot with which a subscription begins. The entity comes again with each snapshot, and
    /// is no repeat.
    ///
    /// The first snapshot items of a connection come before [`StreamItem::Subscribed`]. Changes can come in between:
    /// [`EventMessage::version`](crate::EventMessage::version) tells which is newer.
    Snapshot(Box<ReceivedEvent>),
    /// The snapshot is complete. An entity that it lacks, and that no event has brought since [`StreamItem::Connected`],
    /// does not match or is gone.
    ///
    /// After a lost connection there is a snapshot only if the stream has not [recovered](StreamItem::Recovered).
    SnapshotComplete {
        /// The subscriptions that began with it; the default subscription is an empty name.
        subscriptions: Vec<SubscriptionName>,
        /// The number of entities in the snapshot.
        entities: u64,
    },
    /// The answer to [`EntityStream::ping`](crate::EntityStream::ping).
    Pong {
        /// The id of the ping. `None` if the server does not return it: a gateway that answers by itself may leave it out.
        request_id: Option<RequestId>,
    },
    /// The token source failed, or the server refused its token. The connection keeps its token until the end of that.
    TokenNotRenewed {
        /// The reason.
        error: ClientError,
    },
    /// A sentence about a frame of the server that changes nothing, for people.
    Notice(String),
    /// The connection failed. The verdict after the next [`StreamItem::Subscribed`] tells whether events were missed.
    Disconnected {
        /// The reason, which is temporary.
        error: ClientError,
        /// The time until the next attempt.
        retry_in: Duration,
        /// True if the connection had been subscribed.
        was_subscribed: bool,
    },
}
