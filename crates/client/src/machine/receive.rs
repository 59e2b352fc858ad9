//! What a frame of the server does to the machine.

use entity_stream_protocol::{Answer, CloudEvent, ErrorCode, Rejection, RequestId, ServerMessage};
use tokio::time::Instant;

use super::{Effects, Machine, PING, REQUEST_ID};
use crate::error::{ClientError, ErrorKind};
use crate::event::{ReceivedEvent, names};
use crate::item::StreamItem;
use crate::state::StreamState;
use crate::subscription_set::RequestProgress;
use crate::text::repeatable;

impl Machine {
    pub(super) fn receive(&mut self, frame: String, now: Instant) -> Effects {
        let is_subscribed = match &mut self.state {
            StreamState::Streaming { answer_by, .. } => {
                // Any frame shows that the server is there.
                *answer_by = None;
                true
            }
            _ => false,
        };
        let Ok(message) = ServerMessage::parse(&frame) else {
            // The parser's error may repeat a value of an entity.
            let notice = "the server sent a frame that is not a message of the contract";
            return Effects::item(StreamItem::Notice(notice.to_owned()));
        };
        match message {
            // The connection opened with the default subscription or with none, so that every event of it matches.
            ServerMessage::Event(event) | ServerMessage::CloudEvent(CloudEvent { data: event, .. }) => {
                if !self.seen.insert(&event.id, names(&event)) {
                    self.repeats += 1;
                    return Effects::default();
                }
                let message = event.into_owned();
                Effects::item(StreamItem::Event(Box::new(ReceivedEvent::new(frame, message))))
            }
            ServerMessage::Answer(Answer::Error(rejection)) => self.rejected(rejection, is_subscribed, now),
            ServerMessage::Answer(answer) => self.answered(&answer, is_subscribed, now),
            // It has no id of ours: it may be about the request under way.
            ServerMessage::GatewayError(error) if is_subscribed && !self.is_requesting() => {
                Effects::item(StreamItem::Notice(format!("the gateway says: {}", repeatable(&error.message))))
            }
            ServerMessage::GatewayError(error) => {
                self.disconnect(ClientError::Gateway(repeatable(&error.message)), now)
            }
            // The client does not ask for frames of several messages.
            ServerMessage::Events(_) | ServerMessage::Other(_) => Effects::default(),
        }
    }

    /// True if a request about subscriptions is under way.
    fn is_requesting(&self) -> bool {
        matches!(self.state, StreamState::Streaming { accept_by: Some(_), .. })
    }

    fn answered(&mut self, answer: &Answer, is_subscribed: bool, now: Instant) -> Effects {
        match answer {
            Answer::Subscribed { request_id, .. } if !is_subscribed && is_ours(request_id) => self.subscribed(now),
            // A gateway that answers pings by itself may leave the id out. Another ping was not sent.
            Answer::Pong { .. } if !is_subscribed && self.subscriptions.at_opening().is_empty() => self.subscribed(now),
            Answer::Subscribed { request_id, .. } | Answer::Unsubscribed { request_id, .. }
                if self.subscriptions.awaits(request_id.as_ref()) =>
            {
                self.accepted(now)
            }
            Answer::Pong { request_id } if self.program_pinged => {
                self.program_pinged = false;
                Effects::item(StreamItem::Pong { request_id: request_id.clone() })
            }
            _ => Effects::default(),
        }
    }

    /// The server accepted what the connection opened with.
    fn subscribed(&mut self, now: Instant) -> Effects {
        self.state = StreamState::Streaming { since: now, ping_at: now + PING, answer_by: None, accept_by: None };
        self.subscriptions.opened();
        self.send_next(now, Some(StreamItem::Subscribed))
    }

    /// The server accepted the request about subscriptions that is under way.
    fn accepted(&mut self, now: Instant) -> Effects {
        self.no_longer_requesting();
        match self.subscriptions.accept() {
            Some(RequestProgress::Done(request)) => self.send_next(now, Some(StreamItem::Accepted(request))),
            Some(RequestProgress::Continues) => {
                let message = self.subscriptions.continued();
                self.send_request(message, now, None)
            }
            None => Effects::default(),
        }
    }

    fn no_longer_requesting(&mut self) {
        if let StreamState::Streaming { accept_by, .. } = &mut self.state {
            *accept_by = None;
        }
    }

    fn rejected(&mut self, rejection: Rejection, is_subscribed: bool, now: Instant) -> Effects {
        let Rejection { code, message, request_id, subscription, .. } = rejection;
        let message = repeatable(&message);
        if is_subscribed && request_id.is_none() && code != ErrorCode::NotConnected {
            return Effects::item(StreamItem::Notice(format!("the server says: {message}")));
        }
        let is_request = self.subscriptions.awaits(request_id.as_ref());
        let error = ClientError::Rejected { code: code.clone(), message, subscription };
        // Any other kind concerns the connection as a whole.
        if is_request && matches!(error.kind(), ErrorKind::RequestRefused | ErrorKind::Unavailable) {
            self.no_longer_requesting();
            let refused = self.subscriptions.refuse(&code);
            return self.send_next(now, refused.map(|request| StreamItem::Refused { request, error }));
        }
        self.disconnect(error, now)
    }
}

fn is_ours(request_id: &Option<RequestId>) -> bool {
    request_id.as_ref().map(RequestId::as_str) == Some(REQUEST_ID)
}
