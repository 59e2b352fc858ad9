//! Thousands of connections behind an `@connections` endpoint that counts messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use entity_stream_connections::{Authorisation, Connection, Table, stable_hash};
use entity_stream_local::{CONNECTIONS_TABLE, aws_config};
use entity_stream_protocol::{ConnectionId, EpochMillis, Filter, Format, GroupId, Tenant};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::harness::{Asked, Endpoint, Reply, System};

/// The number of deliveries of each event to each connection.
pub(crate) type Received = HashMap<(String, String), usize>;

/// An endpoint that counts accepted messages.
pub(crate) struct Receivers {
    pub(crate) endpoint: Endpoint,
    received: Arc<Mutex<Received>>,
}

impl Receivers {
    /// An endpoint that accepts every message.
    pub(crate) async fn start() -> Self {
        Self::with(|_| None).await
    }

    /// An endpoint that accepts every message that `refuse` does not answer.
    pub(crate) async fn with(refuse: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let received: Arc<Mutex<Received>> = Arc::default();
        let counts = Arc::clone(&received);
        let endpoint = Endpoint::new(move |asked| {
            let (late, reply) = match refuse(asked) {
                // The answer is late, but the message is accepted.
                Some(Reply::After(delay, _)) => (Some(delay), None),
                other => (None, other),
            };
            if let Some(reply) = reply {
                return reply;
            }
            if asked.method == "DELETE" {
                return Reply::status(204);
            }
            let message: Value = serde_json::from_slice(&asked.body).unwrap();
            let key = (id_of(asked), message["id"].as_str().unwrap().to_owned());
            *counts.lock().unwrap().entry(key).or_default() += 1;
            late.map_or(Reply::status(200), |delay| Reply::After(delay, Box::new(Reply::status(200))))
        })
        .await;
        Self { endpoint, received }
    }

    pub(crate) fn received(&self) -> Received {
        self.received.lock().unwrap().clone()
    }

    /// The number of accepted messages.
    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().values().sum()
    }
}

/// The connection of a call.
pub(crate) fn id_of(asked: &Asked) -> String {
    asked.path.rsplit('/').next().unwrap().replace("%3D", "=")
}

/// A connection of the tenant `demo` that wants rooms.
pub(crate) fn connection(id: &str, connected_at: EpochMillis, group: Option<&str>) -> Connection {
    Connection {
        id: ConnectionId::parse(id).unwrap(),
        tenant: Tenant::parse("demo").unwrap(),
        connected_at,
        subscriptions: vec![Filter::new(["Room"], None).unwrap().into()],
        acknowledgement: None,
        format: Format::Json,
        takes_batches: false,
        resumed: None,
        resumed_at: None,
        group: group.map(|group| GroupId::parse(group).unwrap()),
        authorisation: Authorisation::Open,
    }
}

/// Ids in the form of API Gateway.
pub(crate) fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n:08}AMCJA=")).collect()
}

/// Registers many connections with one write for each instead of two. A broadcast reads only interests, so the others are
/// copies of the interest of one registered connection.
pub(crate) async fn multiply(system: &System, ids: &[String]) {
    multiply_at(system, ids, |_, id| stable_hash(id.as_bytes())).await;
}

/// The same, at the hash that `hash` chooses for each.
pub(crate) async fn multiply_at(system: &System, ids: &[String], hash: impl Fn(usize, &str) -> u64) {
    let items = system.items().await;
    let interest = items.iter().find(|item| item["pk"].as_s().unwrap().starts_with("T#")).unwrap();
    let text = |text: String| AttributeValue::S(text);
    let client = aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url()));
    let keys: Vec<String> = (0..).zip(ids).map(|(n, id)| format!("{:016x}#{id}", hash(n, id))).collect();
    stream::iter(keys.chunks(25))
        .for_each_concurrent(4, async |keys| {
            let puts = keys.iter().map(|key| {
                let mut item = interest.clone();
                item.insert("sk".to_owned(), text(key.clone()));
                let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
                WriteRequest::builder().put_request(put).build()
            });
            let output =
                client.batch_write_item().request_items(CONNECTIONS_TABLE, puts.collect()).send().await.unwrap();
            assert!(output.unprocessed_items().is_none_or(HashMap::is_empty));
        })
        .await;
}

pub(crate) async fn register(table: &Table, connections: impl IntoIterator<Item = Connection>) {
    stream::iter(connections)
        .for_each_concurrent(32, async |connection| table.register(&connection).await.unwrap())
        .await;
}
