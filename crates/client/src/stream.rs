use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use entity_stream_protocol::{ClientMessage, RequestId, Subscription, SubscriptionName};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::bookmark::Bookmark;
use crate::connection::{self, OpenSocket};
use crate::error::ClientError;
use crate::item::StreamItem;
use crate::machine::{Input, Machine};
use crate::settings::Settings;
use crate::state::StreamState;
use crate::subscription_limits::InvalidSubscriptions;
use crate::subscription_request::SubscriptionRequest;

/// A stream of the changes of one tenant, across connections.
///
/// It works while it is polled: it connects, subscribes, keeps the connection alive and connects again. Poll it without
/// long pauses; API Gateway closes a connection after ten minutes of silence. All methods are cancel safe.
///
/// The stream ends after its first `Err`, which no other attempt with the same arguments would change.
#[must_use = "a stream does nothing until it is polled"]
pub struct EntityStream {
    settings: Arc<Settings>,
    machine: Machine,
    link: Link,
    /// Frames that the socket has not taken yet.
    outgoing: VecDeque<Message>,
    /// The close handshake of the last connection.
    farewell: Option<BoxFuture<'static, ()>>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The connection of a stream.
enum Link {
    None,
    Opening(BoxFuture<'static, Result<OpenSocket, ClientError>>),
    Open(Box<OpenSocket>),
}

impl EntityStream {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        let (subscriptions, since) = (settings.subscriptions.clone(), settings.since.clone());
        let mut machine = Machine::new(subscriptions, since, settings.reconnects, Instant::now());
        machine.begin_with_snapshots(settings.snapshots.clone());
        Self { machine, settings, link: Link::None, outgoing: VecDeque::new(), farewell: None, timer: None }
    }

    /// A stream whose first connection is open.
    pub(crate) fn over(settings: Arc<Settings>, socket: OpenSocket) -> Self {
        let mut stream = Self::new(settings);
        // From `Waiting` to `Connecting`.
        stream.step(Input::Elapsed);
        stream.link = Link::Open(Box::new(socket));
        stream.step(Input::Opened);
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
    /// the next [`StreamItem::Subscribed`]. An empty list changes nothing.
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
        self.request(SubscriptionRequest::Replace { old, new: Box::new(new) })
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
    /// [`ClientBuilder::since`](crate::ClientBuilder::since). `None` before the first [`StreamItem::Subscribed`] and for a member
    /// of a group, and if the server keeps no history.
    ///
    /// A program that stores it stores it after it has handled the last item. It moves with the events, and every five minutes
    /// without one.
    pub fn bookmark(&self) -> Option<&Bookmark> {
        self.machine.bookmark()
    }

    /// The number of events that came again and were dropped.
    pub fn repeats(&self) -> u64 {
        self.machine.repeats()
    }

    /// Closes the connection in order, within a second. Dropping the stream cuts the connection off instead.
    pub async fn close(mut self) {
        self.step(Input::Close);
        if let Some(farewell) = self.farewell.take() {
            farewell.await;
        }
    }

    /// Takes an input, and then brings the connection in line with the state.
    fn step(&mut self, input: Input) {
        let now = Instant::now();
        let sent = self.machine.step(input, now);
        self.outgoing.extend(sent.as_ref().map(ClientMessage::to_json).map(Message::text));
        match (self.machine.state(), &self.link) {
            (StreamState::Connecting { .. }, Link::None) => {
                let (host, port) = self.settings.url.host();
                let (host, request) = (host.to_owned(), self.settings.request(&self.machine.url_subscriptions(now)));
                self.link =
                    Link::Opening(connection::open(host, port, request, self.settings.possession.clone()).boxed());
            }
            (StreamState::Waiting { .. } | StreamState::Closed, Link::Opening(_) | Link::Open(_)) => {
                self.outgoing.clear();
                if let Link::Open(socket) = std::mem::replace(&mut self.link, Link::None) {
                    self.farewell = Some(connection::farewell(*socket).boxed());
                }
            }
            _ => {}
        }
    }

    /// Lets the connection work until it waits for the network. The result is the input that it brought.
    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        let socket = match &mut self.link {
            Link::None => return Poll::Pending,
            Link::Opening(opening) => {
                return Poll::Ready(match ready!(opening.poll_unpin(cx)) {
                    Ok(socket) => {
                        self.link = Link::Open(Box::new(socket));
                        Input::Opened
                    }
                    Err(error) => Input::Failed(error),
                });
            }
            Link::Open(socket) => socket,
        };
        let sent = poll_send(socket, &mut self.outgoing, cx);
        // Reading comes before the error of a write: the server may have said why it closed.
        loop {
            return Poll::Ready(match socket.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(Message::Text(text)))) => Input::Received(text.as_str().to_owned(), time_of_day()),
                Poll::Ready(Some(Ok(Message::Close(frame)))) => Input::Failed(connection::closed(frame.as_ref())),
                // The library answers the pings of WebSocket.
                Poll::Ready(Some(Ok(_))) => continue,
                Poll::Ready(Some(Err(error))) => Input::Failed(connection::lost_by(error)),
                Poll::Ready(None) => Input::Failed(connection::lost()),
                Poll::Pending => match sent {
                    Poll::Ready(Err(error)) => Input::Failed(connection::lost_by(error)),
                    Poll::Ready(Ok(())) | Poll::Pending => return Poll::Pending,
                },
            });
        }
    }

    /// Waits for the deadline of the state.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.machine.state().deadline() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

#[expect(clippy::disallowed_methods, reason = "the time is only for people to read; nothing depends on it")]
fn time_of_day() -> SystemTime {
    SystemTime::now()
}

/// Sends as much as the socket accepts.
fn poll_send(
    socket: &mut OpenSocket,
    outgoing: &mut VecDeque<Message>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    while !outgoing.is_empty() {
        ready!(socket.poll_ready_unpin(cx))?;
        if let Some(message) = outgoing.pop_front() {
            socket.start_send_unpin(message)?;
        }
    }
    socket.poll_flush_unpin(cx)
}

impl Stream for EntityStream {
    type Item = Result<StreamItem, ClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.get_mut();
        loop {
            if stream.farewell.as_mut().is_some_and(|farewell| farewell.poll_unpin(cx).is_ready()) {
                stream.farewell = None;
            }
            if let Some(item) = stream.machine.next_item() {
                return Poll::Ready(Some(item));
            }
            if stream.machine.state() == StreamState::Closed {
                return Poll::Ready(None);
            }
            // The connection comes before the deadline: an answer that has arrived is in time, even if the caller was
            // slow to poll.
            match stream.poll_link(cx) {
                Poll::Ready(input) => stream.step(input),
                Poll::Pending => {
                    ready!(stream.poll_deadline(cx));
                    stream.step(Input::Elapsed);
                }
            }
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
