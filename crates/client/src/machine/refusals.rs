//! Takes the refusals of the server.

use std::time::Duration;

use entity_stream_protocol::{ClientMessage, ErrorCode, Rejection};
use tokio::time::Instant;

use super::Machine;
use crate::error::{ClientError, ErrorKind};
use crate::item::StreamItem;
use crate::resumption::BookmarkStep;
use crate::snapshots::PAUSE as SNAPSHOT_PAUSE;
use crate::text::repeatable;

/// The time before the client sends a request about subscriptions again that the server could not serve.
const REQUEST_PAUSE: Duration = Duration::from_millis(500);

impl Machine {
    pub(super) fn rejected(
        &mut self,
        rejection: Rejection,
        is_subscribed: bool,
        now: Instant,
    ) -> Option<ClientMessage> {
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
        self.is_cautious |= !is_subscribed && code == ErrorCode::Internal;
        let error = ClientError::Rejected { code: code.clone(), message, subscription };
        if self.renewal.awaits(request_id.as_ref()) && error.kind() != ErrorKind::Disconnected {
            // A server that cannot verify tokens at the moment may accept the next one.
            match error.is_temporary() || code == ErrorCode::LimitExceeded {
                true => self.renewal.not_fetched(now),
                false => {
                    // The token is not sent again, with a handshake either.
                    self.avoids_last_token = true;
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
        let is_about_request = matches!(error.kind(), ErrorKind::RequestRefused | ErrorKind::Unavailable);
        if self.postponed.awaits(request_id.as_ref()) && is_about_request {
            return self.removal_rejected(error.is_temporary(), now);
        }
        if is_request && is_about_request {
            let is_removing = self.subscriptions.is_removing();
            self.no_longer_requesting();
            if code == ErrorCode::LimitExceeded && self.subscriptions.can_ask_again() {
                self.resumption.asked_too_soon(now);
                return self.send_next(now);
            }
            if error.is_temporary() && self.subscriptions.can_retry() {
                return self.pause_requests(REQUEST_PAUSE, now);
            }
            if error.is_temporary() && is_removing {
                return self.postpone_removal(now);
            }
            let refused = self.subscriptions.refuse(&code);
            self.hand_out_with(refused.map(|request| StreamItem::Refused { request, error }), None);
            return self.send_next(now);
        }
        self.disconnect(error, now);
        None
    }

    /// The server did not answer the request for a part of a snapshot.
    fn snapshot_rejected(&mut self, code: &ErrorCode, error: ClientError, now: Instant) -> Option<ClientMessage> {
        self.no_longer_requesting();
        match code {
            ErrorCode::InvalidSnapshotToken if self.snapshots.restarts() => self.send_snapshot_request(now),
            ErrorCode::Internal | ErrorCode::Conflict if self.snapshots.can_retry() => {
                self.pause_requests(SNAPSHOT_PAUSE, now)
            }
            _ => {
                self.disconnect(error, now);
                None
            }
        }
    }
}
