//! Measures how long the events and handshakes of one tenant take while a client or a publisher of another tenant misuses
//! the server. The server is the real command in a process of its own; this process is all clients and publishers.
//!
//! `cargo bench -p entity-stream-cli --bench neighbours`; the figures are in `BENCHMARKS.md`. The benchmark fails if an event
//! of the neighbour is missing.

#![expect(clippy::print_stdout, reason = "the benchmark prints its figures")]

#[expect(dead_code, reason = "the process is measured by another benchmark")]
mod server;

use std::future::pending;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use entity_stream_client::{Client, Filter, StreamItem};
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use server::{Server, connect};

/// The events of the neighbour, one each [`EVENT_INTERVAL`], and its handshakes, one each [`HANDSHAKE_INTERVAL`].
const EVENTS: usize = 300;
const EVENT_INTERVAL: Duration = Duration::from_millis(50);
const HANDSHAKES: usize = 150;
const HANDSHAKE_INTERVAL: Duration = Duration::from_millis(100);
/// The time between the beginning of the misuse and the first event of the neighbour.
const LEAD: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(120);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The load of the other tenant.
#[derive(Clone, Copy)]
enum Misuse {
    Nothing,
    /// 32 changes of the filter at once, on one connection, again and again.
    Subscribes,
    /// Ten connections that never read, and 20 events of 100 KB a second. They are opened again when they are closed.
    NeverReads,
    /// 40 connections with the slowest pattern that the server accepts, and 20 events a second with ids for it.
    SlowPatterns,
    /// 1,000 events a second with one listener.
    Flood,
}

#[tokio::main]
async fn main() -> Result<()> {
    rlimit::increase_nofile_limit(u64::MAX).context("raising the limit of open files")?;
    println!("{EVENTS} events and {HANDSHAKES} handshakes of a neighbour, in ms");
    println!("the other tenant    events: median      99 %   longest   handshakes: median      99 %   longest");
    for (name, misuse) in [
        ("nothing", Misuse::Nothing),
        ("subscribes", Misuse::Subscribes),
        ("never reads", Misuse::NeverReads),
        ("slow patterns", Misuse::SlowPatterns),
        ("flood", Misuse::Flood),
    ] {
        let server = Server::start().await?;
        let (events, handshakes) = tokio::select! {
            measured = neighbour(&server) => measured.with_context(|| format!("beside {name}"))?,
            failed = misuse.run(&server) => return failed.context(name),
        };
        println!("{name:<18} {}   {:>9} {}", Figures(events), "", Figures(handshakes));
    }
    Ok(())
}

/// The times of the neighbour's events, from publication to arrival, and of its handshakes.
async fn neighbour(server: &Server) -> Result<(Vec<Duration>, Vec<Duration>)> {
    tokio::time::sleep(LEAD).await;
    tokio::try_join!(events(server), handshakes(server))
}

async fn events(server: &Server) -> Result<Vec<Duration>> {
    let client = Client::builder(server.url(), "neighbour").build()?;
    let mut listener = connect(&client).await?;
    let publisher = Publisher::new(server, "neighbour");
    let mut published = Vec::with_capacity(EVENTS);
    let mut times = Vec::with_capacity(EVENTS);
    let mut tick = steady(EVENT_INTERVAL);
    let mut publishing = FuturesUnordered::new();
    let started = Instant::now();
    while times.len() < EVENTS {
        tokio::select! {
            _ = tick.tick(), if published.len() < EVENTS => {
                publishing.push(publisher.publish(vec![(published.len().to_string(), String::new())]));
                published.push(Instant::now());
            }
            Some(sent) = publishing.next() => sent?,
            item = listener.try_next() => if let Some(StreamItem::Event(event)) = item? {
                let n: usize = event.message().entity_id.parse()?;
                times.push(published.get(n).context("an event of this run")?.elapsed());
            },
            () = tokio::time::sleep(PATIENCE) => {}
        }
        ensure!(started.elapsed() < PATIENCE, "{} of {EVENTS} events arrived", times.len());
    }
    Ok(times)
}

async fn handshakes(server: &Server) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(HANDSHAKES);
    let mut tick = steady(HANDSHAKE_INTERVAL);
    let mut opening = FuturesUnordered::new();
    let mut begun = 0;
    while times.len() < HANDSHAKES {
        tokio::select! {
            _ = tick.tick(), if begun < HANDSHAKES => {
                begun += 1;
                opening.push(async {
                    let started = Instant::now();
                    let mut socket = open(server, "neighbour").await?;
                    let time = started.elapsed();
                    socket.close(None).await?;
                    anyhow::Ok(time)
                });
            }
            Some(time) = opening.next() => times.push(time?),
        }
    }
    Ok(times)
}

impl Misuse {
    /// Goes on until it is dropped.
    async fn run(self, server: &Server) -> Result<()> {
        match self {
            Self::Nothing => pending().await,
            Self::Subscribes => subscribes(server).await,
            Self::NeverReads => never_reads(server).await,
            Self::SlowPatterns => slow_patterns(server).await,
            Self::Flood => flood(server).await,
        }
    }
}

