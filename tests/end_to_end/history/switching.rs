//! A history that is switched off and on again, while the table stays because of the entity states.

use entity_stream_local::Config;
use serde_json::{Value, json};

use super::place::Place;
use crate::harness::{Endpoint, Functions, Hands, Reply, System, config, envelope, room};

const TABLE: (&str, &str) = ("WS_HISTORY_TABLE", entity_stream_local::HISTORY_TABLE);
const ON: &[(&str, &str)] = &[TABLE, ("HISTORY_MINUTES", "60")];
const OFF: &[(&str, &str)] = &[TABLE, ("HISTORY_MINUTES", "0")];

/// A deployment that keeps a history. Tests add others around its tables.
struct Deployments {
    system: System,
    connections: Endpoint,
    hands: Hands,
}

impl Deployments {
    async fn start() -> Self {
        let hands = Hands::default();
        let system = System::start_with(Config { clock: hands.clock(), ..config() }).await;
        let connections = Endpoint::new(|_| Reply::status(200)).await;
        Self { system, connections, hands }
    }

    /// New instances of a deployment.
    async fn deploy(&self, settings: &'static [(&'static str, &'static str)]) -> Functions {
        Functions::with_settings(&self.system, &self.connections, &self.hands, settings).await
    }

    /// Publishes an event, and goes on some minutes later.
    async fn publish(&self, functions: &Functions, id: &str, minutes: u64) {
        functions.broadcast(&envelope(id, &room("demo", "r")), 29).await.unwrap();
        self.hands.forward(60 * minutes);
    }

    /// The answer to a client that comes back after some minutes, and the events that it gets.
    async fn rewind(&self, minutes: u64) -> (Value, Place) {
        let mut client = self.system.connect("tenant=demo").await;
        let mut place = Place::default();
        let since = json!({ "seconds": 60 * minutes });
        let answer = place.ask(&mut client, &json!({ "action": "subscribe", "since": since })).await;
        (answer, place)
    }
}

fn verdict(answer: &Value) -> (Option<bool>, Option<&str>) {
    (answer["recovered"].as_bool(), answer["reason"].as_str())
}

#[tokio::test]
async fn an_event_that_came_while_the_history_was_off_is_not_forgotten_when_it_is_on_again() {
    let deployments = Deployments::start().await;
    let on = deployments.deploy(ON).await;
    deployments.publish(&on, "kept", 10).await;
    let off = deployments.deploy(OFF).await;
    deployments.publish(&off, "lost", 10).await;
    assert_eq!(verdict(&deployments.rewind(1).await.0), (Some(false), Some("unavailable")));

    let again = deployments.deploy(ON).await;
    deployments.publish(&again, "first", 10).await;

    let (answer, place) = deployments.rewind(25).await;
    assert_eq!((verdict(&answer), place.seen.len()), ((Some(false), Some("unavailable")), 0), "{answer}");
    // The new epoch began five minutes after its first event.
    deployments.publish(&again, "second", 1).await;
    let (answer, place) = deployments.rewind(2).await;
    assert_eq!((verdict(&answer), place.seen.len()), ((Some(true), None), 1), "{answer}");
}

/// For some minutes, instances of both deployments serve events.
#[tokio::test]
async fn an_epoch_that_a_late_instance_of_the_former_deployment_begins_ends_as_well() {
    let deployments = Deployments::start().await;
    let off = deployments.deploy(OFF).await;
    deployments.publish(&off, "lost", 1).await;
    let late = deployments.deploy(ON).await;
    deployments.publish(&late, "kept", 7).await;
    deployments.publish(&off, "lost too", 1).await;

    let again = deployments.deploy(ON).await;
    deployments.publish(&again, "first", 1).await;

    assert_eq!(verdict(&deployments.rewind(3).await.0), (Some(false), Some("unavailable")));
}

/// The other way round: a late instance without a history does not keep the new one from being promised.
#[tokio::test]
async fn an_epoch_that_a_late_instance_without_a_history_ends_begins_again() {
    let deployments = Deployments::start().await;
    let off = deployments.deploy(OFF).await;
    let on = deployments.deploy(ON).await;
    deployments.publish(&on, "first", 1).await;
    deployments.publish(&off, "lost", 5).await;
    deployments.publish(&on, "second", 7).await;
    deployments.publish(&on, "third", 1).await;
    let (answer, place) = deployments.rewind(2).await;
    assert_eq!((verdict(&answer), place.seen.len()), ((Some(true), None), 1), "{answer}");
}
