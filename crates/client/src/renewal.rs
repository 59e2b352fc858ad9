//! The renewal of the token of a connection, in band, without I/O.
//!
//! Invariants:
//! - At most one renewal is under way: a token is fetched, or a message with it waits for its answer.
//! - A renewal that fails changes nothing: the old token counts until its end.
//! - All times are of a monotonic clock, and come from the life of the token, not from the time of day.

use std::fmt;
use std::time::Duration;

use entity_stream_protocol::{AccessToken, Action, ClientMessage, DpopProof, RequestId};
use tokio::time::Instant;

/// The shortest time between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// The token of a connection.
#[derive(Clone, Debug)]
pub(crate) struct HeldToken {
    pub(crate) token: AccessToken,
    /// The rest of its life. `None` if it does not end, or does not tell.
    pub(crate) left: Option<Duration>,
}

/// A token that the connection does not have yet.
pub(crate) struct FreshToken {
    pub(crate) token: AccessToken,
    /// The proof that the client has the key of the token.
    pub(crate) proof: Option<DpopProof>,
    /// The rest of its life. `None` if it does not end, or does not tell.
    pub(crate) left: Option<Duration>,
}

impl fmt::Debug for FreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshToken").field("left", &self.left).finish_non_exhaustive()
    }
}

/// The result of the deadline of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RenewalDeadline {
    /// A fresh token is wanted.
    WantsToken,
    /// The token has ended.
    Expired,
    /// The server has not answered.
    Unanswered,
}

#[derive(Debug, Default)]
enum RenewalStep {
    /// The token does not end, or another attempt would fail as well.
    #[default]
    None,
    Due(Instant),
    Fetching,
    Sent {
        request_id: RequestId,
        token: AccessToken,
        end: Option<Instant>,
        answer_by: Instant,
    },
}

/// The renewal of the token of one connection.
#[derive(Debug, Default)]
pub(crate) struct Renewal {
    /// The token that the server has accepted for the connection.
    held: Option<AccessToken>,
    /// The end of the token.
    end: Option<Instant>,
    step: RenewalStep,
    messages: u64,
}

impl Renewal {
    /// A connection opened with this token.
    pub(crate) fn begin(&mut self, held: Option<HeldToken>, before: Duration, now: Instant) {
        let (token, left) = held.map(|held| (held.token, held.left)).unzip();
        (self.held, self.end) = (token, left.flatten().map(|left| now + left));
        self.schedule(before, now);
    }

    /// The connection ended.
    pub(crate) fn stop(&mut self) {
        (self.held, self.end, self.step) = (None, None, RenewalStep::None);
    }

    /// The token of the connection.
    pub(crate) fn held(&self) -> Option<&AccessToken> {
        self.held.as_ref()
    }

    fn schedule(&mut self, before: Duration, now: Instant) {
        self.step = match self.end {
            None => RenewalStep::None,
            Some(end) => {
                let left = end.saturating_duration_since(now);
                RenewalStep::Due(end - before.min(left / 2))
            }
        };
    }

    /// True if the driver has to fetch a token.
    pub(crate) fn wants_token(&self) -> bool {
        matches!(self.step, RenewalStep::Fetching)
    }

