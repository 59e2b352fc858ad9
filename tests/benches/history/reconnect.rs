//! Clients that all come back at once, as after a deployment, through sockets: the time until all have caught up.

use std::time::{Duration, Instant};

use entity_stream_clock::Clock;
use entity_stream_protocol::EpochMillis;
use futures_util::{SinkExt, StreamExt, stream};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::setting::{fill, history, local};

const CLIENTS: [usize; 2] = [500, 5_000];
/// The absence, and the rate of events of the tenant. One in a hundred matches.
const ABSENCE: Duration = Duration::from_secs(60);
const PER_SECOND: usize = 100;

pub(crate) async fn measure() {
    println!("\nclients that come back at once after {ABSENCE:?}, in a tenant with {PER_SECOND} events/s");
    println!("clients   all connected   all caught up   replayed to each");
    for clients in CLIENTS {
        let local = local("60").await;
        let table = history(&local);
        let now = Clock::system().now();
        // The system has just started, and its history counts from then; this benchmark writes its past.
        table.end_epoch().await.unwrap();
        table.begin_epoch_at(EpochMillis::default()).await.unwrap();
        fill(&table, now.minus(ABSENCE + Duration::from_secs(15)), ABSENCE + Duration::from_secs(15), PER_SECOND).await;
        let url = format!("{}/?tenant=demo&subscribe=none&batch=true", local.websocket_url());
        let started = Instant::now();
        let sockets: Vec<_> = stream::iter(0..clients)
            .map(|_| async { connect_async(&url).await.unwrap().0 })
            .buffer_unordered(64)
            .collect()
            .await;
        let connected = started.elapsed();
        let message = json!({
            "action": "subscribe", "entityTypes": ["Room"], "requestId": "1",
            "since": { "position": table.position_of(now.minus(ABSENCE)), "session": "AnEarlierOne=" },
        });
        let started = Instant::now();
        let replayed = stream::iter(sockets.into_iter().enumerate()).map(|(number, mut socket)| {
            let mut message = message.clone();
            message["since"]["session"] = json!(format!("Client{number}="));
            async move {
                socket.send(Message::Text(message.to_string().into())).await.unwrap();
                loop {
                    let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("the connection ended") };
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame["type"] == "subscribed" {
                        assert_eq!(frame["recovered"], json!(true), "{frame}");
                        return frame["replayed"].as_u64().unwrap();
                    }
                }
            }
        });
        let replayed: Vec<u64> = replayed.buffer_unordered(clients).collect().await;
        println!(
            "{clients:>7}   {:>11.2} s   {:>11.2} s   {:>16}",
            connected.as_secs_f64(),
            started.elapsed().as_secs_f64(),
            replayed.iter().max().unwrap()
        );
    }
}
