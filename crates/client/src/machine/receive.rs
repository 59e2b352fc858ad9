//! What a frame of the server does to the machine.

use entity_stream_protocol::{
    Answer, ClientMessage, CloudEvent, ErrorCode, EventMessage, EventType, Recovery, Rejection, RequestId,
    ServerMessage, SubscriptionName,
};
use tokio::time::Instant;

use super::{Machine, REQUEST_ID};
use crate::bookmark::Bookmark;
use crate::departure::Departure;
use crate::error::{ClientError, ErrorKind};
use crate::event::{ReceivedEvent, entries, names};
use crate::item::StreamItem;
use crate::resumption::BookmarkStep;
use crate::snapshots::{PAUSE, ReceivedPart, WholeSnapshot};
use crate::state::StreamState;
use crate::subscription_request::SubscriptionRequest;
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

    /// Takes one event. The connection opened with the default subscription or with none, so that every event of it matches. Only the
    /// stream's own connection tells positions, and not the next or the former one.
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
        // An event without state comes again with one.
        let is_new = event.state.is_some() || self.seen.insert(&event.id, names(&event), now);
        let item = is_new.then(|| self.new_event(text, event));
        self.repeats += u64::from(!is_new);
        self.hand_out_with(item, step);
    }

    /// Returns whether a past event is only for subscriptions that the program has added while the stream was disconnected. The place
    /// from which the stream resumes holds for all of them, and nothing from before a subscription is for it.
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
    fn takes_positions(&self) -> bool {
        matches!(self.state, StreamState::Streaming { accept_by: None, .. })
            && !self.snapshots.is_under_way()
            && !self.awaits_retired()
    }

    /// True if a retired connection may bring events that no other connection has: the bookmark stays before them.
    fn awaits_retired(&self) -> bool {
        self.departures.iter().any(Departure::is_only_source)
    }

    /// True if a request about subscriptions is under way.
    fn is_requesting(&self) -> bool {
        matches!(self.state, StreamState::Streaming { accept_by: Some(_), .. })
    }

    fn answered(&mut self, answer: Answer, is_subscribed: bool, now: Instant) -> Option<ClientMessage> {
        match answer {
            Answer::Subscribed { request_id, position, session, recovery, snapshot, snapshot_next, .. } => {
                let part = snapshot.map(|entities| ReceivedPart { entities, next: snapshot_next });
                let (id, bookmark) = (request_id.as_ref(), Bookmark::of(position, session));
                if !is_subscribed && is_ours(id) {
                    let (step, verdict) = self.resumption.answered(bookmark, recovery);
                    self.subscribed(step, verdict, part, now)
                } else if self.subscriptions.awaits(id) {
                    self.accepted(Some((bookmark, recovery)), part, now)
                } else if self.snapshots.awaits(id) {
                    let (step, verdict) = self.resumption.accepted(bookmark, recovery);
                    self.hand_out_with(verdict, None);
                    if !self.awaits_retired() {
                        self.snapshots.hold(step);
                    }
                    // A service that has switched entity state off refuses the request instead.
                    self.snapshot_arrived(part.unwrap_or(ReceivedPart { entities: 0, next: None }), now)
                } else {
                    None
                }
            }
            Answer::Snapshot { request_id, snapshot, snapshot_next } if self.snapshots.awaits(request_id.as_ref()) => {
                self.snapshot_arrived(ReceivedPart { entities: snapshot, next: snapshot_next }, now)
            }
            Answer::Unsubscribed { request_id, .. } if self.subscriptions.awaits(request_id.as_ref()) => {
                self.accepted(None, None, now)
            }
            Answer::Authenticated { request_id, .. } if self.renewal.awaits(request_id.as_ref()) => {
                self.is_refused = false;
                self.renewal.accepted(self.conduct.timing.renew_before, now);
                None
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
        step: BookmarkStep,
        verdict: Option<StreamItem>,
        part: Option<ReceivedPart>,
        now: Instant,
    ) -> Option<ClientMessage> {
        self.state = StreamState::Streaming {
            since: now,
            ping_at: now + self.conduct.timing.ping,
            answer_by: None,
            accept_by: None,
            snapshot_at: None,
        };
        (self.has_subscribed, self.is_refused) = (true, false);
        self.begin_rotation(now);
        self.snapshots.owe(self.subscriptions.new_snapshots_at_opening());
        self.subscriptions.opened();
        let begun = self.subscriptions.snapshots_at_opening();
        if let Some(part) = part.filter(|_| !begun.is_empty()) {
            self.hand_out_both(Some(StreamItem::Subscribed), verdict, None);
            self.snapshots.begin(begun, Some(step));
            return self.snapshot_arrived(part, now);
        }
        // The stream resumes, so the server sent no snapshot.
        let owed = self.snapshots.owed(&begun);
        if !owed.is_empty() && verdict.is_some() {
            self.hand_out_both(Some(StreamItem::Subscribed), verdict, Some(step));
            self.snapshots.begin(owed, None);
            return self.send_snapshot_request(now);
        }
        self.hand_out_both(Some(StreamItem::Subscribed), verdict, Some(step));
        self.send_next(now)
    }

    /// A part of the snapshot that is under way arrived.
    fn snapshot_arrived(&mut self, part: ReceivedPart, now: Instant) -> Option<ClientMessage> {
        self.no_longer_requesting();
        let is_empty = part.entities == 0;
        match self.snapshots.arrived(part) {
            Some(WholeSnapshot { subscriptions, entities, held }) => {
                let subscriptions = subscriptions.into_iter().collect();
                self.hand_out_with(Some(StreamItem::SnapshotComplete { subscriptions, entities }), held);
                self.send_next(now)
            }
            // A server that cannot read the entities sends an empty part.
            None if is_empty => self.pause_snapshot(now),
            None => self.send_snapshot_request(now),
        }
    }

    fn pause_snapshot(&mut self, now: Instant) -> Option<ClientMessage> {
        if let StreamState::Streaming { snapshot_at, .. } = &mut self.state {
            *snapshot_at = Some(now + PAUSE);
        }
        None
    }

    /// The server accepted the request about subscriptions that is under way.
    fn accepted(
        &mut self,
        past: Option<(Option<Bookmark>, Option<Recovery>)>,
        part: Option<ReceivedPart>,
        now: Instant,
    ) -> Option<ClientMessage> {
        self.no_longer_requesting();
        let past = past.map(|(bookmark, recovery)| self.resumption.accepted(bookmark, recovery));
        let (step, verdict) = past.map_or((None, None), |(step, verdict)| (Some(step), verdict));
        let step = step.filter(|_| !self.awaits_retired());
        let (item, sent) = match self.subscriptions.accept() {
            Some(RequestProgress::Done(request @ SubscriptionRequest::SubscribeWithSnapshot(_))) => {
                let begun = request.begins_with_snapshot();
                self.snapshots.owe(begun.clone());
                self.hand_out_both(Some(StreamItem::Accepted(request)), verdict, None);
                self.snapshots.begin(begun, step);
                return self.snapshot_arrived(part.unwrap_or(ReceivedPart { entities: 0, next: None }), now);
            }
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
        if self.renewal.awaits(request_id.as_ref()) && error.kind() != ErrorKind::Disconnected {
            // A server that cannot verify tokens at the moment may accept the next one.
            match error.is_temporary() || code == ErrorCode::LimitExceeded {
                true => self.renewal.not_fetched(now),
                false => {
                    // The token is not sent again, with a handshake either.
                    self.is_refused = true;
                    self.renewal.refused();
                }
            }
            self.hand_out(StreamItem::TokenNotRenewed { error });
            return None;
        }
        if self.snapshots.awaits(request_id.as_ref()) {
            return self.snapshot_rejected(&code, error, now);
        }
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

impl Machine {
    /// The server did not answer the request for a part of a snapshot.
    fn snapshot_rejected(&mut self, code: &ErrorCode, error: ClientError, now: Instant) -> Option<ClientMessage> {
        self.no_longer_requesting();
        match code {
            ErrorCode::InvalidSnapshotToken if self.snapshots.restarts() => self.send_snapshot_request(now),
            ErrorCode::Internal | ErrorCode::Conflict if self.snapshots.can_retry() => self.pause_snapshot(now),
            _ => {
                self.disconnect(error, now);
                None
            }
        }
    }
}

fn is_ours(request_id: Option<&RequestId>) -> bool {
    request_id.map(RequestId::as_str) == Some(REQUEST_ID)
}
