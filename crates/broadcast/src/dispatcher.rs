//! Schedules delivery attempts with bounded concurrency.
//!
//! Invariant: the dispatcher settles each recipient exactly once. A recipient is in one of three places: it is being tried,
//! it waits for its next attempt, or it has not been read yet. At most `concurrency` recipients are being tried. A recipient
//! that waits occupies no slot, and first attempts come before further ones, so a connection that accepts nothing does not
//! delay the others.

use std::future::Future;

use entity_stream_delivery::backoff;
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::deadline::Deadline;

/// The delivery loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dispatcher {
    /// The number of recipients that are tried at once.
    pub(crate) concurrency: usize,
    pub(crate) deadline: Deadline,
}

/// Makes the attempts that a dispatcher schedules.
pub(crate) trait Carrier<R> {
    /// Tries a recipient once. The dispatcher drops the future at its deadline.
    fn attempt(&self, recipient: &mut R) -> impl Future<Output = Attempt> + Send;
}

/// The result of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// True if the recipient accepted an event.
    pub(crate) delivered: bool,
    /// True if no delivery is left to try.
    pub(crate) is_done: bool,
}

/// The reason why the dispatcher stopped trying a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Nothing was left to try.
    Done,
    /// The deadline passed, or would pass before the next attempt.
    OutOfTime,
    /// The others were finished, and nothing was delivered for as long as the dispatcher is patient.
    OutOfPatience,
}

/// A recipient between two attempts.
struct Tried<R> {
    recipient: R,
    /// The attempts since the last delivery.
    attempts: usize,
}

impl Dispatcher {
    /// Tries each recipient until it is done or the time is over, and passes it to `settle`.
    pub(crate) async fn run<R>(
        &self,
        recipients: impl Stream<Item = R>,
        carrier: &impl Carrier<R>,
        mut settle: impl FnMut(R, StopReason),
    ) {
        let Deadline { stop, patience } = self.deadline;
        let mut recipients = std::pin::pin!(recipients);
        let (mut trying, mut waiting) = (FuturesUnordered::new(), FuturesUnordered::new());
        // Patience begins when each recipient was tried once.
        let (mut reading, mut progress) = (true, Instant::now());
        let attempt = async |mut tried: Tried<R>| {
            tried.attempts += 1;
            let not_in_time = Attempt { delivered: false, is_done: false };
            let made = match Instant::now() < stop {
                true => timeout_at(stop, carrier.attempt(&mut tried.recipient)).await.unwrap_or(not_in_time),
                false => not_in_time,
            };
            (tried, made)
        };
        loop {
            let has_room = trying.len() < self.concurrency;
            tokio::select! {
                biased;
                Some(made) = trying.next() => {
                    let (mut tried, Attempt { delivered, is_done }): (Tried<R>, Attempt) = made;
                    if delivered {
                        (tried.attempts, progress) = (1, Instant::now());
                    }
                    if is_done {
                        settle(tried.recipient, StopReason::Done);
                    } else {
                        waiting.push(wait(tried, stop));
                    }
                },
                recipient = recipients.next(), if reading && has_room => match recipient {
                    Some(recipient) => trying.push(attempt(Tried { recipient, attempts: 0 })),
                    None => (reading, progress) = (false, Instant::now()),
                },
                Some((tried, is_late)) = waiting.next(), if has_room => {
                    if is_late {
                        settle(tried.recipient, StopReason::OutOfTime);
                    } else if !reading && patience.is_some_and(|patience| progress.elapsed() >= patience) {
                        settle(tried.recipient, StopReason::OutOfPatience);
                    } else {
                        trying.push(attempt(tried));
                    }
                },
                else => break,
            }
        }
    }
}

/// Waits for the next attempt. Returns at once, with `true`, if that attempt would be too late.
async fn wait<R>(tried: Tried<R>, stop: Instant) -> (Tried<R>, bool) {
    let next = Instant::now() + backoff().nth(tried.attempts.saturating_sub(1)).unwrap_or_default();
    let is_late = next >= stop;
    if !is_late {
        sleep_until(next).await;
    }
    (tried, is_late)
}

#[cfg(test)]
mod tests;
