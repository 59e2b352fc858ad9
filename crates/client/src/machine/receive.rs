//! What a frame of the server does to the machine.

use entity_stream_protocol::{
    Answer, ClientMessage, CloudEvent, ErrorCode, EventMessage, Position, Recovery, Rejection, RequestId,
    ServerMessage, Session,
};
use tokio::time::Instant;

use super::{Machine, PING, REQUEST_ID};
use crate::bookmark::Bookmark;
use crate::error::{ClientError, ErrorKind};
use crate::event::{ReceivedEvent, entries, names};
use crate::item::StreamItem;
use crate::resumption::BookmarkStep;
use crate::state::StreamState;
use crate::subscription_set::RequestProgress;
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
                    self.receive_event(entry, message, now);
                }
                None
            }
            message @ (ServerMessage::Event(_) | ServerMessage::CloudEvent(_)) => {
                self.receive_event(frame, message, now);
                None
            }
            ServerMessage::Answer(Answer::Error(rejection)) => self.rejected(rejection, is_subscribed, now),
            ServerMessage::Answer(answer) => self.answered(answer, is_subscribed, now),
            // It has no id of ours: it may be about the request under way.
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

    /// Takes one event. The connection opened with the default subscription or with none, so that every event of it matches.
    fn receive_event(&mut self, text: &str, message: ServerMessage<'_>, now: Instant) {
        let (ServerMessage::Event(event) | ServerMessage::CloudEvent(CloudEvent { data: event, .. })) = message else {
            return;
        };
        let step = event.position.clone().filter(|_| self.takes_positions()).map(BookmarkStep::Seen);
        let is_new = self.seen.insert(&event.id, names(&event), now);
        let item = is_new.then(|| self.new_event(text, event));
        self.repeats += u64::from(!is_new);
        self.hand_out_with(item, step);
    }

    fn new_event(&mut self, text: &str, event: EventMessage<'_>) -> StreamItem {
        if event.replayed {
            self.resumption.count_replayed();
        }
        StreamItem::Event(Box::new(ReceivedEvent::new(text.to_owned(), event.into_owned())))
    }

    /// True if the server has answered for all subscriptions, so that a position holds for all of them.
    fn takes_positions(&self) -> bool {
        matches!(self.state, StreamState::Streaming { accept_by: None, .. })
    }

    /// True if a request about subscriptions is under way.
    fn is_requesting(&self) -> bool {
        matches!(self.state, StreamState::Streaming { accept_by: Some(_), .. })
    }

    fn answered(&mut self, answer: Answer, is_subscribed: bool, now: Instant) -> Option<ClientMessage> {
        match answer {
            Answer::Subscribed { request_id, position, session, recovery, .. }
                if !is_subscribed && is_ours(request_id.as_ref()) =>
            {
                let (step, verdict) = self.resumption.answered(bookmark(position, session), recovery);
                self.subscribed(Some(step), verdict, now)
            }
            // A gateway that answers pings by itself may leave the id out. Another ping was not sent.
            Answer::Pong { .. } if !is_subscribed && self.subscriptions.at_opening().is_empty() => {
                self.resumption.forget();
                self.subscribed(None, None, now)
            }
            Answer::Subscribed { request_id, position, session, recovery, .. }
                if self.subscriptions.awaits(request_id.as_ref()) =>
            {
                self.accepted(Some((bookmark(position, session), recovery)), now)
            }
            Answer::Unsubscribed { request_id, .. } if self.subscriptions.awaits(request_id.as_ref()) => {
                self.accepted(None, now)
            }
            Answer::Synced { position, .. } if self.takes_positions() => {
                self.hand_out_with(None, Some(BookmarkStep::Seen(position)));
                None
            }
            Answer::Pong { request_id } if self.program_pinged => {
                self.program_pinged = false;
                self.hand_out(StreamItem::Pong { request_id });
                None
            }
            _ => None,
        }
    }

    /// The server accepted what the connection opened with.
    fn subscribed(
        &mut self,
        step: Option<BookmarkStep>,
        verdict: Option<StreamItem>,
        now: Instant,
    ) -> Option<ClientMessage> {
        self.state = StreamState::Streaming { since: now, ping_at: now + PING, answer_by: None, accept_by: None };
        self.subscriptions.opened();
        self.hand_out_both(Some(StreamItem::Subscribed), verdict, step);
        self.send_next(now)
    }

    /// The server accepted the request about subscriptions that is under way.
    fn accepted(&mut self, past: Option<(Option<Bookmark>, Option<Recovery>)>, now: Instant) -> Option<ClientMessage> {
        self.no_longer_requesting();
        let past = past.map(|(bookmark, recovery)| self.resumption.accepted(bookmark, recovery));
        let (step, verdict) = past.map_or((None, None), |(step, verdict)| (Some(step), verdict));
        let (item, sent) = match self.subscriptions.accept() {
            Some(RequestProgress::Done(request)) => (Some(StreamItem::Accepted(request)), self.send_next(now)),
            Some(RequestProgress::Continues) => {
                let message = self.subscriptions.continued();
                (None, self.send_request(message, now))
            }
            None => (None, None),
        };
        self.hand_out_both(item, verdict, step);
        sent
    }

    fn no_longer_requesting(&mut self) {
        if let StreamState::Streaming { accept_by, .. } = &mut self.state {
            *accept_by = None;
        }
    }

    fn rejected(&mut self, rejection: Rejection, is_subscribed: bool, now: Instant) -> Option<ClientMessage> {
        let Rejection { code, message, request_id, subscription, action } = rejection;
        let message = repeatable(&message);
        if is_subscribed && request_id.is_none() && code != ErrorCode::NotConnected {
            let keeps_no_history = matches!(code, ErrorCode::NotAvailable | ErrorCode::UnknownAction);
            if keeps_no_history && action.as_deref() == Some("sync") {
                // The history was switched off after the connection opened.
                self.hand_out_with(None, Some(BookmarkStep::BeginsAnew(None)));
            } else {
                self.hand_out(StreamItem::Notice(format!("the server says: {message}")));
            }
            return None;
        }
        let is_request = self.subscriptions.awaits(request_id.as_ref());
        if !is_subscribed && code == ErrorCode::LimitExceeded && self.resumption.is_too_soon() {
            self.disconnect(ClientError::TooSoon(message), now);
            return None;
        }
        let error = ClientError::Rejected { code: code.clone(), message, subscription };
        // Any other kind concerns the connection as a whole.
        if is_request && matches!(error.kind(), ErrorKind::RequestRefused | ErrorKind::Unavailable) {
            self.no_longer_requesting();
            let refused = self.subscriptions.refuse(&code);
            self.hand_out_with(refused.map(|request| StreamItem::Refused { request, error }), None);
            return self.send_next(now);
        }
        self.disconnect(error, now);
        None
    }
}

fn is_ours(request_id: Option<&RequestId>) -> bool {
    request_id.map(RequestId::as_str) == Some(REQUEST_ID)
}

fn bookmark(position: Option<Position>, session: Option<Session>) -> Option<Bookmark> {
    Some(Bookmark { position: position?, session: session? })
}
