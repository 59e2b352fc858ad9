use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use entity_stream_clock::Clock;
use entity_stream_protocol::{ChangeType, EntityChange, EntityType, EntityTypes, Tenant, is_rfc3339};
use entity_stream_publisher::{Batch, BusEntry, InFlight, PublishError, Settled};
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep_until};

use crate::bus::{BusOptions, ChangeTimes, Line, LineEntry, Lines, SOURCE, TargetBus};
use crate::interrupt::Interrupt;
use crate::logs;
use crate::progress::Progress;
use crate::terminal::{self, printable};
use crate::usage_error::usage_error;

/// The time that a batch waits for more lines, so that single lines are published as they come.
const LINGER: Duration = Duration::from_millis(20);
/// The time that the bus has to accept a batch.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(20);

/// Publish entity changes
///
/// Publishes one change from options, or many from a file of JSON lines. Each change is checked before it is sent. `data`
/// arrives byte for byte.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
entity-stream publish <TENANT> --type <TYPE> --entity-type <TYPE> --entity-id <ID> [OPTIONS]
       entity-stream publish <TENANT> --file <FILE> [OPTIONS]",
    after_help = "\
Examples:
  entity-stream publish demo --type entityUpdated \\
      --entity-type Room --entity-id room-1 \\
      --data '{\"temperature\":{\"type\":\"Number\",\"value\":23.5}}'
  entity-stream publish demo --type entityDeleted \\
      --entity-type Room --entity-id room-1
  entity-stream publish demo --file events.ndjson
  tail -f events.ndjson | entity-stream publish demo --file -
  entity-stream publish demo --file events.ndjson \\
      --event-bus city --region eu-west-1

Each line of a file is the detail of an event; the command adds the tenant and the timestamp if they are missing:
  {\"type\":\"entityUpdated\",\"entityId\":\"room-1\",\"entityType\":\"Room\",\"data\":{\"co2\":612}}"
)]
pub(crate) struct Args {
    /// The tenant of the entities
    tenant: Tenant,
    /// The type of the change
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "file", value_parser = change_type())]
    change_type: Option<ChangeType>,
    /// The entity's type; repeat the option for an entity of several types
    #[arg(long, value_name = "TYPE", required_unless_present = "file")]
    entity_type: Vec<EntityType>,
    /// The entity's id
    #[arg(long, value_name = "ID", required_unless_present = "file")]
    entity_id: Option<String>,
    /// The entity's attributes, a JSON object [default: {}]
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// The name of an attribute that changed; repeat the option for several attributes
    #[arg(long, value_name = "NAME")]
    changed_attribute: Vec<String>,
    /// The entity's `Fiware-ServicePath` [default: /]
    #[arg(long, value_name = "PATH")]
    service_path: Option<String>,
    /// The time of the change, such as 2026-01-31T12:00:00Z [default: the time of publishing]
    #[arg(long, value_name = "TIME")]
    timestamp: Option<String>,
    /// Publish each line of this file, or of standard input if `-`
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "change_type", "entity_type", "entity_id", "data", "changed_attribute", "service_path", "timestamp",
    ])]
    file: Option<PathBuf>,
    /// The number of concurrent requests. Changes can overtake each other, even with one request; their timestamps tell the order
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value = "1", requires = "file", value_parser = at_once)]
    in_flight: NonZeroUsize,
    #[command(flatten)]
    bus: BusOptions,
}

fn at_once(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number of at least 1".to_owned())
}

fn change_type() -> impl TypedValueParser<Value = ChangeType> {
    PossibleValuesParser::new(ChangeType::ALL.map(ChangeType::as_str)).try_map(|name| {
        ChangeType::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| format!("{name} is not a type of change"))
    })
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    match &args.file {
        Some(path) => many(&args, path).await,
        None => one(&args).await,
    }
}

async fn one(args: &Args) -> anyhow::Result<()> {
    let entry = entry(args).map_err(usage_error)?;
    let target = args.bus.bus()?;
    let publisher = target.publisher().await?;
    match publisher.publish(&[entry], Instant::now() + PUBLISH_TIMEOUT).await.into_iter().next() {
        Some(Ok(id)) => terminal::line(format!("published as {id}")),
        Some(Err(PublishError::Request(error))) => Err(target.failed(&error)),
        Some(Err(error)) => bail!("the event was rejected: {error}"),
        None => bail!("the event bus returned no result for the event"),
    }
}

