//! Takes the frames of the server, and the events in them.

use std::borrow::Cow;

use entity_stream_protocol::{
    Answer, ClientMessage, CloudEvent, EventMessage, EventType, ServerMessage, SubscriptionName,
};
use tokio::time::Instant;

use super::Machine;
use crate::departure::Departure;
use crate::error::ClientError;
use crate::event::{ReceivedEvent, entries, names};
use crate::item::StreamItem;
use crate::resumption::BookmarkStep;
use crate::state::StreamState;
use crate::text::repeatable;

impl Machine {
    pub(super) fn receive(&mut self, frame: &str, now: Instant) -> Option<ClientMessage> {
        let is_subscribed = match &mut self.state {
            StreamState::Streaming { answer_by, .. } => {
                // Any frame shows that the server is there.
                *answer_by = None;
                true
            }
            _ => false,
        };
        let Ok(message) = ServerMessage::parse(frame) else {
            // The parser's error may repeat a value of an entity.
            self.hand_out(StreamItem::Notice(
                "the server sent a frame that is not a message of the contract".to_owned(),
            ));
            return None;
        };
        match message {
            ServerMessage::Events(messages) => {
                for (entry, message) in entries(frame).into_iter().zip(messages) {
                    self.receive_event(entry, message, true, now);
                }
                None
            }
            message @ (ServerMessage::Event(_) | ServerMessage::CloudEvent(_)) => {
                self.receive_event(frame, message, true, now);
                None
            }
            ServerMessage::Answer(Answer::Error(rejection)) => self.rejected(rejection, is_subscribed, now),
            ServerMessage::Answer(answer) => self.answered(answer, is_subscribed, now),
            // The error has no `requestId` of the client, so its request may be the one under way.
            ServerMessage::GatewayError(error) if is_subscribed && !self.is_requesting() => {
                self.hand_out(StreamItem::Notice(format!("the gateway says: {}", repeatable(&error.message))));
                None
            }
            ServerMessage::GatewayError(error) => {
                self.disconnect(ClientError::Gateway(repeatable(&error.message)), now);
                None
            }
            ServerMessage::Other(_) => None,
        }
    }

    /// Takes one event. The connection opened with the default subscription or with none, so that every event of it matches. Only
    /// the stream's own connection tells positions, and not the next or the former one.
    pub(super) fn receive_event(&mut self, text: &str, message: ServerMessage<'_>, tells_position: bool, now: Instant) {
        let (ServerMessage::Event(event) | ServerMessage::CloudEvent(CloudEvent { data: event, .. })) = message else {
            return;
        };
        if event.event_type == EventType::EntitySnapshot {
            self.extend_answer(now);
            self.hand_out(StreamItem::Snapshot(Box::new(ReceivedEvent::new(text.to_owned(), event.into_owned()))));
            return;
        }
        if event.replayed && self.is_older_than_its_subscriptions(names(&event)) {
            return;
        }
        let step = event.position.clone().filter(|_| tells_position && self.takes_positions()).map(BookmarkStep::Seen);
        let Some(event) = self.without_ended(event) else {
            self.hand_out_with(None, step);
            return;
        };
        // An event without state comes again with one.
        let is_new = event.state.is_some() || self.seen.insert(&event.id, names(&event), now);
        let item = is_new.then(|| self.new_event(text, event));
        self.repeats += u64::from(!is_new);
        self.hand_out_with(item, step);
    }

    /// The event without the names of subscriptions that are over. `None` if it has no others.
    fn without_ended<'a>(&self, mut event: EventMessage<'a>) -> Option<EventMessage<'a>> {
        if !names(&event).iter().any(|name| self.is_over(name)) {
            return Some(event);
        }
        let left: Vec<_> = names(&event).iter().filter(|name| !self.is_over(name)).cloned().collect();
        event.subscriptions = Some(Cow::Owned(left));
        (!names(&event).is_empty()).then_some(event)
    }

    /// Returns whether a past event is only for subscriptions that the program has added while the stream was disconnected. The
    /// place from which the stream resumes holds for all of them, and nothing from before a subscription is for it.
    fn is_older_than_its_subscriptions(&self, names: &[SubscriptionName]) -> bool {
        if !self.has_subscribed || !matches!(self.state, StreamState::Subscribing { .. }) {
            return false;
        }
        let added = self.subscriptions.added_at_opening();
        names.iter().all(|name| added.contains(name))
    }

    /// A snapshot arrives before its answer, so each of its messages is a sign that the answer will come.
    fn extend_answer(&mut self, now: Instant) {
        match &mut self.state {
            StreamState::Subscribing { until } => *until = now + self.conduct.timing.answer,
            StreamState::Streaming { accept_by: Some(accept_by), .. } => *accept_by = now + self.conduct.timing.answer,
            _ => {}
        }
    }

    fn new_event(&mut self, text: &str, event: EventMessage<'_>) -> StreamItem {
        if event.replayed {
            self.resumption.count_replayed();
        }
        StreamItem::Event(Box::new(ReceivedEvent::new(text.to_owned(), event.into_owned())))
    }

    /// True if the server has answered for all subscriptions, no snapshot is under way, and no other connection may bring earlier
    /// events, so that a position holds for all of them.
    pub(super) fn takes_positions(&self) -> bool {
        matches!(self.state, StreamState::Streaming { accept_by: None, .. })
            && !self.snapshots.is_under_way()
            && !self.awaits_retired()
    }

    /// True if a retired connection may bring events that no other connection has: the bookmark stays before them.
    pub(super) fn awaits_retired(&self) -> bool {
        self.departures.iter().any(Departure::is_only_source)
    }
}
