//! Who is sent the event when.

use std::time::Duration;

use entity_stream_connections::HashRange;
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::handler::Broadcast;
use crate::messages::Messages;
use crate::metrics::Ages;
use crate::report::Report;
use crate::resolution::Resolution;
use crate::send::{Attempt, Sending};
use crate::serve::Step;

/// How long there is to deliver.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    /// When everything ends.
    pub(crate) stop: Instant,
    /// How long the last ones may keep everything waiting; to the end, without it.
    pub(crate) patience: Option<Duration>,
}

/// What a delivery came to, beside its report.
#[derive(Default)]
pub(crate) struct Delivered {
    /// The hashes of those that did not get the event.
    pub(crate) left: Vec<HashRange>,
    /// How many of these ranges were not even read.
    pub(crate) unread: usize,
    pub(crate) ages: Ages,
}

/// Somebody whose next attempt is due, after this outcome of the last.
struct Waited {
    sending: Sending,
    outcome: Resolution,
    is_late: bool,
}

impl Broadcast {
    /// Sends the event to everybody that comes out of `steps`, until everybody has it or the time is over.
    ///
    /// So many attempts are under way at once as the concurrency allows. Whoever has to be tried again waits for that
    /// beside them and takes nobody's place, and those that have not been tried yet go first: a connection that takes
    /// nothing holds up no other.
    pub(crate) async fn deliver(
        &self,
        messages: &Messages<'_>,
        steps: impl Stream<Item = Step>,
        report: &mut Report,
        time: Time,
    ) -> Delivered {
        let mut steps = std::pin::pin!(steps);
        let (mut under_way, mut waiting) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut delivered = Delivered::default();
        // Patience begins when there is nobody left who has not been tried.
        let (mut reading, mut progress) = (true, Instant::now());
        let attempt = async |mut sending: Sending| {
            let late = || Attempt::Again(Resolution::Failed("the deadline".to_owned()));
            if Instant::now() >= time.stop {
                return (sending, late());
            }
            let attempt = timeout_at(time.stop, self.attempt(messages, &mut sending, time.stop)).await;
            (sending, attempt.unwrap_or_else(|_| late()))
        };
        loop {
            let has_room = under_way.len() < self.concurrency;
            tokio::select! {
                biased;
                Some(tried) = under_way.next() => {
                    let (sending, attempt): (Sending, Attempt) = tried;
                    match attempt {
                        Attempt::Over => {
                            if sending.outcomes.last() == Some(&Resolution::Delivered) {
                                progress = Instant::now();
                                delivered.ages.delivered(self.clock.now());
                            }
                            sending.outcomes.iter().for_each(|outcome| report.count(outcome));
                        }
                        Attempt::Again(outcome) => waiting.push(wait(sending, outcome, time.stop)),
                    }
                },
                step = steps.next(), if reading && has_room => match step {
                    Some(Step::Serve(unit)) => under_way.push(attempt(Sending::new(unit))),
                    Some(Step::Charge(capacity)) => report.read_capacity += capacity,
                    Some(Step::Unread(range)) => {
                        delivered.unread += 1;
                        delivered.left.push(range);
                    }
                    None => (reading, progress) = (false, Instant::now()),
                },
                Some(Waited { sending, outcome, is_late }) = waiting.next(), if has_room => {
                    let is_held_up = !reading && time.patience.is_some_and(|patience| progress.elapsed() >= patience);
                    if is_held_up || is_late {
                        sending.outcomes.iter().chain([&outcome]).for_each(|outcome| report.count(outcome));
                        delivered.left.push(HashRange::only(sending.hash));
                        let connection_id = sending.current().map(tracing::field::display);
                        tracing::warn!(connection_id, ?outcome, "event not delivered");
                    } else {
                        under_way.push(attempt(sending));
                    }
                },
                else => break,
            }
        }
        delivered
    }
}

/// Waits for the next attempt, unless that would come too late.
async fn wait(sending: Sending, outcome: Resolution, stop: Instant) -> Waited {
    let next = Instant::now() + sending.delay();
    let is_late = next >= stop;
    if !is_late {
        sleep_until(next).await;
    }
    Waited { sending, outcome, is_late }
}