/// The event of the options.
fn entry(args: &Args) -> anyhow::Result<BusEntry> {
    let change_type = args.change_type.context("--type is missing")?;
    let data = args.data.as_deref().unwrap_or("{}");
    let data: Box<RawValue> = serde_json::from_str(data).context("--data is not JSON")?;
    ensure!(data.get().starts_with('{'), "--data must be a JSON object, such as '{{\"temperature\":23.5}}'");
    let only_on_updates = args.changed_attribute.is_empty() || change_type == ChangeType::EntityUpdated;
    ensure!(only_on_updates, "--changed-attribute requires --type entityUpdated");
    ensure!(
        args.changed_attribute.iter().all(|name| !name.is_empty()),
        "--changed-attribute must be a name; found an empty text"
    );
    let service_path = args.service_path.clone().unwrap_or_else(|| "/".to_owned());
    ensure!(
        service_path.starts_with('/'),
        "--service-path must begin with `/`, such as `/madrid`, or no filter would find the event; found `{}`",
        printable(&service_path)
    );
    ensure!(
        args.timestamp.as_deref().is_none_or(is_rfc3339),
        "--timestamp must be a time with an offset, such as 2026-01-31T12:00:00Z"
    );
    let entity_types = match args.entity_type.as_slice() {
        [one] => EntityTypes::One(one.clone()),
        many => EntityTypes::Many(many.to_vec()),
    };
    let change = EntityChange {
        change_type,
        tenant: args.tenant.clone(),
        service_path,
        entity_id: args.entity_id.clone().unwrap_or_default(),
        entity_types,
        data,
        changed_attributes: Some(args.changed_attribute.clone()).filter(|names| !names.is_empty()),
        context: None,
        timestamp: args.timestamp.clone().or_else(|| ChangeTimes::new(Clock::system()).next()),
    };
    BusEntry::change(SOURCE, change.to_json()).context("the event cannot be delivered")
}

async fn many(args: &Args, path: &Path) -> anyhow::Result<()> {
    let mut interrupt = Interrupt::install()?;
    let target = args.bus.bus()?;
    let mut lines = Lines::open(path)?;
    let mut progress = Progress::new(lines.bytes);
    let mut in_flight = InFlight::new(target.publisher().await?, args.in_flight, PUBLISH_TIMEOUT);
    let mut ended = tokio::select! {
        result = send(args, &target, &mut lines, &mut in_flight, &mut progress) => result,
        () = interrupt.received() => Err(anyhow!("interrupted")),
    };
    progress.clear();
    // Batches that were sent before an error count too.
    while !in_flight.is_idle() {
        ended = ended.and(report(in_flight.next().await, &target, &mut progress));
    }
    if let Err(error) = ended {
        return Err(error.context(format!("stopped after {}", progress.summary())));
    }
    terminal::note(progress.summary());
    let (rejected, all) = (progress.total_rejected(), progress.total_rejected() + progress.total_published());
    ensure!(rejected == 0, "{} of {} rejected", terminal::grouped(rejected), terminal::counted(all, "event"));
    Ok(())
}

/// Publishes all lines, in batches.
async fn send(
    args: &Args,
    target: &TargetBus,
    lines: &mut Lines,
    in_flight: &mut InFlight<LineEntry>,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    let (mut batch, mut position, mut times) = (Batch::default(), 0, ChangeTimes::new(Clock::system()));
    let mut due = Instant::now();
    loop {
        let flush = tokio::select! {
            finished = in_flight.next(), if !in_flight.is_idle() => {
                report(finished, target, progress)?;
                false
            }
            line = lines.next() => {
                let Some(Line { number, end, text }) = line else { break };
                position = end;
                match text.and_then(|text| LineEntry::from_line(&text, number, &args.tenant, &mut times)) {
                    Err(error) => progress.rejected(&format!("line {number}: {error:#}")),
                    Ok(entry) => {
                        if batch.is_empty() {
                            due = Instant::now() + LINGER;
                        }
                        if let Some(full) = batch.push_or_replace(entry) {
                            report(in_flight.send(full).await, target, progress)?;
                            due = Instant::now() + LINGER;
                        }
                    }
                }
                batch.is_full()
            }
            () = sleep_until(due), if !batch.is_empty() => true,
        };
        if flush {
            report(in_flight.send(std::mem::take(&mut batch)).await, target, progress)?;
        }
        progress.draw(position);
    }
    report(in_flight.send(batch).await, target, progress)
}

/// Counts the results. A request that failed as a whole ends the command.
fn report(settled: Settled<LineEntry>, target: &TargetBus, progress: &mut Progress) -> anyhow::Result<()> {
    let mut failed = None;
    for (entry, result) in settled {
        match result {
            Ok(_) => progress.published(),
            Err(PublishError::Request(error)) => failed = Some(error),
            Err(error) => progress.rejected(&format!("line {}: {error}", entry.line)),
        }
    }
    failed.map_or(Ok(()), |error| Err(target.failed(&error)))
}
