//! Many clients on one machine: each of them has to get each event exactly once, and it is measured what that takes of
//! the server, which is the real command in a process of its own.
//!
//! `cargo bench -p entity-stream-cli --bench many_clients`; the figures are in `BENCHMARKS.md`. It fails if an event is
//! missing or comes twice.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::collections::HashSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

const SIZES: [usize; 3] = [1_250, 2_500, 5_000];
const EVENTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(120);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[tokio::main]
async fn main() -> Result<()> {
    // Each client takes a descriptor here, and one in the server.
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
    let url = format!("ws://127.0.0.1:{}/?tenant=demo", server.port);
    let started = Instant::now();
    let mut sockets: Vec<Socket> = stream::iter(0..clients)
        .map(|_| async { connect(&url).await })
        .buffer_unordered(64)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<_>>()?;
    let connecting = started.elapsed();
    let idle = server.memory("VmRSS")?;
    let (cpu, started) = (server.cpu()?, Instant::now());
    let ids = publish(server.port).await?;
    let mut receiving: FuturesUnordered<_> = sockets.iter_mut().map(|socket| receive(socket, &ids)).collect();
    while let Some(received) = timeout(PATIENCE, receiving.next()).await.context("events are missing")? {
        received?;
    }
    drop(receiving);
    let (delivering, cpu) = (started.elapsed(), server.cpu()? - cpu);
    // A repeat would have come by now: the pong comes after everything that was sent before.
    for socket in &mut sockets {
        nothing_more(socket).await?;
    }
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

async fn connect(url: &str) -> Result<Socket> {
    let config = WebSocketConfig::default().read_buffer_size(4096);
    Ok(connect_async_with_config(url, Some(config), true).await.context("connecting")?.0)
}

/// Publishes the events and returns their ids.
async fn publish(port: u16) -> Result<HashSet<String>> {
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
    let mut ids = HashSet::new();
    for batch in (0..EVENTS).collect::<Vec<_>>().chunks(10) {
        let entries = batch.iter().map(|n| entry(*n)).collect();
        let output = client.put_events().set_entries(Some(entries)).send().await.context("publishing")?;
        ids.extend(output.entries().iter().filter_map(|entry| entry.event_id().map(str::to_owned)));
    }
    ensure!(ids.len() == EVENTS, "every event is accepted");
    Ok(ids)
}

/// Receives every event once.
async fn receive(socket: &mut Socket, ids: &HashSet<String>) -> Result<()> {
    let mut missing = ids.clone();
    while !missing.is_empty() {
        let event = text(socket).await?;
        let event: serde_json::Value = serde_json::from_str(&event)?;
        let id = event["id"].as_str().context("an event has an id")?;
        ensure!(missing.remove(id), "event {id} came twice");
    }
    Ok(())
}

async fn nothing_more(socket: &mut Socket) -> Result<()> {
    use futures_util::SinkExt;
    socket.send(Message::text(r#"{"action":"ping"}"#)).await?;
    let answer = timeout(PATIENCE, text(socket)).await??;
    ensure!(answer == r#"{"type":"pong"}"#, "an event came twice: {answer}");
    Ok(())
}

async fn text(socket: &mut Socket) -> Result<String> {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => Ok(text.to_string()),
        other => bail!("a text frame was expected, not {other:?}"),
    }
}

/// The server: `entity-stream local` on free ports.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    async fn start() -> Result<Self> {
        let (port, dynamodb_port) = (free_port()?, free_port()?);
        let process = Command::new(env!("CARGO_BIN_EXE_entity-stream"))
            .args(["local", "--port", &port.to_string(), "--dynamodb-port", &dynamodb_port.to_string()])
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .spawn()
            .context("starting the server")?;
        let server = Self { process, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            ensure!(started.elapsed() < PATIENCE, "the server does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Listening, it may still be creating its table: the first handshake waits for that, and is not measured.
        drop(connect(&format!("ws://127.0.0.1:{port}/?tenant=warm-up")).await?);
        Ok(server)
    }

    /// A line of `/proc/PID/status`, in KiB.
    fn memory(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with(name)).context("a line of /proc")?;
        Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
    }

    /// The CPU time used so far, user and system: fields 14 and 15 of `/proc/PID/stat`, in hundredths of a second.
    fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let after_name = stat.rsplit(')').next().context("a process has a name")?;
        let ticks: Vec<u64> =
            after_name.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
