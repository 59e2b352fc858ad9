use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use entity_stream_protocol::{RequestId, Since, Subscription, SubscriptionName};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, Sleep};

use crate::bookmark::Bookmark;
use crate::error::ClientError;
use crate::item::StreamItem;
use crate::link::{Link, LinkNews, OpenedConnection};
use crate::machine::{Input, Machine};
use crate::renewal::FreshToken;
use crate::requested_past::RequestedPast;
use crate::settings::Settings;
use crate::state::StreamState;
use crate::subscription_limits::InvalidSubscriptions;
use crate::subscription_request::SubscriptionRequest;
use crate::token_source::TokenMemory;

mod work;

/// A stream of the changes of one tenant, across connections.
///
/// The stream works while it is polled: it connects, subscribes, keeps the connection alive and connects again. Poll it without
/// long pauses; API Gateway closes a connection after ten minutes of silence. All methods are cancel safe.
///
/// The stream ends after its first `Err`, which no other attempt with the same arguments would change.
#[must_use = "a stream does nothing until it is polled"]
pub struct EntityStream {
    settings: Arc<Settings>,
    machine: Machine,
    link: Link,
    /// The connection that replaces the present one before its end.
    replacement: Link,
    /// The connections that were replaced, or that leave their group, with their numbers.
    retired: Vec<(u64, Link)>,
    memory: Arc<TokenMemory>,
    /// The renewal of the token of the present connection.
    fetching: Option<BoxFuture<'static, Result<Option<FreshToken>, ClientError>>>,
    /// The close handshakes of earlier connections.
    farewells: Vec<BoxFuture<'static, ()>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl EntityStream {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self::with_memory(settings, Arc::default())
    }

    fn with_memory(settings: Arc<Settings>, memory: Arc<TokenMemory>) -> Self {
        let (subscriptions, since) = (settings.subscriptions.clone(), settings.since.clone());
        let mut machine = Machine::new(subscriptions, since, settings.conduct, Instant::now());
        machine.begin_with_snapshots(settings.snapshots.clone());
        Self {
            machine,
            settings,
            link: Link::None,
            replacement: Link::None,
            retired: Vec::new(),
            memory,
            fetching: None,
            farewells: Vec::new(),
            timer: None,
        }
    }

    /// A stream whose first connection is open.
    pub(crate) fn over(settings: Arc<Settings>, memory: Arc<TokenMemory>, opened: OpenedConnection) -> Self {
        let mut stream = Self::with_memory(settings, memory);
        // From `Waiting` to `Connecting`. The link is there already, so that the step opens no other one.
        stream.link = Link::open(opened.socket);
        stream.step(Input::Elapsed);
        stream.news(LinkNews::Opened(opened.token));
        stream
    }

    /// The next item; `None` after the end of the stream.
    ///
    /// # Errors
    /// The error that ended the stream. Temporary errors are items, unless the client does not reconnect.
    pub async fn try_next(&mut self) -> Result<Option<StreamItem>, ClientError> {
        poll_fn(|cx| self.poll_next_unpin(cx)).await.transpose()
    }

    /// Sends a ping, if the stream is subscribed. [`StreamItem::Pong`] is the answer. The stream keeps its connection alive
    /// by itself; this is for programs that examine a server.
    pub fn ping(&mut self, request_id: RequestId) {
        self.step(Input::Ping(request_id));
    }

    /// Adds subscriptions, each in place of the subscription of the same name. The stream sends requests about subscriptions
    /// one after the other. The answer is [`StreamItem::Accepted`] or [`StreamItem::Refused`]; without a connection it is
    /// the next [`StreamItem::Subscribed`] or [`StreamItem::Idle`]. An empty list changes nothing.
    ///
    /// If the server keeps a history, no change is missed that matches the former and the new subscription of the same name;
    /// otherwise [`StreamItem::NotRecovered`] tells. Without a history, changes that are published while a subscription replaces
    /// another of the same name can be missed; [`replace`](Self::replace) misses none.
    ///
    /// # Errors
    /// [`InvalidSubscriptions`] if a connection cannot have them beside those of the stream. Nothing is sent.
    pub fn subscribe(
        &mut self,
        subscriptions: impl IntoIterator<Item = Subscription>,
    ) -> Result<(), InvalidSubscriptions> {
        self.request(SubscriptionRequest::Subscribe(subscriptions.into_iter().collect()))
    }

    /// Adds subscriptions as [`subscribe`](Self::subscribe) does, and begins each of them with a snapshot: the entities
    /// that match now come as [`StreamItem::Snapshot`], and then [`StreamItem::SnapshotComplete`]. Changes that come
    /// meanwhile are events.
    ///
    /// The stream fetches a large snapshot in parts; later requests wait for its end. After a reconnect that has not
    /// [recovered](StreamItem::Recovered) all events, the subscriptions begin with a snapshot again.
    ///
    /// # Errors
    /// [`InvalidSubscriptions`] if a connection cannot have them beside those of the stream. Nothing is sent.
    pub fn subscribe_with_snapshot(
        &mut self,
        subscriptions: impl IntoIterator<Item = Subscription>,
    ) -> Result<(), InvalidSubscriptions> {
        self.request(SubscriptionRequest::SubscribeWithSnapshot(subscriptions.into_iter().collect()))
    }

    /// Adds subscriptions as [`subscribe`](Self::subscribe) does, and begins them with the past events that match: those since a
    /// [`Bookmark`], or those of so many seconds before this call. After them comes [`StreamItem::Recovered`] or
    /// [`StreamItem::NotRecovered`].
    ///
    /// The server takes one such request in 10 seconds. The stream waits for that time, and with it the requests that follow.
    ///
    /// # Errors
    /// [`InvalidSubscriptions`] if a connection cannot have them beside those of the stream. Nothing is sent.
    pub fn subscribe_since(
        &mut self,
        subscriptions: impl IntoIterator<Item = Subscription>,
        since: impl Into<Since>,
    ) -> Result<(), InvalidSubscriptions> {
        self.request_past(subscriptions, since.into(), false)
    }

    /// Adds subscriptions as [`subscribe_since`](Self::subscribe_since) does, and begins them with a snapshot too. If the server
    /// has delivered the past events, the snapshot follows them.
    ///
    /// # Errors
    /// As for [`subscribe_since`](Self::subscribe_since).
    pub fn subscribe_since_with_snapshot(
        &mut self,
        subscriptions: impl IntoIterator<Item = Subscription>,
        since: impl Into<Since>,
    ) -> Result<(), InvalidSubscriptions> {
        self.request_past(subscriptions, since.into(), true)
    }

    fn request_past(
        &mut self,
        subscriptions: impl IntoIterator<Item = Subscription>,
        since: Since,
        has_snapshot: bool,
    ) -> Result<(), InvalidSubscriptions> {
        let (added, past) = (subscriptions.into_iter().collect(), RequestedPast::new(since, Instant::now()));
        self.request(SubscriptionRequest::SubscribeSince { added, past, has_snapshot })
    }

    /// Removes a subscription. Changes that are under way may still arrive. The answer comes as for
    /// [`subscribe`](Self::subscribe).
    ///
    /// # Errors
    /// [`InvalidSubscriptions::NotSubscribed`] if the stream has no such subscription. Nothing is sent.
    pub fn unsubscribe(&mut self, name: SubscriptionName) -> Result<(), InvalidSubscriptions> {
        self.request(SubscriptionRequest::Unsubscribe(name))
    }

    /// Adds a subscription and, once the server has accepted it, removes another. No change that matches both is missed. If
    /// the server refuses the new one, the old one stays. The answer comes as for [`subscribe`](Self::subscribe).
    ///
    /// The names have to differ for that: with the same name it is a [`subscribe`](Self::subscribe).
    ///
    /// # Errors
    /// [`InvalidSubscriptions`] if the stream does not have the old one, or a connection cannot have both. Nothing is sent.
    pub fn replace(&mut self, old: SubscriptionName, new: Subscription) -> Result<(), InvalidSubscriptions> {
        self.request(SubscriptionRequest::Replace { old, new: Box::new(new), has_snapshot: false })
    }

    /// Replaces a subscription as [`replace`](Self::replace) does, and begins the new one with a snapshot as
    /// [`subscribe_with_snapshot`](Self::subscribe_with_snapshot) does. The old one stays until the snapshot is complete.
    ///
    /// # Errors
    /// As for [`replace`](Self::replace).
    pub fn replace_with_snapshot(
        &mut self,
        old: SubscriptionName,
        new: Subscription,
    ) -> Result<(), InvalidSubscriptions> {
        self.request(SubscriptionRequest::Replace { old, new: Box::new(new), has_snapshot: true })
    }

    fn request(&mut self, request: SubscriptionRequest) -> Result<(), InvalidSubscriptions> {
        self.machine.check(&request)?;
        self.step(Input::Request(request));
        Ok(())
    }

    /// The state of the stream.
    pub fn state(&self) -> StreamState {
        self.machine.state()
    }

    /// The place in the history from which another stream can continue after the items that this one has handed out, with
    /// [`ClientBuilder::since`](crate::ClientBuilder::since). `None` before the first [`StreamItem::Subscribed`], after
    /// [`StreamItem::Idle`] and for a member of a group, and if the server keeps no history.
    ///
    /// A program stores the bookmark after it has handled the last item. The bookmark moves with the events, and every five minutes
    /// without one.
    pub fn bookmark(&self) -> Option<&Bookmark> {
        self.machine.bookmark()
    }

    /// The number of events that came again and were dropped.
    pub fn repeats(&self) -> u64 {
        self.machine.repeats()
    }

    /// Tells the stream that the network may be back, or that the machine has slept: the next attempt to connect begins at once,
    /// and an open connection has to show that it is alive.
    pub fn wake(&mut self) {
        self.step(Input::Wake);
    }

    /// Wants no more events. A member of a group leaves it: the server has assigned events to this stream, which it still hands out
    /// before it ends, within [`StreamTiming::drain`](crate::StreamTiming::drain). Any other stream ends at once.
    pub fn leave(&mut self) {
        let farewell = self.machine.leave(Instant::now());
        self.retire(farewell.as_ref());
        self.tidy();
    }

    /// Closes the connection in order, within a second. Dropping the stream cuts the connection off instead. A member of a group
    /// calls [`leave`](Self::leave) first, and takes the items until the end: events that the server has assigned to it are lost
    /// otherwise.
    pub async fn close(mut self) {
        self.step(Input::Close);
        futures_util::future::join_all(self.farewells).await;
    }
}

impl Stream for EntityStream {
    type Item = Result<StreamItem, ClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.get_mut();
        loop {
            stream.farewells.retain_mut(|farewell| farewell.poll_unpin(cx).is_pending());
            if let Some(item) = stream.machine.next_item() {
                return Poll::Ready(Some(item));
            }
            if stream.machine.state() == StreamState::Closed && !stream.machine.has_departures() {
                return Poll::Ready(None);
            }
            ready!(stream.poll_work(cx));
        }
    }
}

impl fmt::Debug for EntityStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityStream")
            .field("url", &self.settings.url)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
