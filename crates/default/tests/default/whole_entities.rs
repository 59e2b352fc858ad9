//! The resume of a subscription that follows the states of entities: each entity that changed once, as it is now. If that is not
//! known, the answer or the event says so.

use entity_stream_connections::{Authorisation, Connection};
use entity_stream_history::{Applied, EntityKey};
use entity_stream_protocol::{EntityChange, Event, Tenant};
use serde_json::{Value, json};

use crate::support::{HISTORY, Setting};

struct Followed {
    setting: Setting,
    connection: Connection,
}

/// An update of one entity, some seconds ago.
fn event_of(setting: &Setting, id: &str, seconds: u64, data: &Value) -> Event {
    event_as("entityUpdated", setting, id, seconds, data)
}

fn event_as(change_type: &str, setting: &Setting, id: &str, seconds: u64, data: &Value) -> Event {
    let detail = json!({ "type": change_type, "tenant": "demo", "entityId": "e", "entityType": "Room", "data": data });
    let time = setting.ago(seconds).to_rfc3339();
    Event::new(id, time, EntityChange::parse(&detail.to_string()).unwrap())
}

fn key() -> EntityKey {
    EntityKey::new(&Tenant::parse("demo").unwrap(), "e", "/")
}

impl Followed {
    async fn new() -> Self {
        let setting = Setting::new(HISTORY).await;
        let connection = setting.register(Authorisation::Open).await;
        Self { setting, connection }
    }

    /// An event as the service writes it: first into the state, then into the history.
    async fn written(&self, id: &str, seconds: u64, data: &Value) -> Event {
        self.written_as("entityUpdated", id, seconds, data).await
    }

    async fn written_as(&self, change_type: &str, id: &str, seconds: u64, data: &Value) -> Event {
        self.merged(event_as(change_type, &self.setting, id, seconds, data), seconds, seconds).await
    }

    /// Writes an event that came to the bus some seconds ago, and later to the history.
    async fn merged(&self, mut event: Event, arrived: u64, recorded: u64) -> Event {
        let at = self.setting.ago(arrived);
        match self.setting.states().apply(&event, at, at).await.unwrap() {
            Applied::Known { revision, states, .. } => event.revise(revision, states),
            Applied::TooLarge { .. } => event.set_without_state(),
        }
        self.record(&event, recorded).await;
        event
    }

    /// An event that could not be written into the state.
    async fn unwritten(&self, id: &str, seconds: u64, data: &Value) {
        let mut event = event_of(&self.setting, id, seconds, data);
        event.set_without_state();
        self.record(&event, seconds).await;
    }

    async fn record(&self, event: &Event, seconds: u64) {
        self.setting.history().record(&[event], self.setting.ago(seconds)).await.remove(0).unwrap();
    }

    async fn resume(&self, mut subscription: Value) -> (Vec<Value>, Value) {
        self.setting.hands.forward(10);
        subscription["action"] = json!("subscribe");
        subscription["since"] = json!({ "seconds": 100 });
        self.setting.replay(&self.connection, &subscription).await
    }

    /// Checks that the states cannot be told, and that the events still can.
    async fn is_unavailable(&self) {
        for followed in [json!({ "wholeEntity": true }), json!({ "q": "a" })] {
            let (events, answer) = self.resume(followed).await;
            assert_eq!((events.len(), &answer["reason"]), (0, &json!("unavailable")), "{answer}");
        }
        let (_, answer) = self.resume(json!({})).await;
        assert_eq!(answer["recovered"], true, "{answer}");
    }

    /// The only event of a resume.
    async fn only(&self, subscription: Value) -> Value {
        let (mut events, answer) = self.resume(subscription).await;
        assert_eq!((events.len(), &answer["recovered"]), (1, &json!(true)), "{answer} {events:?}");
        events.remove(0)
    }
}

#[tokio::test]
async fn shows_an_entity_as_it_is_now() {
    let followed = Followed::new().await;
    followed.written("e1", 50, &json!({ "a": 1 })).await;
    followed.written("e2", 40, &json!({ "b": 2 })).await;
    let event = followed.only(json!({ "wholeEntity": true })).await;
    assert_eq!((&event["id"], &event["data"]), (&json!("e2"), &json!({ "a": 1, "b": 2 })), "{event}");
    assert!(event["version"].is_u64() && event.get("state").is_none(), "{event}");
}

#[tokio::test]
async fn of_changes_that_came_while_no_states_were_kept_is_unavailable() {
    let followed = Followed::new().await;
    followed.written("e1", 50, &json!({ "a": 1 })).await;
    followed.record(&event_of(&followed.setting, "without", 40, &json!({ "a": 2 })), 40).await;
    followed.is_unavailable().await;

    // A later change is merged into what was known before.
    followed.written("e3", 1, &json!({ "b": 3 })).await;
    followed.is_unavailable().await;
}

#[tokio::test]
async fn of_a_state_that_is_older_than_a_change_is_unavailable() {
    let followed = Followed::new().await;
    let mut event = followed.written("e1", 50, &json!({ "a": 1 })).await;
    let mut revision = event.revision().unwrap().clone();
    revision.version += 1;
    event.revise(revision, event.states().unwrap().clone());
    followed.record(&event, 40).await;
    followed.is_unavailable().await;
}

