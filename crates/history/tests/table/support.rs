//! Shared parts of the tests: tables, events, and the requests of a client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_history::{HistoryReader, HistoryTable, PastEvents};
use entity_stream_protocol::{EntityChange, EpochMillis, Event, Position, Tenant};
use entity_stream_testing::{aws_config, dynamodb_url};
use serde_json::json;

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
/// More than any test has.
pub(crate) const MUCH: usize = usize::MAX;

/// A table that no other test knows, and a client that sees its raw items.
pub(crate) struct TestHistory {
    pub(crate) table: HistoryTable,
    pub(crate) client: Client,
    pub(crate) queries: Queries,
}

impl TestHistory {
    pub(crate) async fn create() -> Self {
        let this = Self::named_only();
        this.table.create_if_missing().await.unwrap();
        this
    }

    /// A random name of a table that does not exist yet.
    pub(crate) fn named_only() -> Self {
        let queries = Queries::default();
        let config = Builder::from(&aws_config(dynamodb_url())).interceptor(queries.clone());
        let client = Client::from_conf(config.build());
        let table = HistoryTable::new(client.clone(), format!("test-{:032x}", fastrand::u128(..)), HOUR);
        Self { table, client, queries }
    }

    /// The same table with another retention.
    pub(crate) fn keeping(&self, retention: Duration) -> HistoryTable {
        HistoryTable::new(self.client.clone(), self.table.name(), retention)
    }

    /// A reader that has read nothing yet.
    pub(crate) fn reader(&self) -> HistoryReader {
        HistoryReader::new(self.table.clone())
    }

    pub(crate) async fn record(&self, event: &Event, at: EpochMillis) -> Position {
        let [written] = self.table.record(&[event], at).await.try_into().unwrap();
        written.unwrap()
    }

    /// Records an event of an entity and of the tenant `demo` with this id.
    pub(crate) async fn record_id(&self, id: &str, entity: &str, at: EpochMillis) -> Position {
        self.record(&event(id, "demo", entity), at).await
    }

    /// The ids that a new reader finds in the tenant `demo`.
    pub(crate) async fn ids_since(&self, from: EpochMillis, now: EpochMillis) -> Vec<String> {
        ids(&self.reader().read(&tenant("demo"), from, now, MUCH).await.unwrap())
    }

    pub(crate) async fn put(&self, item: Item) {
        self.client.put_item().table_name(self.table.name()).set_item(Some(item)).send().await.unwrap();
    }

    /// Every item there is.
    pub(crate) async fn items(&self) -> Vec<Item> {
        let scan = self.client.scan().table_name(self.table.name()).consistent_read(true);
        scan.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await.unwrap()
    }
}

/// The bodies of the queries of a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queries(Arc<Mutex<Vec<String>>>);

impl Queries {
    /// The queries since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Intercept for Queries {
    fn name(&self) -> &'static str {
        "queries"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        if request.headers().get("x-amz-target").is_some_and(|target| target.ends_with(".Query")) {
            let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
            self.0.lock().unwrap().push(body);
        }
        Ok(())
    }
}

/// The first moment of a time span of ten minutes, and of a slice of thirty seconds.
pub(crate) fn start() -> EpochMillis {
    EpochMillis::from_seconds(1_790_000_400)
}

pub(crate) fn after(seconds: u64) -> EpochMillis {
    start().plus(Duration::from_secs(seconds))
}

pub(crate) fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

pub(crate) fn event(id: &str, tenant: &str, entity: &str) -> Event {
    event_with(id, tenant, entity, &json!({ "temperature": 21 }))
}

pub(crate) fn event_with(id: &str, tenant: &str, entity: &str, data: &serde_json::Value) -> Event {
    let detail = json!({
        "type": "entityUpdated", "tenant": tenant, "entityId": entity, "entityType": "Room", "data": data,
    });
    Event::new(id, "2026-09-21T14:13:20Z", EntityChange::parse(&detail.to_string()).unwrap())
}

/// The ids of events in their order.
pub(crate) fn ids(past: &PastEvents) -> Vec<String> {
    past.events.iter().map(|past| past.event.id().to_owned()).collect()
}

pub(crate) fn text(item: &Item, name: &str) -> String {
    item[name].as_s().unwrap().clone()
}

pub(crate) fn string(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
