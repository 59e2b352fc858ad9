use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::Context;
use entity_stream_local::Rate;
use entity_stream_protocol::{Clock, Tenant};
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::bus::{BATCH_ENTRIES, Batch, Entry, InFlight, Outcome, Publisher};
use crate::progress::Progress;
use crate::world::World;

/// Requests under way at a time: ten events each, and a real bus answers in some 20 ms.
#[allow(clippy::unwrap_used, reason = "evaluated when it is compiled")]
const IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(32).unwrap();
/// Events are made in steps no shorter than this, so that high rates fill batches.
const STEP: Duration = Duration::from_millis(10);
/// From this rate on, one step fills a batch, and only full ones are sent.
const FULL_BATCHES: f64 = 1000.0;
/// Delay that is caught up with, in seconds of the rate; what is later than that is left out.
const CATCH_UP: f64 = 1.0;
/// Rejections that are told one by one.
const TOLD: u64 = 5;

/// A simulated city whose changes are published at a steady rate.
#[derive(Debug)]
pub(crate) struct Simulation {
    /// Whose city.
    pub(crate) tenant: Tenant,
    /// How fast.
    pub(crate) rate: Rate,
    /// How many events; without end if `None`.
    pub(crate) count: Option<u64>,
    /// Which city; another one each time if `None`.
    pub(crate) seed: Option<u64>,
}

impl Simulation {
    /// Publishes until the count is reached or `stop` completes, and waits for what is under way.
    pub(crate) async fn run(
        self,
        publisher: Publisher,
        stop: impl Future<Output = ()>,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let mut in_flight = InFlight::new(publisher, IN_FLIGHT);
        let ended = tokio::select! {
            result = self.publish(&mut in_flight, progress) => result,
            () = stop => Ok(()),
        };
        while !in_flight.is_idle() {
            report(in_flight.next().await?, progress);
        }
        ended
    }

    async fn publish(self, in_flight: &mut InFlight, progress: &mut Progress) -> anyhow::Result<()> {
        let clock = Clock::system();
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let mut world = World::new(&self.tenant, seed, population(self.rate), now(&clock)?);
        let mut pace = Pace::new(self.rate, self.count);
        let started = Instant::now();
        let mut steps = interval(STEP.max(Duration::from_secs_f64(1.0 / self.rate.per_second())));
        steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !pace.is_over() {
            tokio::select! {
                finished = in_flight.next(), if !in_flight.is_idle() => report(finished?, progress),
                _ = steps.tick() => {
                    let mut batch = Batch::default();
                    for _ in 0..pace.due(started.elapsed()) {
                        if let Err(entry) = batch.push(world.next(now(&clock)?)?) {
                            report(in_flight.send(std::mem::take(&mut batch)).await?, progress);
                            // An empty batch takes any entry.
                            let _ = batch.push(entry);
                        }
                    }
                    report(in_flight.send(batch).await?, progress);
                }
            }
            progress.draw(0);
        }
        Ok(())
    }
}

fn now(clock: &Clock) -> anyhow::Result<Timestamp> {
    let millis = i64::try_from(clock.now().millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).context("the machine's clock shows no year of ours")
}

/// As many entities as change once in five seconds at this rate, and a dozen at least.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and at most 10,000")]
fn population(rate: Rate) -> usize {
    (rate.per_second() * 5.0).clamp(12.0, 10_000.0) as usize
}

fn report(finished: Vec<(Entry, Outcome)>, progress: &mut Progress) {
    for (_, outcome) in finished {
        match outcome {
            Outcome::Published(_) => progress.published(),
            // Simulated events are all alike: if one is rejected, so are thousands.
            Outcome::Rejected(reason) if progress.total_rejected() < TOLD => {
                progress.rejected(&format!("rejected: {reason}"));
            }
            Outcome::Rejected(_) => progress.rejected_quietly(),
        }
    }
}

/// Which number of events is due when.
#[derive(Debug)]
struct Pace {
    rate: f64,
    left: Option<u64>,
    made: f64,
}

impl Pace {
    fn new(rate: Rate, count: Option<u64>) -> Self {
        Self { rate: rate.per_second(), left: count, made: 0.0 }
    }

    fn is_over(&self) -> bool {
        self.left == Some(0)
    }

    /// The number of events to make now, the first of them at once.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "between 0 and 10,001"
    )]
    fn due(&mut self, elapsed: Duration) -> u64 {
        // The hundredth absorbs the timer's rounding, which would delay every other event by one step.
        let target = (elapsed.as_secs_f64() * self.rate + 0.01).floor() + 1.0;
        let most = (self.rate * CATCH_UP).ceil();
        self.made = self.made.max(target - most);
        let behind = (target - self.made).max(0.0) as u64;
        // The rest of a batch waits for the next step, unless nothing comes after it.
        let whole = if self.rate >= FULL_BATCHES { behind - behind % BATCH_ENTRIES as u64 } else { behind };
        let due = self.left.filter(|left| *left <= behind).unwrap_or(whole);
        self.left = self.left.map(|left| left - due);
        self.made += due as f64;
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate_of(per_second: f64) -> Rate {
        Rate::new(per_second).unwrap()
    }

    proptest! {
        #[test]
        fn the_rate_is_held_whatever_the_steps(rate in 0.1_f64..10_000.0, steps in prop::collection::vec(1_u64..900, 1..50)) {
            let mut pace = Pace::new(rate_of(rate), None);
            let batch = if rate < FULL_BATCHES { 1 } else { BATCH_ENTRIES as u64 };
            let (mut elapsed, mut made) = (Duration::ZERO, pace.due(Duration::ZERO));
            prop_assert_eq!(made, u64::from(batch == 1));
            for step in steps {
                elapsed += Duration::from_millis(step);
                let due = pace.due(elapsed);
                prop_assert_eq!(due % batch, 0);
                made += due;
            }
            let ideal = elapsed.as_secs_f64() * rate + 1.0;
            prop_assert!((made as f64 - ideal).abs() <= batch as f64 + 0.01, "{made} of {ideal}");
        }

        #[test]
        fn a_count_is_reached_and_not_exceeded(count in 1_u64..500, rate in 1.0_f64..10_000.0) {
            let mut pace = Pace::new(rate_of(rate), Some(count));
            let (mut made, mut elapsed) = (0, Duration::ZERO);
            while !pace.is_over() {
                made += pace.due(elapsed);
                elapsed += Duration::from_millis(500);
            }
            prop_assert_eq!(made, count);
        }
    }

    #[test]
    fn a_short_pause_is_made_up_for() {
        let mut pace = Pace::new(rate_of(359.8463), None);
        let made: u64 = [0, 739, 963, 1050, 2049].map(|millis| pace.due(Duration::from_millis(millis))).iter().sum();
        assert_eq!(made, 738);
    }

    #[test]
    fn a_long_pause_is_not_made_up_for() {
        let mut pace = Pace::new(rate_of(10.0), None);
        pace.due(Duration::ZERO);
        assert_eq!(pace.due(Duration::from_secs(3600)), 10);
        assert_eq!(pace.due(Duration::from_secs(3601)), 10);
    }
}
