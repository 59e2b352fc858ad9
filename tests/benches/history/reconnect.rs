//! Clients that all come back at once, as after a deployment, through sockets: the time until all have caught up, the processor time
//! with a history and without it, and the read units with the cache of past events and without it.

use std::time::{Duration, Instant};

use entity_stream_clock::Clock;
use entity_stream_local::Local;
use entity_stream_protocol::{EpochMillis, Position};
use futures_util::{SinkExt, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::event::processor_time;
use crate::setting::{fill, history, local};
use crate::storm_reads::StormUnits;

const CLIENTS: [usize; 2] = [500, 5_000];
/// The absence, and the rate of events of the tenant. One in a hundred matches.
const ABSENCE: Duration = Duration::from_secs(60);
const PER_SECOND: usize = 100;

/// The times until all clients of a storm were connected, and were answered, and the processor time for each.
struct Storm {
    connected: Duration,
    answered: Duration,
    cpu: Duration,
    /// The most events that were replayed to a client.
    replayed: u64,
}

pub(crate) async fn measure(sizes: &[usize]) {
    println!("\nclients that come back at once after {ABSENCE:?}, in a tenant with {PER_SECOND} events/s");
    println!("clients   history   all connected   all caught up   CPU/client   replayed to each");
    let sizes = if sizes.is_empty() { &CLIENTS } else { sizes };
    let mut units = Vec::new();
    for clients in sizes.iter().copied() {
        let storm = Storm::of(&local("0").await, clients, None).await;
        storm.print(clients, "without");
        let local = local("60").await;
        let table = history(&local);
        let now = Clock::system().now();
        // The system has just started, and its history counts from then; this benchmark writes its past.
        table.end_epoch().await.unwrap();
        table.begin_epoch_at(EpochMillis::default()).await.unwrap();
        let from = now.minus(ABSENCE + table.timing().overlap);
        fill(&table, from, ABSENCE + table.timing().overlap, PER_SECOND).await;
        let storm = Storm::of(&local, clients, Some(table.position_of(now.minus(ABSENCE)))).await;
        storm.print(clients, "with");
        units.push((clients, StormUnits::of(&local, clients, from, now).await));
    }
    println!("\nread units of these clients");
    println!("clients   without a cache   one after the other   at the same time");
    for (clients, StormUnits { without_cache, with_cache, shared }) in units {
        println!("{clients:>7}   {without_cache:>15}   {with_cache:>19}   {shared:>16}");
    }
}

impl Storm {
    /// Connects, and then subscribes all at once, with this position if there is a history.
    async fn of(local: &Local, clients: usize, position: Option<Position>) -> Self {
        let url = format!("{}/?tenant=demo&subscribe=none&batch=true", local.websocket_url());
        let (started, cpu) = (Instant::now(), processor_time());
        let sockets: Vec<_> = stream::iter(0..clients)
            .map(|_| async { connect_async(&url).await.unwrap().0 })
            .buffer_unordered(64)
            .collect()
            .await;
        let connected = started.elapsed();
        let started = Instant::now();
        let replayed = stream::iter(sockets.into_iter().enumerate()).map(|(number, socket)| {
            let mut message = json!({ "action": "subscribe", "entityTypes": ["Room"], "requestId": "1" });
            if let Some(position) = &position {
                message["since"] = json!({ "position": position, "session": format!("Client{number}=") });
            }
            answer(socket, message)
        });
        let replayed: Vec<u64> = replayed.buffer_unordered(clients).collect().await;
        let cpu = (processor_time() - cpu) / u32::try_from(clients).unwrap();
        let replayed = replayed.into_iter().max().unwrap_or_default();
        Self { connected, answered: started.elapsed(), cpu, replayed }
    }

    fn print(&self, clients: usize, history: &str) {
        println!(
            "{clients:>7}   {history:>7}   {:>11.2} s   {:>11.2} s   {:>7} µs   {:>16}",
            self.connected.as_secs_f64(),
            self.answered.as_secs_f64(),
            self.cpu.as_micros(),
            self.replayed
        );
    }
}

/// Subscribes, and returns the number of replayed events.
async fn answer(mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>, message: Value) -> u64 {
    socket.send(Message::Text(message.to_string().into())).await.unwrap();
    loop {
        let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("the connection ended") };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["type"] == "subscribed" {
            let has_asked = message.get("since").is_some();
            assert!(!has_asked || frame["recovered"] == json!(true), "{frame}");
            return frame["replayed"].as_u64().unwrap_or_default();
        }
    }
}
