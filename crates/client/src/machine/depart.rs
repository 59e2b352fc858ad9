//! Retired connections: each still brings the events that are under way, and ends.
//!
//! Invariants:
//! - A retired connection ends by itself: when it is quiet after it has left its group, and after a time in any case.
//! - Several connections can be retired at the same time, each with a number. None cuts another one off.

use entity_stream_protocol::{Answer, ClientMessage, ServerMessage};
use tokio::time::Instant;

use super::Machine;
use crate::departure::Departure;
use crate::error::ClientError;
use crate::event::entries;
use crate::state::StreamState;

impl Machine {
    /// The connection is retired. Returns its first message. `is_only_source`: the connection may bring events that no other one
    /// has.
    pub(super) fn depart(&mut self, is_only_source: bool, now: Instant) -> Option<ClientMessage> {
        let names = self.subscriptions.at_opening().into_iter().map(|subscription| subscription.name);
        let names = names.chain(self.postponed.names().cloned());
        let (number, end) = (self.retirements, now + self.conduct.timing.drain);
        self.retirements += 1;
        let mut departure = Departure::new(number, names.collect(), is_only_source, end);
        let message = if self.conduct.is_member { departure.next_message(now) } else { None };
        self.departures.push(departure);
        message
    }

    /// The program wants no more new events. A member of a group leaves the group: the connection is retired, and the first message
    /// for it is returned. Otherwise the stream is closed.
    pub(crate) fn leave(&mut self, now: Instant) -> Option<ClientMessage> {
        let is_subscribed = matches!(self.state, StreamState::Streaming { .. });
        self.stop_rotation();
        self.renewal.stop();
        if !self.conduct.is_member {
            self.departures.clear();
        }
        let message = if is_subscribed && self.conduct.is_member { self.depart(false, now) } else { None };
        self.state = StreamState::Closed;
        message
    }

    /// The number of the connection that was retired last, while it still has events.
    pub(crate) fn last_retired(&self) -> Option<u64> {
        self.departures.last().map(Departure::number)
    }

    /// True if this retired connection still has events.
    pub(crate) fn is_departing(&self, number: u64) -> bool {
        self.departures.iter().any(|departure| departure.number() == number)
    }

    /// True if a retired connection still has events.
    pub(crate) fn has_departures(&self) -> bool {
        !self.departures.is_empty()
    }

    pub(super) fn elapse_departures(&mut self, now: Instant) {
        self.departures.retain(|departure| now < departure.deadline());
    }

    /// A frame of a retired connection. Returns the next message for it.
    pub(crate) fn receive_retired(&mut self, number: u64, frame: &str, now: Instant) -> Option<ClientMessage> {
        self.departure(number)?.hear(now);
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
                self.departure(number)?.next_message(now)
            }
            ServerMessage::Answer(_) | ServerMessage::GatewayError(_) | ServerMessage::Other(_) => None,
        }
    }

    /// A retired connection ended. If that was too early, the stream resumes from before it was replaced.
    pub(crate) fn retired_ended(&mut self, number: u64, error: ClientError, now: Instant) {
        let was_only_source = self.departure(number).is_some_and(|departure| departure.is_only_source());
        self.departures.retain(|departure| departure.number() != number);
        let is_connected = matches!(self.state, StreamState::Streaming { .. } | StreamState::Subscribing { .. });
        if is_connected && was_only_source {
            self.disconnect(error, now);
            self.plan_idle(now);
        }
    }

    fn departure(&mut self, number: u64) -> Option<&mut Departure> {
        self.departures.iter_mut().find(|departure| departure.number() == number)
    }
}
