//! Entity state: a snapshot of many entities, and one entity that changes all the time.

use std::time::{Duration, Instant};

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use entity_stream_clock::Clock;
use entity_stream_history::StateTable;
use entity_stream_local::{HISTORY_TABLE, Local, aws_config};
use futures_util::{SinkExt, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::setting::{RETENTION, dynamodb, event, local};

const ENTITIES: [usize; 2] = [1_000, 10_000];
/// The changes of the hot entity in a second, and for how long.
const PER_SECOND: usize = 500;
const SECONDS: usize = 10;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn measure() {
    println!("\na snapshot of entities of about 300 bytes, with events frames");
    println!("entities   first part   complete   parts");
    for entities in ENTITIES {
        let local = local("60").await;
        let states = StateTable::new(dynamodb(&local), HISTORY_TABLE, 24 * RETENTION, RETENTION);
        let now = Clock::system().now();
        // Each number up to 5,000 is an entity of its own.
        let writes = stream::iter(0..entities).map(|number| {
            let states = &states;
            async move {
                let mut change = event(number, 200).change().clone();
                change.entity_id = format!("urn:ngsi-ld:Room:{number:05}");
                let event = entity_stream_protocol::Event::new(format!("e{number}"), "2026-01-02T03:04:05Z", change);
                states.apply(&event, now, now).await.unwrap();
            }
        });
        writes.buffer_unordered(16).collect::<()>().await;
        let mut socket = connect(&local, "tenant=demo&subscribe=none&batch=true").await;
        let started = Instant::now();
        let mut message = json!({ "action": "subscribe", "snapshot": true, "wholeEntity": true, "requestId": "1" });
        let (mut first, mut received, mut parts) = (None, 0, 0);
        loop {
            socket.send(Message::Text(message.to_string().into())).await.unwrap();
            let answer = loop {
                let frame = next(&mut socket).await;
                match frame["events"].as_array() {
                    Some(events) => received += events.len(),
                    None if frame["requestId"] == "1" => break frame,
                    None => received += 1,
                }
            };
            parts += 1;
            first.get_or_insert(started.elapsed());
            let Some(token) = answer["snapshotNext"].as_str() else { break };
            message = json!({ "action": "snapshot", "next": token, "requestId": "1" });
        }
        assert_eq!(received, entities);
        let (first, complete) = (first.unwrap_or_default().as_secs_f64(), started.elapsed().as_secs_f64());
        println!("{entities:>8}   {first:>8.2} s   {complete:>6.2} s   {parts:>5}");
    }
    hot_entity().await;
}

/// Publishes changes of one entity, and receives them with its whole state.
async fn hot_entity() {
    println!("\none entity with {PER_SECOND} changes/s for {SECONDS} s, and a client that shows all of it");
    let local = local("60").await;
    let mut socket = connect(&local, "tenant=demo&wholeEntity=true").await;
    let bus = aws_sdk_eventbridge::Client::new(&aws_config(&local.http_url()));
    let started = Instant::now();
    let publish = async {
        for request in 0..PER_SECOND * SECONDS / 10 {
            tokio::time::sleep_until((started + Duration::from_millis(20) * u32::try_from(request).unwrap()).into())
                .await;
            let entries = (0..10).map(|entry| {
                let number = 10 * request + entry;
                let detail = json!({
                    "type": "entityUpdated", "tenant": "demo", "entityId": "hot", "entityType": "Room",
                    "timestamp": format!("2026-01-02T03:{:02}:{:02}.{:03}Z", number / 60_000, number / 1000 % 60, number % 1000),
                    "data": { "count": number, "name": "Room 1" },
                });
                PutEventsRequestEntry::builder().source("bench").detail_type("change").detail(detail.to_string()).build()
            });
            let output = bus.put_events().set_entries(Some(entries.collect())).send().await.unwrap();
            assert_eq!(output.failed_entry_count, 0);
        }
        started.elapsed()
    };
    let receive = async {
        let (mut newest, mut late) = ((0, Value::Null), 0);
        for _ in 0..PER_SECOND * SECONDS {
            let message = next(&mut socket).await;
            late += usize::from(message["late"] == true);
            let version = message["version"].as_u64().unwrap();
            if version >= newest.0 {
                newest = (version, message["data"]["count"].clone());
            }
        }
        (newest.1, late, started.elapsed())
    };
    let (published, (count, late, received)) = tokio::join!(publish, receive);
    assert_eq!(count, json!(PER_SECOND * SECONDS - 1), "the client shows the last change");
    println!(
        "published in {:.2} s, received in {:.2} s, {late} of {} came late",
        published.as_secs_f64(),
        received.as_secs_f64(),
        PER_SECOND * SECONDS,
    );
}

async fn connect(local: &Local, query: &str) -> Socket {
    connect_async(format!("{}/?{query}", local.websocket_url())).await.unwrap().0
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
            Some(Ok(_)) => {}
            other => panic!("the connection ended: {other:?}"),
        }
    }
}
