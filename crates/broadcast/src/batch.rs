//! Forms batches: events that share one reading of their audience. Before that, the events of each tenant are together.
//!
//! Invariant: each event is in exactly one batch. The events of a batch have the same tenant, the same set of entity types
//! and the same ranges of hashes, so the same partitions hold their audience. A batch keeps the order of the payload.

use std::collections::{BTreeSet, HashMap};

use entity_stream_connections::HashRange;
use entity_stream_protocol::{EntityTypes, Tenant};

use crate::assignment::Assignment;

/// Events with the same audience to read; at least one. Other parts refer to an event by its index.
#[derive(Debug)]
pub(crate) struct EventBatch<'a> {
    pub(crate) tenant: Tenant,
    pub(crate) entity_types: EntityTypes,
    pub(crate) ranges: Vec<HashRange>,
    pub(crate) assignments: Vec<Assignment<'a>>,
}

/// Groups events by their tenant. The events of a tenant keep their order.
pub(crate) fn of_tenants<'a>(assignments: impl IntoIterator<Item = Assignment<'a>>) -> Vec<Vec<Assignment<'a>>> {
    let mut tenants: Vec<Vec<Assignment<'a>>> = Vec::new();
    let mut indices = HashMap::new();
    for assignment in assignments {
        let index = *indices.entry(assignment.event.change().tenant.clone()).or_insert(tenants.len());
        if index == tenants.len() {
            tenants.push(Vec::new());
        }
        tenants[index].push(assignment);
    }
    tenants
}

/// Groups events by their audience. The batches are in the order of their first events.
pub(crate) fn batches<'a>(assignments: impl IntoIterator<Item = Assignment<'a>>) -> Vec<EventBatch<'a>> {
    let mut batches: Vec<EventBatch<'a>> = Vec::new();
    let mut indices = HashMap::new();
    for assignment in assignments {
        let change = assignment.event.change();
        let entity_types: BTreeSet<String> = change.entity_types.iter().map(|each| each.as_str().to_owned()).collect();
        let key = (change.tenant.clone(), entity_types, assignment.ranges.clone());
        let index = *indices.entry(key).or_insert_with(|| {
            batches.push(EventBatch {
                tenant: change.tenant.clone(),
                entity_types: change.entity_types.clone(),
                ranges: assignment.ranges.clone(),
                assignments: Vec::new(),
            });
            batches.len() - 1
        });
        batches[index].assignments.push(assignment);
    }
    batches
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;
    use crate::assignment::{Parsed, parse};

    fn published(id: &str, tenant: &str, types: &Value) -> Value {
        json!({
            "version": "0", "id": id, "detail-type": "entity.changed", "source": "demo.app", "account": "123456789012",
            "time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": [],
            "detail": { "type": "entityUpdated", "tenant": tenant, "entityId": "r", "entityType": types },
        })
    }

    fn continuation(id: &str, event: &Value, ranges: &Value) -> Value {
        let mut continuation = event.clone();
        continuation["id"] = json!(id);
        continuation["source"] = json!("entity-stream");
        continuation["detail-type"] = json!("EntityStreamContinuation");
        continuation["detail"] = json!({ "type": "entityUpdated", "event": event, "ranges": ranges, "depth": 1 });
        continuation
    }

    /// Returns the texts that each batch of a payload was invoked with.
    fn batched(payload: &Value) -> Vec<Vec<String>> {
        let payload = RawValue::from_string(payload.to_string()).unwrap();
        let assignments = parse(&payload).into_iter().map(|parsed| match parsed {
            Parsed::Assigned(assignment) => *assignment,
            Parsed::Replay(_) => panic!("no event of these tests is a replay"),
            Parsed::Undeliverable { reason, .. } => panic!("{reason}"),
        });
        let text = |assignment: &Assignment<'_>| {
            let event: Value = serde_json::from_str(assignment.invoked_with).unwrap();
            event["id"].as_str().unwrap().to_owned()
        };
        batches(assignments).iter().map(|batch| batch.assignments.iter().map(text).collect()).collect()
    }

    #[test]
    fn one_event_is_a_batch_of_one() {
        assert_eq!(batched(&published("e1", "demo", &json!("Room"))), [["e1"]]);
    }

    #[test]
    fn events_with_the_same_tenant_and_types_share_a_batch_in_the_order_of_the_payload() {
        let payload = json!([
            published("e1", "demo", &json!("Room")),
            published("e2", "other", &json!("Room")),
            published("e3", "demo", &json!(["Room", "Car"])),
            published("e4", "demo", &json!(["Room"])),
            published("e5", "demo", &json!(["Car", "Room", "Car"])),
        ]);
        assert_eq!(batched(&payload), [&["e1", "e4"][..], &["e2"], &["e3", "e5"]]);
    }

    #[test]
    fn continuations_share_a_batch_if_they_have_the_same_ranges() {
        let (first, second) = (published("e1", "demo", &json!("Room")), published("e2", "demo", &json!("Room")));
        let low = json!(["0-7fffffffffffffff"]);
        let payload = json!([
            continuation("c1", &first, &low),
            first,
            continuation("c2", &second, &json!(["4000000000000000-7fffffffffffffff", "0-3fffffffffffffff"])),
            continuation("c3", &second, &json!(["8000000000000000-ffffffffffffffff"])),
        ]);
        assert_eq!(batched(&payload), [&["c1", "c2"][..], &["e1"], &["c3"]]);
    }
}
