//! A request for past events. No I/O; time is an argument.
//!
//! **Invariant.** A request that is answered with [`Recovery::Recovered`] replays every matching event whose position is not
//! earlier than [`PastRequest::from`], and the interests of its connection were written before the history was read. The types
//! keep the order: only the time after the write of the interests gives a [`PastReading`], and only a reading is judged.
//!
//! Why a resume from position P misses nothing, if it begins at P minus the overlap W:
//! - An event whose item was written before the history was read is replayed, if its position is later than P − W.
//! - If its item was written later, its audience was read later still, and so after the interests: it comes live. The
//!   connection has the hash of its session, so a continuation that serves only a range of hashes finds it too.
//! - An attempt whose position is at or before P − W ended before the client saw P, as W is longer than an attempt, a write and
//!   the difference of two clocks together. Either it delivered the event, or it failed and its retry has a later position, or
//!   it wrote the event anew at a later position.

use std::time::Duration;

use entity_stream_protocol::{EpochMillis, NotRecovered, Since};

use crate::epoch::Epoch;
use crate::timing::{CLOCK_SKEW, Timing};

/// A request for past events, before the interests of its connection are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastRequest {
    from: EpochMillis,
    /// The oldest event that the client asks for is not older than this time.
    wanted: EpochMillis,
}

/// A request for past events whose interests are written. The history is read next.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PastReading {
    request: PastRequest,
    at: EpochMillis,
}

impl PastRequest {
    /// The request of a client that wants events since a place in the history.
    ///
    /// # Errors
    /// [`NotRecovered::UnknownPosition`] if the position is not one of this service, or lies in the future.
    pub fn since(since: &Since, timing: Timing, now: EpochMillis) -> Result<Self, NotRecovered> {
        let (wanted, before) = match since {
            Since::Position { position, .. } => {
                let time = position.time().filter(|time| *time <= now.plus(2 * CLOCK_SKEW));
                (time.ok_or(NotRecovered::UnknownPosition)?, timing.overlap)
            }
            Since::Seconds { seconds } => (now.minus(Duration::from_secs((*seconds).into())), CLOCK_SKEW),
        };
        Ok(Self { from: wanted.minus(before), wanted })
    }

    /// The moment in which a subscription of a connection is exchanged for another: an attempt that was reading its audience then
    /// may have found neither. The attempt may have begun before the connection was opened and missed the resume of the
    /// connection, whose history it had not written yet. Its position is then at most the time of an attempt, and the difference
    /// of two clocks, earlier than the opening.
    pub fn of_exchange(opened: EpochMillis, timing: Timing, now: EpochMillis) -> Self {
        Self::beginning(opened.minus(timing.attempt + CLOCK_SKEW).max(now.minus(timing.overlap)))
    }

    /// The same for a connection that has not asked for the past: nothing that is older than the connection, by any clock.
    #[must_use]
    pub fn not_before(self, opened: EpochMillis) -> Self {
        Self::beginning(self.from.max(opened.minus(CLOCK_SKEW)))
    }

    /// The life of a connection, which took the place of an earlier one only now: a continuation that came to its former place
    /// has not found it. The clock of the opening may be ahead of that of an attempt. The connection has not resumed before: a
    /// continuation of an event that is older than the connection would not find it at its new place either.
    pub fn of_life(opened: EpochMillis) -> Self {
        Self::beginning(opened.minus(CLOCK_SKEW))
    }

    fn beginning(from: EpochMillis) -> Self {
        Self { from, wanted: from }
    }

    /// The first position to replay.
    pub fn from(&self) -> EpochMillis {
        self.from
    }

    /// Returns whether the client may have received an event of this time already: it lies in the overlap.
    pub fn is_overlap(&self, at: EpochMillis) -> bool {
        at <= self.wanted
    }

    /// The request after the interests were written, at this time.
    pub fn registered(self, now: EpochMillis) -> PastReading {
        PastReading { request: self, at: now }
    }
}

impl PastReading {
    /// Checks that the history reaches back far enough.
    ///
    /// # Errors
    /// [`NotRecovered::Unavailable`] if not each event since then was written; [`NotRecovered::Expired`] if the first ones are
    /// gone.
    pub fn judge(&self, epoch: Option<&Epoch>) -> Result<(), NotRecovered> {
        let PastRequest { wanted, from } = self.request;
        let epoch = epoch.ok_or(NotRecovered::Unavailable)?;
        if wanted < self.at.minus(epoch.retention) {
            return Err(NotRecovered::Expired);
        }
        if epoch.covers(from) { Ok(()) } else { Err(NotRecovered::Unavailable) }
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::{Position, Session};

    use super::*;

    fn now() -> EpochMillis {
        EpochMillis::new(1_790_000_000_000)
    }

    fn ago(seconds: u64) -> EpochMillis {
        now().minus(Duration::from_secs(seconds))
    }

    fn resume(position: Position) -> Result<PastRequest, NotRecovered> {
        let session = Session::parse("s").unwrap();
        PastRequest::since(&Since::Position { position, session }, Timing::SERVICE, now())
    }

    #[test]
    fn a_resume_begins_before_its_position() {
        assert_eq!(resume(Position::new(ago(60), 7)).unwrap().from(), ago(75));
        let rewind = PastRequest::since(&Since::Seconds { seconds: 30 }, Timing::SERVICE, now()).unwrap();
        assert_eq!(rewind.from(), ago(32));
    }

    #[test]
    fn an_exchange_reaches_back_to_attempts_that_read_their_audience_when_the_connection_was_opened() {
        let of_exchange = |opened| PastRequest::of_exchange(opened, Timing::SERVICE, now()).from();
        assert_eq!(of_exchange(ago(600)), ago(15));
        assert_eq!(of_exchange(ago(3)), ago(15));
        assert_eq!(of_exchange(ago(1)), ago(13));
    }

    #[test]
    fn the_life_of_a_connection_begins_with_its_opening_by_any_clock() {
        assert_eq!(PastRequest::of_life(ago(600)).from(), ago(602));
    }

    #[test]
    fn a_position_of_another_service_is_unknown() {
        for position in [Position::parse("x").unwrap(), Position::new(now().plus(Duration::from_secs(5)), 0)] {
            assert_eq!(resume(position), Err(NotRecovered::UnknownPosition));
        }
    }

    #[test]
    fn the_verdict_needs_every_event_since_then() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let judge = |age: u64, since: u64| {
            let epoch = Epoch { since: ago(since), retention: minutes(60) };
            resume(Position::new(ago(age), 0)).unwrap().registered(now()).judge(Some(&epoch))
        };
        assert_eq!(judge(3600, 3615), Ok(()));
        assert_eq!(judge(3600, 3614), Err(NotRecovered::Unavailable));
        assert_eq!(judge(3601, 100_000), Err(NotRecovered::Expired));
        let reading = resume(Position::new(ago(1), 0)).unwrap().registered(now());
        assert_eq!(reading.judge(None), Err(NotRecovered::Unavailable));
    }
}
