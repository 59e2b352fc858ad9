use std::num::NonZeroUsize;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_protocol::{InvalidEntityType, Tenant};
use entity_stream_publisher::{
    Batch, BusEntry, InFlight, PublishError, Publisher, RequestError, Settled, UnpublishableChange,
};
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::city::City;
use crate::form::EventForm;
use crate::rate::Rate;
use crate::schedule::Schedule;

/// Batches on their way at a time. A batch has ten events, and EventBridge answers in some 20 ms.
const IN_FLIGHT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);
/// The time that the bus has to accept a batch.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(20);
/// The shortest step in which events are made, so that high rates fill batches.
const STEP: Duration = Duration::from_millis(10);

/// A simulated city whose changes are published at a steady rate.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The `source` of the events.
    pub source: &'static str,
    /// The tenant of the city.
    pub tenant: Tenant,
    /// The rate of the changes. A higher rate has a larger city.
    pub rate: Rate,
    /// The form of the events.
    pub form: EventForm,
    /// The number of events; endless if `None`.
    pub count: Option<u64>,
    /// The seed of the city; a random one if `None`.
    pub seed: Option<u64>,
}

/// Why a simulation ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// A whole request failed: the bus is not there, or does not allow it.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A change of the city does not fit the contract.
    #[error("the simulated change cannot be published: {0}")]
    Change(#[from] UnpublishableChange),
    /// The name of a kind of entity does not fit the contract.
    #[error("the simulated entity cannot be published: {0}")]
    EntityType(#[from] InvalidEntityType),
}

impl Simulation {
    /// Publishes until the count is reached or `stop` completes, and waits for the batches that are on their way. Returns the
    /// city after the last change.
    ///
    /// `observe` receives the result of every event once, and is also called without results at every step.
    ///
    /// # Errors
    /// [`SimulationError`]. Single events that the bus refused are results, not errors.
    pub async fn run(
        self,
        publisher: Publisher,
        stop: impl Future<Output = ()>,
        mut observe: impl FnMut(Vec<Result<String, PublishError>>),
    ) -> Result<City, SimulationError> {
        let mut in_flight = InFlight::new(publisher, IN_FLIGHT, PUBLISH_TIMEOUT);
        let clock = Clock::system();
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let mut city = City::new(self.source, &self.tenant, self.form, seed, population(self.rate), now(&clock))?;
        let ended = tokio::select! {
            result = self.publish(&mut city, &clock, &mut in_flight, &mut observe) => result,
            () = stop => Ok(()),
        };
        let mut last = Ok(());
        while !in_flight.is_idle() {
            last = last.and(settle(in_flight.next().await, &mut observe));
        }
        ended.and(last)?;
        Ok(city)
    }

    async fn publish(
        &self,
        city: &mut City,
        clock: &Clock,
        in_flight: &mut InFlight,
        observe: &mut impl FnMut(Vec<Result<String, PublishError>>),
    ) -> Result<(), SimulationError> {
        let mut schedule = Schedule::new(self.rate, self.count);
        let started = Instant::now();
        let mut steps = interval(STEP.max(Duration::from_secs_f64(1.0 / self.rate.per_second())));
        steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !schedule.is_over() {
            tokio::select! {
                settled = in_flight.next(), if !in_flight.is_idle() => settle(settled, observe)?,
                _ = steps.tick() => {
                    let mut batch = Batch::default();
                    for _ in 0..schedule.due(started.elapsed()) {
                        if let Some(full) = batch.push_or_replace(city.next(now(clock))?) {
                            settle(in_flight.send(full).await, observe)?;
                        }
                    }
                    settle(in_flight.send(batch).await, observe)?;
                }
            }
        }
        Ok(())
    }
}

/// Reports the results. A request that failed as a whole ends the simulation.
fn settle(
    settled: Settled<BusEntry>,
    observe: &mut impl FnMut(Vec<Result<String, PublishError>>),
) -> Result<(), SimulationError> {
    let results: Vec<_> = settled.into_iter().map(|(_, result)| result).collect();
    let failed = results.iter().find_map(|result| match result {
        Err(PublishError::Request(error)) => Some(error.clone()),
        _ => None,
    });
    observe(results);
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn now(clock: &Clock) -> Timestamp {
    let millis = i64::try_from(clock.now().millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// As many entities as change once in five seconds at this rate, and a dozen at least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and at most 10,000")]
fn population(rate: Rate) -> usize {
    (rate.per_second() * 5.0).clamp(12.0, 10_000.0) as usize
}
