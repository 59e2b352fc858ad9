//! A connection that is no longer the stream's, and still brings events that are under way.
//!
//! A member of a group first leaves the group: the server has assigned events to the connection until it has answered, and some
//! arrive a little later.

use std::collections::VecDeque;
use std::time::Duration;

use entity_stream_protocol::{Action, Answer, ClientMessage, RequestId, ServerMessage, SubscriptionName};
use tokio::time::Instant;

use super::Machine;
use crate::event::entries;
use crate::state::StreamState;

/// The silence after which a connection that has left its group gets no more events.
const QUIET: Duration = Duration::from_secs(1);
/// The `requestId` of its messages, which come one after the other.
const REQUEST_ID: &str = "leave";

/// A connection that ends.
#[derive(Debug)]
pub(super) struct Departure {
    /// The subscriptions to remove.
    names: VecDeque<SubscriptionName>,
    /// The end, if nothing arrives.
    quiet_at: Option<Instant>,
    end: Instant,
}

impl Departure {
    pub(super) fn deadline(&self) -> Instant {
        self.quiet_at.map_or(self.end, |quiet_at| quiet_at.min(self.end))
    }

    /// The next message. If there is none, the connection ends once it is quiet.
    fn next_message(&mut self, now: Instant) -> Option<ClientMessage> {
        let Some(subscription) = self.names.pop_front() else {
            self.quiet_at = Some(now + QUIET);
            return None;
        };
        Some(ClientMessage {
            action: Action::Unsubscribe { subscription },
            request_id: RequestId::parse(REQUEST_ID).ok(),
        })
    }
}

impl Machine {
    /// The connection is retired. Returns its first message.
    pub(super) fn depart(&mut self, now: Instant) -> Option<ClientMessage> {
        let end = now + self.behaviour.timing.drain;
        let mut departure = Departure { names: VecDeque::new(), quiet_at: None, end };
        let mut message = None;
        if self.behaviour.is_member {
            departure.names =
                self.subscriptions.at_opening().into_iter().map(|subscription| subscription.name).collect();
            message = departure.next_message(now);
        }
        self.departure = Some(departure);
        message
    }

    /// The program wants no more new events. A member of a group leaves it: the connection is retired, and the first message for
    /// it is returned. Otherwise the stream is closed.
    pub(crate) fn leave(&mut self, now: Instant) -> Option<ClientMessage> {
        let is_subscribed = matches!(self.state, StreamState::Streaming { .. });
        self.stop_rotation();
        self.renewal.stop();
        let message = if is_subscribed && self.behaviour.is_member { self.depart(now) } else { None };
        self.state = StreamState::Closed;
        message
    }

    /// True if a retired connection still has events.
    pub(crate) fn is_departing(&self) -> bool {
        self.departure.is_some()
    }

    /// A frame of the retired connection. Returns the next message for it.
    pub(crate) fn receive_retired(&mut self, frame: &str, now: Instant) -> Option<ClientMessage> {
        let departure = self.departure.as_mut()?;
        if let Some(quiet_at) = &mut departure.quiet_at {
            *quiet_at = now + QUIET;
        }
        match ServerMessage::parse(frame).ok()? {
            ServerMessage::Events(messages) => {
                for (entry, message) in entries(frame).into_iter().zip(messages) {
                    self.receive_event(entry, message, false, now);
                }
                None
            }
            message @ (ServerMessage::Event(_) | ServerMessage::CloudEvent(_)) => {
                self.receive_event(frame, message, false, now);
                None
            }
            ServerMessage::Answer(Answer::Unsubscribed { .. } | Answer::Error(_)) if self.behaviour.is_member => {
                self.departure.as_mut()?.next_message(now)
            }
            ServerMessage::Answer(_) | ServerMessage::GatewayError(_) | ServerMessage::Other(_) => None,
        }
    }

    /// The retired connection ended.
    pub(crate) fn retired_ended(&mut self) {
        self.departure = None;
    }
}
