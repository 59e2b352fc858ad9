//! A local system on free ports, and its clients.

mod bus;
mod client;
mod functions;
mod http;
pub(crate) mod logs;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod tokens;

use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use entity_stream_connections::Table;
use entity_stream_local::{CONNECTIONS_TABLE, Config, Local, RefusalDelay, Times, aws_config};
use entity_stream_protocol::ConnectionId;
use serde_json::{Value, json};

pub(crate) use bus::Bus;
pub(crate) use client::Client;
pub(crate) use entity_stream_testing::{Asked, Endpoint, Hands, Reply};
pub(crate) use functions::{Functions, envelope, lambda_event, result};
pub(crate) use http::{Answer, request};

/// The time limit of each wait. It is far longer than needed, so that a busy machine does not fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running system.
pub(crate) struct System {
    pub(crate) local: Local,
    pub(crate) events: aws_sdk_eventbridge::Client,
}

/// A configuration with free ports, short waits before retries, and refusals without delay.
pub(crate) fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        dynamodb: SocketAddr::from(([127, 0, 0, 1], 0)),
        times: Times { retry_delays: vec![Duration::from_millis(20); 2], ..Times::default() },
        refusal_delay: RefusalDelay { first: Duration::ZERO, ..RefusalDelay::default() },
        ..Config::default()
    }
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        logs::start();
        let local = Local::start(config).await.expect("the system starts");
        let events = aws_sdk_eventbridge::Client::new(&aws_config(&local.http_url()));
        Self { local, events }
    }

    /// An accepted client of this tenant.
    pub(crate) async fn connect(&self, query: &str) -> Client {
        Client::connect(&self.url(query), &[]).await.expect("the handshake succeeds")
    }

    pub(crate) fn url(&self, query: &str) -> String {
        format!("{}/?{query}", self.local.websocket_url())
    }

    /// Publishes one `detail` byte for byte. Returns the event's id.
    pub(crate) async fn publish_text(&self, detail: &str) -> String {
        let results = self.put_events(vec![entry(detail)]).await;
        results[0].event_id().expect("the event is accepted").to_owned()
    }

    pub(crate) async fn publish(&self, detail: &Value) -> String {
        self.publish_text(&detail.to_string()).await
    }

    pub(crate) async fn put_events(&self, entries: Vec<PutEventsRequestEntry>) -> Vec<PutEventsResultEntry> {
        let output = self.events.put_events().set_entries(Some(entries)).send().await.expect("PutEvents succeeds");
        output.entries().to_vec()
    }

    /// The table, through its own client.
    pub(crate) fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&aws_config(&self.local.dynamodb_url())), CONNECTIONS_TABLE)
    }

    /// Every item of a connection and of an interest.
    pub(crate) async fn items(
        &self,
    ) -> Vec<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
        let client = aws_sdk_dynamodb::Client::new(&aws_config(&self.local.dynamodb_url()));
        let output =
            client.scan().table_name(CONNECTIONS_TABLE).consistent_read(true).send().await.expect("Scan succeeds");
        let of_connections = |sk: &str| sk != "G" && sk != "S";
        output.items().iter().filter(|item| of_connections(item["sk"].as_s().unwrap())).cloned().collect()
    }

    /// The ids of the registered connections.
    pub(crate) async fn connection_ids(&self) -> Vec<ConnectionId> {
        let items = self.items().await;
        let keys = items.iter().filter_map(|item| item["pk"].as_s().ok()?.strip_prefix("C#").map(str::to_owned));
        keys.map(|id| ConnectionId::parse(id).expect("a stored id is well-formed")).collect()
    }

    /// The id of the only connection.
    pub(crate) async fn only_connection(&self) -> ConnectionId {
        let mut ids = self.connection_ids().await;
        assert_eq!(ids.len(), 1, "one connection is registered");
        ids.remove(0)
    }

    /// Waits until the table is empty, so that every connection has been forgotten.
    pub(crate) async fn until_no_connection_is_registered(&self) {
        until("no connection is registered", async || self.items().await.is_empty()).await;
    }

    pub(crate) async fn dead_letters(&self) -> Vec<Value> {
        let answer = request("GET", &format!("{}/_local/dead-letters", self.local.http_url()), &[], "").await;
        serde_json::from_slice(&answer.body).expect("dead letters are JSON")
    }

    /// Waits for this many dead letters.
    pub(crate) async fn until_dead_letters(&self, count: usize) -> Vec<Value> {
        until("the dead letters are there", async || self.dead_letters().await.len() >= count).await;
        self.dead_letters().await
    }
}

/// A change of one room.
pub(crate) fn room(tenant: &str, id: &str) -> Value {
    change(tenant, "Room", id)
}

pub(crate) fn change(tenant: &str, entity_type: &str, id: &str) -> Value {
    json!({
        "type": "entityUpdated", "tenant": tenant, "entityId": id, "entityType": entity_type,
        "data": { "temperature": { "type": "Number", "value": 23.5 } }, "changedAttributes": ["temperature"],
        "timestamp": "2026-01-02T03:04:05Z",
    })
}

pub(crate) fn entry(detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder().source("tests").detail_type("entity.changed").detail(detail).build()
}

/// Polls until a condition is true. For states without an event, such as the end of `$disconnect`.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let polling = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polling).await.unwrap_or_else(|_| panic!("timed out: {what}"));
}