    /// The time of the next step.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let step = match &self.step {
            RenewalStep::Due(at) | RenewalStep::Sent { answer_by: at, .. } => Some(*at),
            RenewalStep::None | RenewalStep::Fetching => None,
        };
        step.into_iter().chain(self.end).min()
    }

    /// Takes the step that is due.
    pub(crate) fn elapse(&mut self, now: Instant) -> Option<RenewalDeadline> {
        match &self.step {
            _ if self.end.is_some_and(|end| now >= end) => Some(RenewalDeadline::Expired),
            RenewalStep::Due(at) if now >= *at => {
                self.step = RenewalStep::Fetching;
                Some(RenewalDeadline::WantsToken)
            }
            RenewalStep::Sent { answer_by, .. } if now >= *answer_by => Some(RenewalDeadline::Unanswered),
            _ => None,
        }
    }

    /// Takes the step that is due, if it is no answer of the server. Returns whether the token has ended.
    pub(crate) fn keep_up(&mut self, now: Instant) -> bool {
        let is_unanswered = matches!(self.step, RenewalStep::Sent { .. });
        !is_unanswered && self.elapse(now) == Some(RenewalDeadline::Expired)
    }

    /// The driver fetched a token. Returns the message for the server.
    pub(crate) fn fetched(&mut self, fresh: FreshToken, answer: Duration, now: Instant) -> Option<ClientMessage> {
        if !self.wants_token() {
            return None;
        }
        self.messages += 1;
        let request_id = RequestId::parse(format!("token-{}", self.messages)).ok()?;
        let FreshToken { token, proof, left } = fresh;
        self.step = RenewalStep::Sent {
            request_id: request_id.clone(),
            token: token.clone(),
            end: left.map(|left| now + left),
            answer_by: now + answer,
        };
        Some(ClientMessage { action: Action::Authenticate { token, proof }, request_id: Some(request_id) })
    }

    /// The driver got no token, or the token that the connection has. It tries again before the end of that token.
    pub(crate) fn not_fetched(&mut self, now: Instant) {
        let left = self.end.map_or(PAUSE, |end| end.saturating_duration_since(now));
        self.step = RenewalStep::Due(now + (left / 3).max(PAUSE));
    }

    /// Returns whether this is the id of the message under way.
    pub(crate) fn awaits(&self, id: Option<&RequestId>) -> bool {
        matches!(&self.step, RenewalStep::Sent { request_id, .. } if Some(request_id) == id)
    }

    /// The server accepted the token.
    pub(crate) fn accepted(&mut self, before: Duration, now: Instant) {
        if let RenewalStep::Sent { token, end, .. } = std::mem::take(&mut self.step) {
            (self.held, self.end) = (Some(token), end);
            self.schedule(before, now);
        }
    }

    /// The server refused the token. Another attempt would fail as well; the old token counts until its end.
    pub(crate) fn refused(&mut self) {
        self.step = RenewalStep::None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const ANSWER: Duration = Duration::from_secs(30);

    fn held(left: Option<Duration>) -> Option<HeldToken> {
        Some(HeldToken { token: AccessToken::new("x.y.z").unwrap(), left })
    }

    fn fresh(left: Option<Duration>) -> FreshToken {
        FreshToken { token: AccessToken::new("a.b.c").unwrap(), proof: None, left }
    }

    #[test]
    fn a_token_is_renewed_before_its_end_or_at_half_its_life() {
        for (life, due) in [(60 * MINUTE, 59 * MINUTE), (MINUTE, MINUTE / 2)] {
            let (mut renewal, now) = (Renewal::default(), Instant::now());
            renewal.begin(held(Some(life)), MINUTE, now);
            assert_eq!(renewal.deadline(), Some(now + due));
            assert_eq!(renewal.elapse(now + due / 2), None);
            assert_eq!(renewal.elapse(now + due), Some(RenewalDeadline::WantsToken));
            let message = renewal.fetched(fresh(Some(life)), ANSWER, now + due).unwrap();
            assert!(renewal.awaits(message.request_id.as_ref()));
            renewal.accepted(MINUTE, now + due);
            assert_eq!(renewal.deadline(), Some(now + 2 * due));
        }
    }

    #[test]
    fn a_failure_is_tried_again_and_a_refusal_is_not() {
        let (mut renewal, now) = (Renewal::default(), Instant::now());
        renewal.begin(held(Some(10 * MINUTE)), MINUTE, now);
        let due = now + 9 * MINUTE;
        renewal.elapse(due);
        renewal.not_fetched(due);
        assert_eq!(renewal.deadline(), Some(due + MINUTE / 3));
        renewal.elapse(due + MINUTE / 3);
        renewal.fetched(fresh(None), ANSWER, due + MINUTE / 3);
        renewal.refused();
        assert_eq!(renewal.deadline(), Some(now + 10 * MINUTE));
        assert_eq!(renewal.elapse(now + 10 * MINUTE), Some(RenewalDeadline::Expired));
    }

    #[test]
    fn a_token_without_an_end_needs_no_renewal() {
        let mut renewal = Renewal::default();
        renewal.begin(held(None), MINUTE, Instant::now());
        assert_eq!(renewal.deadline(), None);
        assert!(!format!("{:?}", fresh(None)).contains("a.b.c"));
    }
}
