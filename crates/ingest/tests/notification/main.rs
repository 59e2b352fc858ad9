//! Notifications of each format, and the changes that they become. The examples have the facts of the specifications and of the
//! brokers' documentation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod anything;
mod ngsi_ld;
mod ngsi_v2;
mod repeats;
mod whole;

use entity_stream_ingest::{InvalidNotification, NotificationFacts, RefusedEntity, read_notification};
use entity_stream_protocol::{EntityChange, EpochMillis, Tenant};
use serde_json::Value;

/// The time of arrival: 2026-01-02T03:04:05.678Z.
const RECEIVED: &str = "2026-01-02T03:04:05.678Z";

fn facts() -> NotificationFacts {
    NotificationFacts {
        tenant: Tenant::parse("city").unwrap(),
        service_paths: Vec::new(),
        attrs_format: None,
        link: None,
        received_at: EpochMillis::from_rfc3339(RECEIVED).unwrap(),
    }
}

fn read(body: &str) -> Result<Vec<Result<EntityChange, RefusedEntity>>, InvalidNotification> {
    read_notification(body, &facts())
}

/// The changes of a notification without a fault, as they go to the bus.
fn changes(body: &str) -> Vec<Value> {
    changes_with(body, &facts())
}

fn changes_with(body: &str, facts: &NotificationFacts) -> Vec<Value> {
    let changes = read_notification(body, facts).unwrap();
    changes.into_iter().map(|change| serde_json::from_str(&change.unwrap().to_json()).unwrap()).collect()
}

/// The only change.
fn change(body: &str) -> Value {
    let changes = changes(body);
    assert_eq!(changes.len(), 1);
    changes[0].clone()
}