async fn subscribes(server: &Server) -> Result<()> {
    let mut socket = open(server, "other").await?;
    let mut round = 0;
    loop {
        for n in 0..32 {
            let types: Vec<_> = (0..49).map(|t| format!("Type{round}x{n}x{t}")).collect();
            let message = json!({ "action": "subscribe", "entityTypes": types, "requestId": n.to_string() });
            socket.send(Message::text(message.to_string())).await?;
        }
        for _ in 0..32 {
            let answer = timeout(PATIENCE, socket.next()).await.context("an answer is missing")?;
            answer.context("the connection ended")??;
        }
        round += 1;
    }
}

async fn never_reads(server: &Server) -> Result<()> {
    let publisher = Publisher::new(server, "other");
    let data = "x".repeat(100_000);
    let mut sockets = Vec::new();
    let mut tick = steady(EVENT_INTERVAL);
    for n in 0.. {
        tick.tick().await;
        // The server closes a slow consumer; a client without manners comes back.
        if n % 200 == 0 {
            sockets = stream::iter(0..10).then(|_| open(server, "other")).try_collect().await?;
        }
        publisher.publish(vec![(n.to_string(), data.clone())]).await?;
    }
    drop(sockets);
    Ok(())
}

async fn slow_patterns(server: &Server) -> Result<()> {
    // A choice that is repeated as often as the server accepts.
    let pattern = (1..=905)
        .rev()
        .map(|n| format!("(?:[a-z]?[b-y]?){{{n}}}[^a-zЇ]"))
        .find(|pattern| Filter::new(["Room"], Some(pattern)).is_ok())
        .context("no pattern is accepted")?;
    let _sockets: Vec<Socket> = stream::iter(0..40)
        .then(|_| async {
            let mut socket = open(server, "other").await?;
            let message = json!({ "action": "subscribe", "entityTypes": ["Room"], "idPattern": pattern });
            socket.send(Message::text(message.to_string())).await?;
            anyhow::Ok(socket)
        })
        .try_collect()
        .await?;
    let publisher = Publisher::new(server, "other");
    let mut tick = steady(EVENT_INTERVAL);
    for n in 0_u32.. {
        tick.tick().await;
        let letter = char::from(b'b' + u8::try_from(n % 20)?);
        publisher.publish(vec![(letter.to_string().repeat(256), String::new())]).await?;
    }
    Ok(())
}

async fn flood(server: &Server) -> Result<()> {
    let client = Client::builder(server.url(), "other").build()?;
    let mut listener = connect(&client).await?;
    let publisher = Publisher::new(server, "other");
    let publish = async {
        let mut tick = steady(Duration::from_millis(10));
        for n in 0.. {
            tick.tick().await;
            publisher.publish((0..10).map(|m| (format!("{n}-{m}"), String::new())).collect()).await?;
        }
        anyhow::Ok(())
    };
    let listen = async {
        loop {
            listener.try_next().await?.context("the stream ended")?;
        }
    };
    tokio::select! {
        ended = publish => ended,
        ended = listen => ended,
    }
}

/// A ticker that does not hurry after a late tick.
fn steady(period: Duration) -> tokio::time::Interval {
    let mut ticker = interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

async fn open(server: &Server, tenant: &str) -> Result<Socket> {
    let opened = connect_async(format!("{}/?tenant={tenant}", server.url())).await;
    Ok(opened.with_context(|| format!("a handshake of {tenant}"))?.0)
}

/// A publisher of one tenant. The bus may refuse entries of a tenant that publishes too much.
struct Publisher {
    client: aws_sdk_eventbridge::Client,
    tenant: &'static str,
}

impl Publisher {
    fn new(server: &Server, tenant: &'static str) -> Self {
        let config = entity_stream_local::aws_config(&format!("http://127.0.0.1:{}", server.port));
        Self { client: aws_sdk_eventbridge::Client::new(&config), tenant }
    }

    /// Publishes updates of entities with these ids and this much text.
    async fn publish(&self, entities: Vec<(String, String)>) -> Result<()> {
        let entries = entities.into_iter().map(|(id, text)| {
            let detail = json!({
                "type": "entityUpdated", "tenant": self.tenant, "entityId": id, "entityType": "Room",
                "data": { "text": { "type": "Text", "value": text } }, "changedAttributes": ["text"],
            });
            PutEventsRequestEntry::builder()
                .source("bench")
                .detail_type("entity.changed")
                .detail(detail.to_string())
                .build()
        });
        let output =
            self.client.put_events().set_entries(Some(entries.collect())).send().await.context("publishing")?;
        ensure!(self.tenant == "other" || output.failed_entry_count() == 0, "the bus refused the neighbour's event");
        Ok(())
    }
}

/// The median, the 99th percentile and the longest of some times, in milliseconds.
struct Figures(Vec<Duration>);

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut times = self.0.clone();
        times.sort();
        let at = |percent: usize| {
            times.get((times.len() * percent / 100).min(times.len() - 1)).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        write!(f, "{:>14.1} {:>9.1} {:>9.1}", at(50), at(99), at(100))
    }
}
