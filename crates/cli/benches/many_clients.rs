//! Measures a server with many clients on one machine. Each client has to receive each event exactly once. The server is
//! the real command in a process of its own.
//!
//! `cargo bench -p entity-stream-cli --bench many_clients`; the figures are in `BENCHMARKS.md`. The benchmark fails if an
//! event is missing or comes twice.

#![expect(clippy::print_stdout, reason = "the benchmark prints its figures")]

mod server;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use entity_stream_client::{Client, EntityStream, StreamItem};
use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use serde_json::json;
use tokio::time::timeout;

use crate::server::{Server, connect};

const SIZES: [usize; 3] = [1_250, 2_500, 5_000];
const EVENTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    // Each client takes one descriptor here and one in the server.
    rlimit::increase_nofile_limit(u64::MAX).context("raising the limit of open files")?;
    println!("{EVENTS} events of about 300 bytes to every client");
    println!("clients  connecting  delivering  messages/s  CPU/message  memory idle  at its peak  per client");
    for clients in SIZES {
        measure(clients).await.with_context(|| format!("{clients} clients"))?;
    }
    Ok(())
}

async fn measure(clients: usize) -> Result<()> {
    let server = Server::start().await?;
    let before = server.memory("VmRSS")?;
    let client = Client::builder(server.url(), "demo").reconnect(false).build()?;
    let started = Instant::now();
    let mut streams: Vec<EntityStream> = stream::iter(0..clients)
        .map(|_| connect(&client))
        .buffer_unordered(64)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<_>>()?;
    let connecting = started.elapsed();
    let idle = server.memory("VmRSS")?;
    let (cpu, started) = (server.cpu()?, Instant::now());
    publish(server.port, EVENTS).await?;
    receive(&mut streams, EVENTS).await?;
    let (delivering, cpu) = (started.elapsed(), server.cpu()? - cpu);
    // A repeat comes before an event that is published only now.
    publish(server.port, 1).await?;
    receive(&mut streams, 1).await?;
    let repeats: u64 = streams.iter().map(EntityStream::repeats).sum();
    ensure!(repeats == 0, "{repeats} events came twice");
    let messages = f64::from(u32::try_from(clients * EVENTS)?);
    let peak = server.memory("VmHWM")?;
    println!(
        "{clients:>7}  {:>8.2} s  {:>8.2} s  {:>10.0}  {:>8.1} µs  {:>8} KiB  {:>8} KiB  {:>6} KiB",
        connecting.as_secs_f64(),
        delivering.as_secs_f64(),
        messages / delivering.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / messages,
        idle,
        peak,
        (idle - before) / u64::try_from(clients)?,
    );
    Ok(())
}

/// Publishes this many events.
async fn publish(port: u16, events: usize) -> Result<()> {
    let config = entity_stream_local::aws_config(&format!("http://127.0.0.1:{port}"));
    let client = aws_sdk_eventbridge::Client::new(&config);
    let entry = |n: usize| {
        let detail = json!({
            "type": "entityUpdated", "tenant": "demo", "entityId": format!("urn:ngsi-ld:Room:{n:03}"),
            "entityType": "Room", "data": { "temperature": { "type": "Number", "value": 23.5 } },
            "changedAttributes": ["temperature"], "timestamp": "2026-01-02T03:04:05Z",
        });
        PutEventsRequestEntry::builder()
            .source("bench")
            .detail_type("entity.changed")
            .detail(detail.to_string())
            .build()
    };
    for batch in (0..events).collect::<Vec<_>>().chunks(10) {
        let entries = batch.iter().map(|n| entry(*n)).collect();
        let output = client.put_events().set_entries(Some(entries)).send().await.context("publishing")?;
        ensure!(output.failed_entry_count() == 0, "the bus rejected an event");
    }
    Ok(())
}

/// Waits until each stream has handed out this many events. A stream hands out each event once.
async fn receive(streams: &mut [EntityStream], events: usize) -> Result<()> {
    let mut receiving: FuturesUnordered<_> = streams
        .iter_mut()
        .map(|stream| async {
            for _ in 0..events {
                let item = stream.try_next().await?.context("the stream ended")?;
                ensure!(matches!(item, StreamItem::Event(_)), "an event was expected, not {item:?}");
            }
            Ok(())
        })
        .collect();
    while let Some(received) = timeout(PATIENCE, receiving.next()).await.context("events are missing")? {
        received?;
    }
    Ok(())
}
