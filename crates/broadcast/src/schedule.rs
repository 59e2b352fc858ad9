//! The delivery policy: which recipient is tried when, and when it is given up. It has no I/O, and time is an argument.
//!
//! Invariants:
//! - A recipient is in one of three places: it is being tried, it waits for its next attempt, or it is settled. It is settled
//!   once.
//! - At most `concurrency` attempts hold a slot. A recipient that waits holds none. An attempt that takes long is overdue and
//!   gives its slot back, and there are at most as many overdue attempts as slots. So a few connections that accept nothing do
//!   not delay the others, however they refuse.
//! - All ends at `stop`, and after the last first attempt as soon as nothing was delivered for as long as `patience` lasts.
//! - A recipient that is not done at the end was tried for at least `patience` and is stuck, or ran out of time.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::deadline::Deadline;

/// The result of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// True if the recipient accepted an event.
    pub(crate) delivered: bool,
    pub(crate) rest: Rest,
}

/// The deliveries that are left after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    Nothing,
    /// Another attempt can succeed.
    Refused,
    /// The table failed, so the recipient cannot be judged.
    Failed,
}

/// The reason why a recipient is no longer tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Nothing was left to try.
    Done,
    /// The recipient refused for as long as the function is patient.
    Stuck,
    /// The time was over before the recipient could be judged.
    OutOfTime,
    /// The table failed.
    Failed,
}

/// A recipient that has been tried, or is being tried.
#[derive(Debug)]
pub(crate) struct Tried<R> {
    pub(crate) recipient: R,
    since: Instant,
    /// The attempts since the last delivery.
    attempts: usize,
}

/// The state of all recipients that have been read.
#[derive(Debug)]
pub(crate) struct DeliverySchedule<R> {
    concurrency: usize,
    deadline: Deadline,
    /// By the time of the next attempt.
    waiting: BTreeMap<(Instant, u64), Tried<R>>,
    number: u64,
    running: usize,
    overdue: usize,
    is_reading: bool,
    /// The time of the last delivery, or of the last first attempt if that is later.
    progress: Instant,
}

impl<R> DeliverySchedule<R> {
    pub(crate) fn new(concurrency: usize, deadline: Deadline, now: Instant) -> Self {
        let (running, overdue, number) = (0, 0, 0);
        Self {
            concurrency,
            deadline,
            waiting: BTreeMap::new(),
            number,
            running,
            overdue,
            is_reading: true,
            progress: now,
        }
    }

    /// Returns whether another attempt may begin.
    pub(crate) fn has_room(&self) -> bool {
        self.running < self.concurrency && self.running + self.overdue < 2 * self.concurrency
    }

    pub(crate) fn is_reading(&self) -> bool {
        self.is_reading
    }

    /// Returns whether no recipient is left.
    pub(crate) fn is_finished(&self) -> bool {
        !self.is_reading && self.running + self.overdue == 0 && self.waiting.is_empty()
    }

    /// Returns the time at which all attempts end.
    pub(crate) fn over_at(&self) -> Instant {
        let Deadline { stop, patience, .. } = self.deadline;
        if self.is_reading { stop } else { stop.min(self.progress + patience) }
    }

    /// Returns the time of the next step if no attempt ends before.
    pub(crate) fn wakes_at(&self) -> Instant {
        let next = self.waiting.first_key_value().map(|((at, _), _)| *at).filter(|_| self.has_room());
        next.map_or(self.over_at(), |next| next.min(self.over_at()))
    }

    /// Begins the first attempt at a recipient.
    pub(crate) fn begin(&mut self, recipient: R, now: Instant) -> Tried<R> {
        self.running += 1;
        Tried { recipient, since: now, attempts: 1 }
    }

    /// Records that each recipient was read and tried once.
    pub(crate) fn end_of_reading(&mut self, now: Instant) {
        (self.is_reading, self.progress) = (false, now);
    }

    /// Begins a further attempt if there is room and one is due.
    pub(crate) fn resume(&mut self, now: Instant) -> Option<Tried<R>> {
        if !self.has_room() || self.waiting.first_key_value()?.0.0 > now {
            return None;
        }
        let (_, mut tried) = self.waiting.pop_first()?;
        self.running += 1;
        tried.attempts += 1;
        Some(tried)
    }

    /// Records that an attempt takes long.
    pub(crate) fn attempt_is_overdue(&mut self) {
        self.running -= 1;
        self.overdue += 1;
    }

    /// Records the end of an attempt. Returns the recipient if it is settled. `delay` gives the wait before the next attempt
    /// after a number of attempts.
    pub(crate) fn attempt_ended(
        &mut self,
        mut tried: Tried<R>,
        was_overdue: bool,
        attempt: Attempt,
        (now, delay): (Instant, impl FnOnce(usize) -> Duration),
    ) -> Option<(R, StopReason)> {
        if was_overdue {
            self.overdue -= 1;
        } else {
            self.running -= 1;
        }
        if attempt.delivered {
            (tried.attempts, self.progress) = (1, now);
        }
        match attempt.rest {
            Rest::Nothing => Some((tried.recipient, StopReason::Done)),
            Rest::Failed => Some((tried.recipient, StopReason::Failed)),
            Rest::Refused if now >= self.over_at() => Some(self.give_up(tried, now)),
            Rest::Refused => {
                self.number += 1;
                self.waiting.insert((now + delay(tried.attempts), self.number), tried);
                None
            }
        }
    }

    /// Gives up a recipient that waits, after the end.
    pub(crate) fn give_up_next(&mut self, now: Instant) -> Option<(R, StopReason)> {
        let (_, tried) = self.waiting.pop_first()?;
        Some(self.give_up(tried, now))
    }

    fn give_up(&self, tried: Tried<R>, now: Instant) -> (R, StopReason) {
        let is_stuck = now - tried.since >= self.deadline.patience;
        (tried.recipient, if is_stuck { StopReason::Stuck } else { StopReason::OutOfTime })
    }
}

#[cfg(test)]
mod tests;
