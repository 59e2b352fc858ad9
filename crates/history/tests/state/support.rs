//! A table, events, and the effects of their changes.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use entity_stream_history::{Applied, EntityKey, EntityState, HistoryTable, StateTable};
use entity_stream_protocol::{EntityChange, EntityStates, EpochMillis, Event, PresentEntity, Revision, Tenant};
use entity_stream_testing::{aws_config, dynamodb_url, is_second_engine};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A table that no other test knows.
pub(crate) struct TestStates {
    pub(crate) table: StateTable,
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl TestStates {
    pub(crate) async fn create() -> Self {
        let client = Client::new(&aws_config(dynamodb_url()));
        let name = format!("test-{:032x}", fastrand::u128(..));
        HistoryTable::new(client.clone(), name.clone(), Duration::from_secs(3600)).create_if_missing().await.unwrap();
        let table = StateTable::new(client.clone(), name.clone(), 7 * DAY, Duration::from_secs(3600));
        Self { table, client, name }
    }

    /// The same table, as another instance sees it.
    pub(crate) fn another_instance(&self) -> StateTable {
        StateTable::new(self.client.clone(), self.name.clone(), 7 * DAY, Duration::from_secs(3600))
    }

    /// Applies a change at this time.
    pub(crate) async fn apply(&self, event: &Event, now: EpochMillis) -> Applied {
        self.table.apply(event, now, now).await.unwrap()
    }

    /// Applies a change that the state keeps.
    pub(crate) async fn known(&self, event: &Event, now: EpochMillis) -> (Revision, EntityStates) {
        self.applied(event, now, now).await
    }

    /// The same for a change that came to the bus earlier.
    pub(crate) async fn applied(
        &self,
        event: &Event,
        arrival: EpochMillis,
        now: EpochMillis,
    ) -> (Revision, EntityStates) {
        match self.table.apply(event, arrival, now).await.unwrap() {
            Applied::Known { revision, states, .. } => (revision, states),
            Applied::TooLarge { .. } => panic!("the entity is too large"),
        }
    }

    /// Repeats a change after others. Returns the entity as it is now.
    pub(crate) async fn repeated(
        &self,
        event: &Event,
        now: EpochMillis,
    ) -> (Revision, EntityStates, Option<PresentEntity>) {
        match self.apply(event, now).await {
            Applied::Known { revision, states, present } => (revision, states, present),
            Applied::TooLarge { .. } => panic!("the entity is too large"),
        }
    }

    pub(crate) async fn state(&self, id: &str, now: EpochMillis) -> Option<EntityState> {
        let key = EntityKey::new(&tenant(), id, "/");
        self.table.states(&[key], now).await.unwrap().pop().map(|(_, state)| state)
    }

    /// The attributes of an entity as text; `None` if it is not there.
    pub(crate) async fn data(&self, id: &str, now: EpochMillis) -> Option<String> {
        self.state(id, now).await?.data().map(|data| data.get().to_owned())
    }
}

/// The seeds of a random test. The second engine takes several times as long for a request, so it gets a fifth of them.
pub(crate) fn seeds(count: u64) -> Range<u64> {
    0..if is_second_engine() { count / 5 } else { count }
}

pub(crate) fn tenant() -> Tenant {
    Tenant::parse("demo").unwrap()
}

/// Some time after the start of the tests.
pub(crate) fn at(millis: u64) -> EpochMillis {
    EpochMillis::from_seconds(1_790_000_000).plus(Duration::from_millis(millis))
}

/// The text of a time, as a publisher writes it.
pub(crate) fn stamp(millis: u64) -> String {
    let at = at(millis);
    at.to_rfc3339().replace('Z', &format!(".{:03}Z", at.millis() % 1000))
}

pub(crate) fn event(id: &str, detail: &Value) -> Event {
    let mut full = json!({ "tenant": "demo", "entityId": "e", "entityType": "T" });
    full.as_object_mut().unwrap().extend(detail.as_object().unwrap().clone());
    Event::new(id, "2026-09-21T14:13:20Z", EntityChange::parse(&full.to_string()).unwrap())
}

/// A change with this data, byte for byte.
pub(crate) fn raw(id: &str, change_type: &str, data: &str, millis: u64) -> Event {
    let detail = format!(
        r#"{{"type":"{change_type}","tenant":"demo","entityId":"e","entityType":"T","timestamp":"{}","data":{data}}}"#,
        stamp(millis)
    );
    Event::new(id, "2026-09-21T14:13:20Z", EntityChange::parse(&detail).unwrap())
}