#[tokio::test]
async fn of_a_change_that_could_not_be_written_is_unavailable_until_it_comes_again() {
    let followed = Followed::new().await;
    followed.written("e1", 50, &json!({ "a": 1 })).await;
    followed.unwritten("e2", 40, &json!({ "a": 2 })).await;
    followed.is_unavailable().await;

    // A later change of another attribute does not bring it.
    followed.written("e3", 1, &json!({ "b": 3 })).await;
    followed.is_unavailable().await;

    followed.written("e2", 1, &json!({ "a": 2 })).await;
    let (_, answer) = followed.resume(json!({ "wholeEntity": true })).await;
    assert_eq!(answer["recovered"], true, "{answer}");
}

/// The repetition of the change would alter nothing.
#[tokio::test]
async fn of_a_change_that_could_not_be_written_and_is_replaced_shows_the_entity() {
    for (change_type, data) in [("entityUpdated", json!({ "a": 3 })), ("entityCreated", json!({ "b": 3 }))] {
        let followed = Followed::new().await;
        followed.written("e1", 50, &json!({ "a": 1 })).await;
        followed.unwritten("e2", 40, &json!({ "a": 2 })).await;
        followed.written_as(change_type, "e3", 30, &data).await;
        let (events, answer) = followed.resume(json!({ "wholeEntity": true })).await;
        let event = events.last().unwrap_or(&Value::Null);
        assert_eq!(
            (&answer["recovered"], &event["id"], &event["data"]),
            (&json!(true), &json!("e3"), &data),
            "{answer}"
        );
    }
    let followed = Followed::new().await;
    followed.written("e1", 50, &json!({ "a": 1 })).await;
    followed.unwritten("e2", 40, &json!({ "a": 2 })).await;
    followed.written_as("entityDeleted", "e3", 30, &json!({})).await;
    assert_eq!(followed.only(json!({ "wholeEntity": true })).await["type"], "entityDeleted");

    // A creation that is older replaces nothing.
    let followed = Followed::new().await;
    followed.written("e1", 50, &json!({ "a": 1 })).await;
    followed.unwritten("e2", 40, &json!({ "a": 2 })).await;
    let older = event_as("entityCreated", &followed.setting, "e3", 45, &json!({ "b": 3 }));
    followed.merged(older, 45, 30).await;
    followed.is_unavailable().await;
}

/// What the change was is not known.
#[tokio::test]
async fn of_a_large_change_that_could_not_be_written_is_unavailable_until_the_entity_is_replaced() {
    let followed = Followed::new().await;
    followed.written("e1", 50, &json!({ "a": 1 })).await;
    followed.unwritten("e2", 40, &json!({ "b": "x".repeat(140_000) })).await;
    followed.written("e3", 30, &json!({ "a": 3 })).await;
    followed.is_unavailable().await;
    followed.written_as("entityCreated", "e4", 5, &json!({ "a": 4 })).await;
    assert_eq!(followed.only(json!({ "wholeEntity": true })).await["data"], json!({ "a": 4 }));
}

/// As in a snapshot: the client learns that the entity changed, and that it is not known.
#[tokio::test]
async fn shows_an_entity_that_is_too_large_once_and_without_data() {
    let followed = Followed::new().await;
    followed.written("small", 60, &json!({ "a": 1 })).await;
    for seconds in [50, 45, 40, 35] {
        let name = format!("a{seconds}");
        followed.written(&name, seconds, &json!({ name.as_str(): "x".repeat(100_000) })).await;
    }
    followed.written("last", 30, &json!({ "a": 2 })).await;
    for (subscription, partial) in
        [(json!({ "wholeEntity": true }), json!(true)), (json!({ "q": "a==2" }), json!(null))]
    {
        let event = followed.only(subscription).await;
        let shown = (&event["id"], &event["data"], &event["state"], &event["partial"]);
        assert_eq!(shown, (&json!("last"), &json!({}), &json!("unavailable"), &partial), "{event}");
        assert!(event["version"].is_u64(), "{event}");
    }
}

#[tokio::test]
async fn of_an_entity_that_was_erased_shows_the_events_without_a_version() {
    let followed = Followed::new().await;
    followed.written("e1", 50, &json!({ "a": 1 })).await;
    followed.written("e2", 40, &json!({ "b": 2 })).await;
    followed.setting.states().erase(&key()).await.unwrap();
    let (events, answer) = followed.resume(json!({ "wholeEntity": true })).await;
    assert_eq!((events.len(), &answer["recovered"]), (2, &json!(true)), "{answer}");
    for event in &events {
        assert_eq!((event.get("version"), &event["state"]), (None, &json!("unavailable")), "{event}");
    }
    // The event itself is known.
    let (events, _) = followed.resume(json!({})).await;
    assert!(events.iter().all(|event| event["version"].is_u64() && event.get("state").is_none()), "{events:?}");
}
