//! A local system, its history, and its past.

use std::net::SocketAddr;
use std::time::Duration;

use entity_stream_history::HistoryTable;
use entity_stream_local::{Config, HISTORY_TABLE, Local, aws_config};
use entity_stream_protocol::{EntityChange, EpochMillis, Event};
use entity_stream_runtime::Environment;
use futures_util::{StreamExt, stream};
use serde_json::json;

pub(crate) const TENANT: &str = "demo";
/// The time for which events stay.
pub(crate) const RETENTION: Duration = Duration::from_secs(60 * 60);
/// The shares of events by type: one in so many is a room.
pub(crate) const ROOM_IN: usize = 100;

pub(crate) fn config(minutes: &'static str) -> Config {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let environment = Environment::new(move |name| (name == "HISTORY_MINUTES").then(|| minutes.to_owned()));
    Config { listen: free, dynamodb: free, environment, ..Config::default() }
}

pub(crate) async fn local(minutes: &'static str) -> Local {
    Local::start(config(minutes)).await.unwrap()
}

pub(crate) fn history(local: &Local) -> HistoryTable {
    HistoryTable::new(dynamodb(local), HISTORY_TABLE, RETENTION)
}

pub(crate) fn dynamodb(local: &Local) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&aws_config(&local.dynamodb_url()))
}

/// The detail of an event with about so many bytes of data.
pub(crate) fn detail(number: usize, data: usize) -> String {
    let entity_type = if number.is_multiple_of(ROOM_IN) { "Room" } else { "Sensor" };
    json!({
        "type": "entityUpdated", "tenant": TENANT, "entityId": format!("urn:ngsi-ld:{entity_type}:{:04}", number % 5_000),
        "entityType": entity_type, "changedAttributes": ["temperature"], "timestamp": "2026-01-02T03:04:05Z",
        "data": { "temperature": { "type": "Property", "value": 21.5, "text": "x".repeat(data.saturating_sub(60)) } },
    })
    .to_string()
}

pub(crate) fn event(number: usize, data: usize) -> Event {
    let change = EntityChange::parse(&detail(number, data)).unwrap();
    Event::new(format!("00000000-0000-4000-8000-{number:012}"), "2026-01-02T03:04:05Z", change)
}

/// Writes the events of a time into the history, so many a second.
pub(crate) async fn fill(table: &HistoryTable, from: EpochMillis, time: Duration, per_second: usize) -> usize {
    let seconds = usize::try_from(time.as_secs()).unwrap();
    let writes = stream::iter(0..seconds * per_second.div_ceil(25)).map(|write| async move {
        let parts = per_second.div_ceil(25);
        let (second, part) = (write / parts, write % parts);
        let first = second * per_second + part * 25;
        let events: Vec<_> = (first..(first + 25).min((second + 1) * per_second)).map(|n| event(n, 200)).collect();
        let at = from.plus(Duration::from_secs(second as u64) + Duration::from_millis(5 * part as u64));
        for position in table.record(&events.iter().collect::<Vec<_>>(), at).await {
            position.unwrap();
        }
        events.len()
    });
    writes.buffer_unordered(16).fold(0, |sum, written| async move { sum + written }).await
}
