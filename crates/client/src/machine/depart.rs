//! What a retired connection does to the machine.

use entity_stream_protocol::{Answer, ClientMessage, ServerMessage};
use tokio::time::Instant;

use super::Machine;
use crate::departure::Departure;
use crate::event::entries;
use crate::state::StreamState;

impl Machine {
    /// The connection is retired. Returns its first message.
    pub(super) fn depart(&mut self, now: Instant) -> Option<ClientMessage> {
        let names = self.subscriptions.at_opening().into_iter().map(|subscription| subscription.name);
        let mut departure = Departure::new(names.collect(), now + self.conduct.timing.drain);
        let message = if self.conduct.is_member { departure.next_message(now) } else { None };
        self.departure = Some(departure);
        message
    }

    /// The program wants no more new events. A member of a group leaves it: the connection is retired, and the first message for
    /// it is returned. Otherwise the stream is closed.
    pub(crate) fn leave(&mut self, now: Instant) -> Option<ClientMessage> {
        let is_subscribed = matches!(self.state, StreamState::Streaming { .. });
        self.stop_rotation();
        self.renewal.stop();
        self.departure = None;
        let message = if is_subscribed && self.conduct.is_member { self.depart(now) } else { None };
        self.state = StreamState::Closed;
        message
    }

    /// True if a retired connection still has events.
    pub(crate) fn is_departing(&self) -> bool {
        self.departure.is_some()
    }

    /// A frame of the retired connection. Returns the next message for it.
    pub(crate) fn receive_retired(&mut self, frame: &str, now: Instant) -> Option<ClientMessage> {
        self.departure.as_mut()?.hear(now);
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
            ServerMessage::Answer(Answer::Unsubscribed { .. } | Answer::Error(_)) if self.conduct.is_member => {
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
