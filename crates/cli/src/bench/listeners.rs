use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use entity_stream_client::{Client, ClientError, EntityStream, StreamItem};
use hdrhistogram::Histogram;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::refusal::explain;

/// The time that all connections have to subscribe.
const SUBSCRIBING: Duration = Duration::from_secs(60);
/// The connections that are opened at the same time.
const OPENING: usize = 32;

/// The data of a change.
#[derive(Deserialize)]
struct Numbered {
    n: Option<u64>,
}

/// The events that one connection, or all of them, received.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub(super) latencies: Histogram<u64>,
    pub(super) reconnects: u64,
    pub(super) last: Option<Instant>,
}

impl Arrivals {
    pub(super) fn new() -> anyhow::Result<Self> {
        // Three digits, up to an hour.
        let mut latencies = Histogram::new_with_bounds(1, 3_600_000_000, 3)?;
        latencies.auto(true);
        Ok(Self { latencies, reconnects: 0, last: None })
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.latencies.add(&other.latencies)?;
        self.reconnects += other.reconnects;
        self.last = self.last.max(other.last);
        Ok(())
    }
}

/// The time at which each change is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timetable {
    pub(super) start: Instant,
    pub(super) per_second: f64,
}

impl Timetable {
    pub(super) fn due(&self, number: u64) -> Instant {
        self.start + Duration::from_secs_f64(number as f64 / self.per_second)
    }
}

/// Connections that listen.
pub(super) struct Listeners {
    tasks: JoinSet<anyhow::Result<Arrivals>>,
    begin: watch::Sender<Option<Timetable>>,
    stop: watch::Sender<bool>,
    received: Arc<AtomicU64>,
}

impl Listeners {
    /// Opens connections, and waits until each has subscribed.
    pub(super) async fn open(client: &Client, connections: u32) -> anyhow::Result<Self> {
        let opened = timeout(SUBSCRIBING, subscribed(client, connections)).await;
        let streams =
            opened.with_context(|| format!("not all connections were open within {} s", SUBSCRIBING.as_secs()))??;
        let (begin, (stop, received)) =
            (watch::Sender::new(None), (watch::Sender::new(false), Arc::new(AtomicU64::new(0))));
        let mut tasks = JoinSet::new();
        for stream in streams {
            tasks.spawn(listen(stream, client.clone(), begin.subscribe(), stop.subscribe(), Arc::clone(&received)));
        }
        Ok(Self { tasks, begin, stop, received })
    }

    /// Tells the times of the changes, before the first one is published.
    pub(super) fn begin(&self, timetable: Timetable) {
        self.begin.send_replace(Some(timetable));
    }

    /// The number of changes that all connections received so far.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The first failure of a connection. Never returns without one.
    pub(super) async fn failure(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(_))) => anyhow!("the server closed a connection for good"),
            Some(Err(error)) => anyhow!(error),
            None => std::future::pending().await,
        }
    }

    /// Closes the connections.
    pub(super) async fn close(mut self) -> anyhow::Result<Arrivals> {
        self.stop.send_replace(true);
        let mut all = Arrivals::new()?;
        while let Some(arrivals) = self.tasks.join_next().await {
            all.add(&arrivals??)?;
        }
        Ok(all)
    }
}

/// Opens all connections, some at a time.
async fn subscribed(client: &Client, connections: u32) -> anyhow::Result<Vec<EntityStream>> {
    let (mut opening, mut streams) = (JoinSet::new(), Vec::new());
    for _ in 0..connections {
        while opening.len() >= OPENING {
            streams.extend(opening.join_next().await.transpose()?.transpose()?);
        }
        opening.spawn(open_one(client.clone()));
    }
    while let Some(stream) = opening.join_next().await {
        streams.push(stream??);
    }
    Ok(streams)
}

async fn open_one(client: Client) -> anyhow::Result<EntityStream> {
    let mut stream = client.connect();
    loop {
        match stream.try_next().await {
            Ok(Some(StreamItem::Subscribed { .. })) => return Ok(stream),
            Ok(Some(StreamItem::Disconnected { error, .. })) | Err(error) => return Err(failed(&client, &error)),
            Ok(Some(_)) => {}
            Ok(None) => bail!("the server closed the connection"),
        }
    }
}

fn failed(client: &Client, error: &ClientError) -> anyhow::Error {
    anyhow!(explain(error, client.credential())).context(format!("cannot listen at {}", client.url()))
}

async fn listen(
    mut stream: EntityStream,
    client: Client,
    begin: watch::Receiver<Option<Timetable>>,
    mut stop: watch::Receiver<bool>,
    received: Arc<AtomicU64>,
) -> anyhow::Result<Arrivals> {
    let mut arrivals = Arrivals::new()?;
    loop {
        let item = tokio::select! {
            item = stream.try_next() => item,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let now = Instant::now();
        match item.map_err(|error| failed(&client, &error))? {
            Some(StreamItem::Event(event)) => {
                let data = event.message().data.as_ref().map(|data| data.get()).unwrap_or_default();
                let number = serde_json::from_str::<Numbered>(data).ok().and_then(|data| data.n);
                let timetable = *begin.borrow();
                if let (Some(number), Some(timetable)) = (number, timetable) {
                    let latency = now.saturating_duration_since(timetable.due(number));
                    arrivals.latencies.record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1))?;
                    arrivals.last = Some(now);
                    received.fetch_add(1, Ordering::Relaxed);
                }
            }
            Some(StreamItem::Disconnected { .. }) => arrivals.reconnects += 1,
            Some(_) => {}
            None => bail!("the server closed the connection"),
        }
    }
    stream.close().await;
    Ok(arrivals)
}
