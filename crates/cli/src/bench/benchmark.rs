use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use entity_stream_client::ClientBuilder;
use entity_stream_protocol::{ChangeType, EntityChange, EntityType, EntityTypes, Filter, Tenant};
use entity_stream_publisher::{Batch, BusEntry, InFlight, PublishError, Settled};
use entity_stream_simulation::Rate;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep_until, timeout};

use crate::bench::listeners::{Listeners, Timetable};
use crate::bench::report::{BenchOutput, BenchReport};
use crate::bus::{SOURCE, TargetBus};
use crate::client;
use crate::interrupt::Interrupt;
use crate::terminal::{self, counted, grouped};

/// The type of the entities.
const BENCH_TYPE: &str = "EntityStreamBench";
/// The number of entities that change.
const ENTITIES: u64 = 100;
/// The requests to the bus at the same time.
const REQUESTS: NonZeroUsize = NonZeroUsize::new(16).expect("it is not 0");
/// The time that the bus has to accept a batch.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(20);
/// The time after which changes that did not arrive count as missing: since the last arrival.
const STALLED: Duration = Duration::from_secs(10);
/// The time between two looks at the number of arrivals.
const LOOK: Duration = Duration::from_millis(50);
/// The time from the connections to the first change.
const LEAD: Duration = Duration::from_millis(100);

/// A benchmark.
#[derive(Debug)]
pub(crate) struct Benchmark {
    pub(crate) tenant: Tenant,
    pub(crate) connections: u32,
    pub(crate) rate: Rate,
    /// The number of changes to publish.
    pub(crate) events: u64,
    pub(crate) output: BenchOutput,
}

/// The results of the requests to the bus.
#[derive(Default)]
struct BusCounts {
    accepted: u64,
    rejected: u64,
    /// The first reason.
    reason: Option<String>,
}

impl Benchmark {
    /// The warning about a deployed system.
    pub(crate) fn costs(&self) -> String {
        let events = self.events + self.entities();
        let messages = events * u64::from(self.connections);
        format!(
            "warning: AWS bills this benchmark: {}, {} to clients, {} of the function, and reads and writes of DynamoDB",
            counted(events, "event"),
            counted(messages, "message"),
            counted(events, "invocation"),
        )
    }

