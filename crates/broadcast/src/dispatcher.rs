//! Carries out a [`DeliverySchedule`]: makes its attempts, and waits.
//!
//! Invariant: each recipient is settled exactly once. First attempts come before further ones.

use std::future::Future;
use std::time::Duration;

use entity_stream_delivery::backoff;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::deadline::Deadline;
use crate::schedule::{Attempt, DeliverySchedule, Rest, StopReason, Tried};

/// The time after which an attempt no longer holds a slot. API Gateway answers in milliseconds.
const OVERDUE: Duration = Duration::from_secs(1);

/// The delivery loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dispatcher {
    /// The number of recipients that are tried at once.
    pub(crate) concurrency: usize,
    pub(crate) deadline: Deadline,
}

/// Makes the attempts that a dispatcher schedules.
pub(crate) trait Carrier<R> {
    /// Tries a recipient once. The dispatcher drops the future when the time is over.
    fn attempt(&self, recipient: &mut R) -> impl Future<Output = Attempt> + Send;
}

/// An attempt after its first second.
enum Step<'a, R> {
    Ended(Tried<R>, Attempt),
    Overdue(BoxFuture<'a, (Tried<R>, Attempt)>),
}

impl Dispatcher {
    /// Tries each recipient until it is done or given up, and passes it to `settle`.
    pub(crate) async fn run<R: Send>(
        &self,
        recipients: impl Stream<Item = R>,
        carrier: &(impl Carrier<R> + Sync),
        mut settle: impl FnMut(R, StopReason),
    ) {
        let mut recipients = std::pin::pin!(recipients);
        let mut schedule = DeliverySchedule::new(self.concurrency, self.deadline, Instant::now());
        let (over, is_over) = watch::channel(false);
        let begin = |tried| first_second(attempt(carrier, tried, is_over.clone()));
        let (mut trying, mut overdue) = (FuturesUnordered::new(), FuturesUnordered::new());
        let delay = |attempts: usize| backoff().nth(attempts - 1).unwrap_or_default();
        let mut ended = |schedule: &mut DeliverySchedule<R>, tried, was_overdue, attempt| {
            if let Some((recipient, reason)) =
                schedule.attempt_ended(tried, was_overdue, attempt, (Instant::now(), delay))
            {
                settle(recipient, reason);
            }
        };
        while !schedule.is_finished() && Instant::now() < schedule.over_at() {
            tokio::select! {
                biased;
                Some(step) = trying.next() => match step {
                    Step::Ended(tried, attempt) => ended(&mut schedule, tried, false, attempt),
                    Step::Overdue(rest) => {
                        schedule.attempt_is_overdue();
                        overdue.push(rest);
                    }
                },
                Some((tried, attempt)) = overdue.next() => ended(&mut schedule, tried, true, attempt),
                recipient = recipients.next(), if schedule.is_reading() && schedule.has_room() => match recipient {
                    Some(recipient) => trying.push(begin(schedule.begin(recipient, Instant::now()))),
                    None => schedule.end_of_reading(Instant::now()),
                },
                () = sleep_until(schedule.wakes_at()) => {
                    trying.extend(schedule.resume(Instant::now()).map(begin));
                }
            }
        }
        over.send_replace(true);
        while let Some(step) = trying.next().await {
            match step {
                Step::Ended(tried, attempt) => ended(&mut schedule, tried, false, attempt),
                Step::Overdue(rest) => {
                    schedule.attempt_is_overdue();
                    overdue.push(rest);
                }
            }
        }
        while let Some((tried, attempt)) = overdue.next().await {
            ended(&mut schedule, tried, true, attempt);
        }
        while let Some((recipient, reason)) = schedule.give_up_next(Instant::now()) {
            settle(recipient, reason);
        }
        if schedule.is_reading() {
            while let Some(recipient) = recipients.next().await {
                settle(recipient, StopReason::OutOfTime);
            }
        }
    }
}

/// Makes an attempt until the time is over.
fn attempt<'a, R: Send + 'a>(
    carrier: &'a (impl Carrier<R> + Sync),
    mut tried: Tried<R>,
    mut is_over: watch::Receiver<bool>,
) -> BoxFuture<'a, (Tried<R>, Attempt)> {
    async move {
        let attempt = tokio::select! {
            biased;
            attempt = carrier.attempt(&mut tried.recipient) => attempt,
            _ = is_over.wait_for(|is_over| *is_over) => Attempt { delivered: false, rest: Rest::Refused },
        };
        (tried, attempt)
    }
    .boxed()
}

async fn first_second<R>(mut attempt: BoxFuture<'_, (Tried<R>, Attempt)>) -> Step<'_, R> {
    match timeout(OVERDUE, &mut attempt).await {
        Ok((tried, attempt)) => Step::Ended(tried, attempt),
        Err(_) => Step::Overdue(attempt),
    }
}

#[cfg(test)]
mod tests;
