//! Measures how many events a second one machine delivers: one publisher and one listener for each tenant. Each event has
//! to arrive exactly once. The server is the real command in a process of its own.
//!
//! `cargo bench -p entity-stream-cli --bench throughput`, and the same with `--profile dev` for the system that `cargo run`
//! builds; the figures are in `BENCHMARKS.md`. `-- RATE SECONDS` chooses another rate and time. The benchmark fails if an event
//! that the bus accepted is missing or comes twice. It does not fail on a slow machine.

#![expect(clippy::print_stdout, reason = "the benchmark prints its figures")]

mod server;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use entity_stream_client::{Client, EntityStream, StreamItem};
use entity_stream_protocol::Tenant;
use entity_stream_publisher::Publisher;
use entity_stream_simulation::{EventForm, NgsiFormat, Rate, Simulation};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::server::{Server, connect};

/// Events per second of all tenants.
const RATE: f64 = if cfg!(debug_assertions) { 1000.0 } else { 3000.0 };
const SECONDS: f64 = 20.0;
/// The time that an event may take to arrive.
const PATIENCE: Duration = Duration::from_secs(120);

/// The events that one listener received.
struct Received {
    repeats: u64,
    /// The milliseconds from the making of each event to its arrival.
    ages: Vec<i64>,
}

#[tokio::main]
async fn main() -> Result<()> {
    // Cargo passes options of its own.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<f64>().ok());
    let (rate, seconds) = (numbers.next().unwrap_or(RATE), numbers.next().unwrap_or(SECONDS));
    println!("{rate} events/s of about 500 bytes for {seconds} s");
    println!("tenants  published/s  delivered/s  age p50     p99     greatest  refused  CPU/event  memory at its peak");
    for tenants in [1, 10] {
        measure(tenants, rate, seconds).await.with_context(|| format!("{tenants} tenants"))?;
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
async fn measure(tenants: usize, rate: f64, seconds: f64) -> Result<()> {
    let server = Server::start().await?;
    let config = entity_stream_local::aws_config(&format!("http://127.0.0.1:{}", server.port));
    let mut streams = Vec::new();
    for tenant in 0..tenants {
        let tenant = Tenant::parse(&format!("tenant{tenant}"))?;
        let client = Client::builder(server.url(), tenant.as_str()).reconnect(false).build()?;
        streams.push((tenant, connect(&client).await?));
    }
    let (cpu, started) = (server.cpu()?, Instant::now());
    let mut tasks = Vec::new();
    for (tenant, stream) in streams {
        let simulation = Simulation {
            source: "bench",
            tenant,
            rate: Rate::new(rate / tenants as f64)?,
            // Events of about 500 bytes, as `BENCHMARKS.md` says; with whole entities they have about 800.
            form: EventForm { format: NgsiFormat::NgsiLd, partial: true },
            count: Some((rate * seconds / tenants as f64) as u64),
            seed: Some(1),
        };
        let publisher = Publisher::to_default_bus(aws_sdk_eventbridge::Client::new(&config));
        tasks.push(tokio::spawn(one_tenant(stream, simulation, publisher)));
    }
    let (mut ages, mut refused, mut published, mut publishing) = (Vec::new(), 0, 0, Duration::ZERO);
    for task in tasks {
        let ended = task.await??;
        ensure!(ended.received.repeats == 0, "{} events came twice", ended.received.repeats);
        ages.extend(ended.received.ages);
        published += ended.published;
        refused += ended.refused;
        publishing = publishing.max(ended.publishing);
    }
    let (delivering, cpu) = (started.elapsed(), server.cpu()? - cpu);
    ages.sort_unstable();
    let age = |share: f64| ages[((ages.len() - 1) as f64 * share) as usize];
    println!(
        "{tenants:>7}  {:>11.0}  {:>11.0}  {:>4} ms  {:>6} ms  {:>6} ms  {refused:>7}  {:>6.0} µs  {:>10} KiB",
        published as f64 / publishing.as_secs_f64(),
        ages.len() as f64 / delivering.as_secs_f64(),
        age(0.5),
        age(0.99),
        age(1.0),
        cpu.as_secs_f64() * 1e6 / ages.len() as f64,
        server.memory("VmHWM")?,
    );
    Ok(())
}

/// The result for one tenant.
struct EndedTenant {
    published: u64,
    refused: u64,
    publishing: Duration,
    received: Received,
}

async fn one_tenant(mut stream: EntityStream, simulation: Simulation, publisher: Publisher) -> Result<EndedTenant> {
    let (done, published) = tokio::sync::oneshot::channel();
    let listening = tokio::spawn(async move {
        let (mut ages, mut published, mut expected) = (Vec::new(), published, None);
        while expected.is_none_or(|expected| (ages.len() as u64) < expected) {
            tokio::select! {
                item = timeout(PATIENCE, stream.try_next()) => {
                    let item = item.context("events are missing")??.context("the stream ended")?;
                    if let StreamItem::Event(event) = item {
                        let made: Timestamp = event.message().timestamp.parse().context("a timestamp")?;
                        ages.push(Timestamp::now().duration_since(made).as_millis() as i64);
                    }
                }
                count = &mut published, if expected.is_none() => expected = Some(count?),
            }
        }
        anyhow::Ok(Received { repeats: stream.repeats(), ages })
    });
    let (mut published, mut refused, started) = (0, 0, Instant::now());
    simulation
        .run(publisher, std::future::pending(), |results| {
            for result in results {
                *if result.is_ok() { &mut published } else { &mut refused } += 1;
            }
        })
        .await?;
    let publishing = started.elapsed();
    // The listener has ended if it has failed.
    let _ = done.send(published);
    let received = listening.await??;
    ensure!(received.ages.len() as u64 == published, "{} of {published} events arrived", received.ages.len());
    Ok(EndedTenant { published, refused, publishing, received })
}
