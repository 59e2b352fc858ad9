//! Takes the answers of the server to the requests of the stream.

use entity_stream_protocol::{Answer, ClientMessage, Recovery, RequestId};
use tokio::time::Instant;

use super::{Machine, REQUEST_ID};
use crate::bookmark::Bookmark;
use crate::item::StreamItem;
use crate::resumption::BookmarkStep;
use crate::snapshots::{PAUSE as SNAPSHOT_PAUSE, ReceivedPart, WholeSnapshot};
use crate::state::StreamState;
use crate::subscription_set::AcceptedMessage;

impl Machine {
    pub(super) fn answered(&mut self, answer: Answer, is_subscribed: bool, now: Instant) -> Option<ClientMessage> {
        match answer {
            Answer::Subscribed { request_id, position, session, recovery, snapshot, snapshot_next, .. } => {
                let part = snapshot.map(|entities| ReceivedPart { entities, next: snapshot_next });
                let (id, bookmark) = (request_id.as_ref(), Bookmark::of(position, session));
                if !is_subscribed && is_ours(id) {
                    let (step, verdict) = self.resumption.answered(bookmark, recovery, now);
                    self.subscribed(step, verdict, part, now)
                } else if self.subscriptions.awaits(id) {
                    self.accepted(Some((bookmark, recovery)), part, now)
                } else if self.snapshots.awaits(id) {
                    let (step, verdict) = self.resumption.accepted(bookmark, recovery, None);
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
            Answer::Unsubscribed { request_id, .. } if self.postponed.awaits(request_id.as_ref()) => {
                self.no_longer_requesting();
                self.postponed.removed();
                self.send_next(now)
            }
            Answer::Authenticated { request_id, .. } if self.renewal.awaits(request_id.as_ref()) => {
                self.avoids_last_token = false;
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

    /// The server accepted the first message of the connection.
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
            request_at: None,
        };
        let is_first = !std::mem::replace(&mut self.has_subscribed, true);
        self.is_cautious = false;
        (self.is_refused, self.avoids_last_token) = (false, false);
        self.begin_rotation(now);
        self.snapshots.owe(self.subscriptions.new_snapshots_at_opening());
        self.subscriptions.opened();
        let begun = self.subscriptions.snapshots_at_opening();
        let subscribed = StreamItem::Subscribed { subscriptions: self.subscriptions.accepted_names() };
        if is_first {
            self.snapshots.owe(begun.clone());
        }
        if let Some(part) = part.filter(|_| !begun.is_empty()) {
            self.hand_out_both(Some(subscribed), verdict, None);
            self.snapshots.begin(begun, Some(step));
            return self.snapshot_arrived(part, now);
        }
        // The stream resumes, so the server sent no snapshot.
        let owed = self.snapshots.owed(&begun);
        if !owed.is_empty() && verdict.is_some() {
            self.hand_out_both(Some(subscribed), verdict, Some(step));
            self.snapshots.begin(owed, None);
            return self.send_snapshot_request(now);
        }
        self.hand_out_both(Some(subscribed), verdict, Some(step));
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
            None if is_empty => self.pause_requests(SNAPSHOT_PAUSE, now),
            None => self.send_snapshot_request(now),
        }
    }

    /// The server accepted the request about subscriptions that is under way.
    fn accepted(
        &mut self,
        past: Option<(Option<Bookmark>, Option<Recovery>)>,
        part: Option<ReceivedPart>,
        now: Instant,
    ) -> Option<ClientMessage> {
        self.no_longer_requesting();
        let AcceptedMessage { done, begun, has_asked } = self.subscriptions.accept()?;
        let asked_until = has_asked.then_some(now);
        let past = past.map(|(bookmark, recovery)| self.resumption.accepted(bookmark, recovery, asked_until));
        let (step, verdict) = past.map_or((None, None), |(step, verdict)| (Some(step), verdict));
        let step = step.filter(|_| !self.awaits_retired());
        let item = done.map(StreamItem::Accepted);
        if begun.is_empty() {
            self.hand_out_both(item, verdict, step);
            return self.send_next(now);
        }
        self.snapshots.owe(begun.clone());
        if part.is_none() && matches!(verdict, Some(StreamItem::Recovered { .. })) {
            // The past events came instead.
            self.hand_out_both(item, verdict, step);
            self.snapshots.begin(begun, None);
            return self.send_snapshot_request(now);
        }
        self.hand_out_both(item, verdict, None);
        self.snapshots.begin(begun, step);
        self.snapshot_arrived(part.unwrap_or(ReceivedPart { entities: 0, next: None }), now)
    }
}

fn is_ours(request_id: Option<&RequestId>) -> bool {
    request_id.map(RequestId::as_str) == Some(REQUEST_ID)
}
