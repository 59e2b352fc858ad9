use std::time::Duration;

use anyhow::{Context, ensure};
use entity_stream_protocol::Tenant;
use entity_stream_simulation::Rate;

use crate::arguments::duration;
use crate::bench::{BenchOutput, Benchmark};
use crate::bus::BusOptions;
use crate::client;
use crate::credential::CredentialArgs;
use crate::interrupt::Interrupt;
use crate::{logs, terminal};

/// The most listeners of one command.
const MOST_CONNECTIONS: u32 = 10_000;

/// Measure how many events a system delivers, and how fast
///
/// Opens connections, publishes changes of its own entities at a rate, and measures the time until each connection has each
/// change. Both ends of a time are on the clock of this machine. A time begins when the change is due to be published, so a bus
/// that slows the publisher down makes the times longer. The entities have the type EntityStreamBench. They are deleted at the
/// end. Clients of the tenant that listen without a filter receive the changes too.
///
/// Exits with 1 if a change was rejected or did not arrive at each connection.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream bench demo
  entity-stream bench demo --connections 200 --rate 100 --duration 1m
  entity-stream bench demo --output json | jq .latencyMilliseconds.p99
  entity-stream bench demo --target prod --connections 20 --rate 5")]
pub(crate) struct Args {
    /// The tenant of the connections and of the changes
    tenant: Tenant,
    /// The number of connections that listen
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value = "10", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CONNECTIONS)))]
    connections: u32,
    /// Changes per second, from 0.001 to 10000
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value = "50")]
    rate: Rate,
    /// The time for which changes are published
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// The form in which the result is printed
    #[arg(long, value_name = "FORM", value_enum, default_value_t = BenchOutput::Table)]
    output: BenchOutput,
    /// The WebSocket URL of the stream [default: that of the target]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    credential: CredentialArgs,
    #[command(flatten)]
    bus: BusOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let mut interrupt = Interrupt::install()?;
    let credential = args.credential.credential()?;
    let url = match &args.url {
        Some(url) => url.clone(),
        None => args.bus.target.system()?.stream_url()?,
    };
    let builder = client::builder(&url, &args.tenant, credential.as_ref());
    let client = client::build(builder.clone())?;
    client::warn_if_exposed(&client);
    let bus = args.bus.bus_of(client.url(), args.url.is_some())?;
    let bus = bus.context("nothing names the bus to publish to; pass --target CONTEXT or --event-bus NAME")?;
    let events = (args.rate.per_second() * args.duration.as_secs_f64()).round().max(1.0);
    ensure!(events <= 100_000_000.0, "--rate and --duration are more than 100 million changes; choose less");
    let benchmark = Benchmark {
        tenant: args.tenant,
        connections: args.connections,
        rate: args.rate,
        events: events as u64,
        output: args.output,
    };
    if bus.event_bus.is_some() {
        terminal::note(benchmark.costs());
    }
    benchmark.run(&builder, &bus, &mut interrupt).await
}
