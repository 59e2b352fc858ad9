use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use entity_stream_protocol::Tenant;
use entity_stream_publisher::PublishError;
use entity_stream_simulation::{EventForm, NgsiFormat, Rate, Simulation, SimulationError};

use crate::arguments::{count, ngsi_format};
use crate::bus::{BusOptions, SOURCE};
use crate::interrupt::Interrupt;
use crate::logs;
use crate::progress::Progress;
use crate::terminal;

/// The number of rejections that are printed.
const PRINTED: u64 = 5;

/// Publish changes of a simulated city: rooms, sensors, vehicles and depots
///
/// Rooms are heated, filled and aired, sensors drift with the weather, and vehicles drive through the city. Now and then
/// an entity is created or deleted. The higher the rate, the larger the city. Events are as context brokers send them:
/// the whole entity in NGSI-LD's normalized format, and the names of the changed attributes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream simulate demo
  entity-stream simulate demo --rate 1000 --count 60000
  entity-stream simulate demo --format ngsi-v2 --partial
  entity-stream simulate demo --rate 50 --count 1000 --state city.json
  entity-stream simulate demo --rate 0.1 --event-bus city --region eu-west-1")]
pub(crate) struct Args {
    /// The tenant of the entities
    tenant: Tenant,
    /// Events per second, from 0.001 to 10000
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value = "1")]
    rate: Rate,
    /// Stop after this number of events
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    count: Option<u64>,
    /// The seed of the city; the same seed gives the same city [default: random]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// The NGSI format of the attributes
    #[arg(long, value_name = "FORMAT", default_value = NgsiFormat::default().as_str(), value_parser = ngsi_format())]
    format: NgsiFormat,
    /// Send only the changed attributes of an entity, not the whole entity
    #[arg(long)]
    partial: bool,
    /// Write the published entities as they are after the last event to this file, to compare them with what a client holds
    #[arg(long, value_name = "FILE", requires = "count", conflicts_with = "partial")]
    state: Option<PathBuf>,
    #[command(flatten)]
    bus: BusOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let mut interrupt = Interrupt::install()?;
    let target = args.bus.bus()?;
    let publisher = target.publisher().await?;
    let Args { tenant, rate, count, seed, format, partial, state, bus: _ } = args;
    // A file that cannot be written is found before the first event.
    let state = state
        .map(|path| File::create(&path).with_context(|| format!("cannot write {}", path.display())))
        .transpose()?;
    let simulation = Simulation { source: SOURCE, tenant, rate, form: EventForm { format, partial }, count, seed };
    let mut progress = Progress::new(None);
    let ended = simulation.run(publisher, interrupt.received(), |results| report(results, &mut progress)).await;
    progress.clear();
    let city = match ended {
        Ok(city) => city,
        Err(error) => {
            let error = match error {
                SimulationError::Request(error) => target.failed(&error),
                other => other.into(),
            };
            return Err(error.context(format!("stopped after {}", progress.summary())));
        }
    };
    if let Some(mut file) = state {
        writeln!(file, "{}", serde_json::to_string(&city.published()?)?).context("cannot write the state")?;
    }
    terminal::note(format!("{}, {}", progress.summary(), progress.rate()));
    anyhow::ensure!(progress.total_rejected() == 0, "the event bus rejected some of the events");
    Ok(())
}

/// Counts the results of one step.
fn report(results: Vec<Result<String, PublishError>>, progress: &mut Progress) {
    for result in results {
        match result {
            Ok(_) => progress.published(),
            // The simulation ends with this error.
            Err(PublishError::Request(_)) => {}
            // Simulated events are alike: if one is rejected, so are thousands.
            Err(error) if progress.total_rejected() < PRINTED => progress.rejected(&format!("rejected: {error}")),
            Err(_) => progress.rejected_quietly(),
        }
    }
    progress.draw(0);
}