    /// Runs it, and prints the result.
    pub(crate) async fn run(
        &self,
        builder: &ClientBuilder,
        bus: &TargetBus,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<()> {
        let run = format!("urn:entity-stream:bench:{:016x}", fastrand::u64(..));
        let filter = Filter::new([BENCH_TYPE], Some(&format!("^{run}:")))?;
        let client = client::build(builder.clone().filter(filter))?;
        let mut in_flight = InFlight::new(bus.publisher().await?, REQUESTS, PUBLISH_TIMEOUT);
        let mut listeners = tokio::select! {
            listeners = Listeners::open(&client, self.connections) => listeners?,
            () = interrupt.received() => return Err(anyhow!("interrupted")),
        };
        terminal::note(format!(
            "{} to {} {} open; publishing {}",
            counted(u64::from(self.connections), "connection"),
            client.url(),
            if self.connections == 1 { "is" } else { "are" },
            counted(self.events, "event")
        ));
        let timetable = Timetable { start: Instant::now() + LEAD, per_second: self.rate.per_second() };
        listeners.begin(timetable);
        let mut published = BusCounts::default();
        let ended = tokio::select! {
            result = self.publish(&run, &timetable, &mut in_flight, &mut published, bus) => result,
            error = listeners.failure() => Err(error),
            () = interrupt.received() => Err(anyhow!("interrupted")),
        };
        let publishing = timetable.start.elapsed().as_secs_f64();
        if ended.is_ok() {
            let expected = published.accepted * u64::from(self.connections);
            tokio::select! {
                () = arrived(&listeners, expected) => {}
                () = interrupt.received() => {}
            }
        }
        // Nothing of the benchmark stays in the entity state.
        let has_published = published.accepted > 0 || !in_flight.is_idle();
        let deleted = if has_published { self.delete(&run, &mut in_flight).await } else { Ok(()) };
        if let Err(ended) = ended {
            if let Err(error) = deleted {
                terminal::note(format!("{error:#}"));
            }
            return Err(ended);
        }
        let arrivals = listeners.close().await?;
        let report = BenchReport {
            connections: self.connections,
            published: published.accepted,
            rejected: published.rejected,
            publishing,
            delivering: arrivals.last.map_or(0.0, |last| last.saturating_duration_since(timetable.start).as_secs_f64()),
            delivered: arrivals.latencies.len(),
            reconnects: arrivals.reconnects,
            latencies: arrivals.latencies,
        };
        // The exit code tells whether events are missing, also if the reader is gone.
        let printed = match self.output {
            BenchOutput::Table => terminal::raw_line(&report.table()),
            BenchOutput::Json => terminal::raw_line(&report.json().to_string()),
        };
        deleted?;
        if let Some(reason) = published.reason {
            return Err(anyhow!("the bus rejected {}: {reason}", counted(published.rejected, "event")));
        }
        let (missing, expected) = (report.expected().saturating_sub(report.delivered), report.expected());
        ensure!(missing == 0, "{missing} of {} did not arrive", counted(expected, "message"));
        printed
    }

    fn entities(&self) -> u64 {
        self.events.min(ENTITIES)
    }

    fn entry(&self, run: &str, entity: u64, change_type: ChangeType, data: String) -> anyhow::Result<BusEntry> {
        let change = EntityChange {
            change_type,
            tenant: self.tenant.clone(),
            service_path: "/".to_owned(),
            entity_id: format!("{run}:{entity}"),
            entity_types: EntityTypes::One(EntityType::parse(BENCH_TYPE)?),
            data: RawValue::from_string(data)?,
            changed_attributes: None,
            context: None,
            timestamp: None,
        };
        Ok(BusEntry::change(SOURCE, change.to_json())?)
    }

    /// Publishes each change when it is due, and those that are due together in batches.
    async fn publish(
        &self,
        run: &str,
        timetable: &Timetable,
        in_flight: &mut InFlight,
        published: &mut BusCounts,
        bus: &TargetBus,
    ) -> anyhow::Result<()> {
        let mut batch = Batch::default();
        for number in 0..self.events {
            let due = timetable.due(number);
            if due > Instant::now() {
                let settled = in_flight.send(std::mem::take(&mut batch)).await;
                published.add(settled, bus)?;
                sleep_until(due).await;
            }
            let entity = number % self.entities();
            let change_type =
                if number < self.entities() { ChangeType::EntityCreated } else { ChangeType::EntityUpdated };
            let entry = self.entry(run, entity, change_type, format!(r#"{{"n":{number}}}"#))?;
            if let Some(full) = batch.push_or_replace(entry) {
                let settled = in_flight.send(full).await;
                published.add(settled, bus)?;
            }
        }
        let settled = in_flight.send(batch).await;
        published.add(settled, bus)?;
        while !in_flight.is_idle() {
            let settled = in_flight.next().await;
            published.add(settled, bus)?;
        }
        Ok(())
    }

    async fn delete(&self, run: &str, in_flight: &mut InFlight) -> anyhow::Result<()> {
        let (mut batch, mut results) = (Batch::default(), Vec::new());
        for entity in 0..self.entities() {
            let entry = self.entry(run, entity, ChangeType::EntityDeleted, "{}".to_owned())?;
            if let Some(full) = batch.push_or_replace(entry) {
                results.extend(in_flight.send(full).await);
            }
        }
        results.extend(in_flight.send(batch).await);
        while !in_flight.is_idle() {
            results.extend(in_flight.next().await);
        }
        // Changes that were under way are among them.
        let is_deletion = |entry: &BusEntry| entry.detail().contains(ChangeType::EntityDeleted.as_str());
        let deletions = results.into_iter().filter(|(entry, _)| is_deletion(entry));
        let mut failed = deletions.filter_map(|(_, result)| result.err());
        match failed.next() {
            None => Ok(()),
            Some(error) => Err(anyhow!(
                "{} with ids that begin with {run} could not be deleted: {error}",
                entities(1 + failed.count() as u64)
            )),
        }
    }
}

impl BusCounts {
    /// Counts results. A request that failed as a whole ends the benchmark.
    fn add(&mut self, settled: Settled<BusEntry>, bus: &TargetBus) -> anyhow::Result<()> {
        for (_, result) in settled {
            match result {
                Ok(_) => self.accepted += 1,
                Err(PublishError::Request(error)) => return Err(bus.failed(&error)),
                Err(error) => {
                    self.rejected += 1;
                    self.reason.get_or_insert_with(|| error.to_string());
                }
            }
        }
        Ok(())
    }
}

/// A number of entities, for people.
fn entities(number: u64) -> String {
    if number == 1 { "1 entity".to_owned() } else { format!("{} entities", grouped(number)) }
}

/// Waits until all changes have arrived, or until none has come for a while.
async fn arrived(listeners: &Listeners, expected: u64) {
    let mut seen = listeners.received();
    while seen < expected {
        let before = seen;
        let more = async {
            while listeners.received() == before {
                tokio::time::sleep(LOOK).await;
            }
        };
        if timeout(STALLED, more).await.is_err() {
            return;
        }
        seen = listeners.received();
    }
}
