use std::collections::{BTreeMap, BTreeSet};

use entity_stream_protocol::{ServerMessage, Subscription};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::loaded_entity::LoadedEntity;
use super::*;

mod loads;
mod order;

/// A message about the entity `urn:{entity}`.
fn message(kind: &str, entity: usize, version: Option<u64>, data: &Value) -> Value {
    let mut message = json!({ "type": kind, "id": "1", "tenant": "demo", "servicePath": "/",
        "entityId": format!("urn:{entity}"), "entityType": "Room", "data": data, "timestamp": "2026-01-02T03:04:05Z" });
    match version {
        Some(version) => message["version"] = version.into(),
        None => message["state"] = "unavailable".into(),
    }
    message
}

fn apply(collection: &mut Collection, message: &Value, now: Instant) -> Option<EntitiesChange> {
    let frame = message.to_string();
    collection.apply(ServerMessage::parse(&frame).unwrap().event().unwrap(), now)
}

fn data(collection: &Collection) -> Vec<String> {
    collection.iter().map(|entity| format!("{} {}", entity.id(), entity.data())).collect()
}

fn connected(now: Instant) -> Collection {
    let mut collection = Collection::default();
    collection.connected(now);
    collection.set_in_force(true);
    collection.begin();
    collection
}

#[test]
fn an_older_version_changes_nothing_also_after_the_end() {
    let now = Instant::now();
    let mut collection = connected(now);
    let mut apply = |kind, version, data: Value| apply(&mut collection, &message(kind, 1, Some(version), &data), now);
    assert!(matches!(apply("entityUpdated", 5, json!({ "a": 5 })), Some(EntitiesChange::Added(_))));
    assert!(apply("entityUpdated", 4, json!({ "a": 4 })).is_none());
    assert!(apply("entitySnapshot", 3, json!({ "a": 3 })).is_none());
    assert!(apply("entityDeleted", 4, json!({})).is_none());
    let Some(EntitiesChange::Updated { before, after }) = apply("entityUpdated", 6, json!({ "a": 6 })) else {
        panic!()
    };
    assert_eq!((before.data().get(), after.data().get(), after.version()), (r#"{"a":5}"#, r#"{"a":6}"#, Some(6)));
    assert!(matches!(apply("entityLeft", 8, json!({})), Some(EntitiesChange::Removed(_))));
    assert!(apply("entitySnapshot", 7, json!({ "a": 7 })).is_none(), "it left");
    assert!(apply("entityUpdated", 8, json!({ "a": 8 })).is_none());
    assert!(matches!(apply("entityUpdated", 9, json!({ "a": 9 })), Some(EntitiesChange::Added(_))));
    assert_eq!(data(&collection), [r#"urn:1 {"a":9}"#]);
}

#[test]
fn an_end_that_comes_first_is_remembered_for_15_minutes_online() {
    let (start, minute) = (Instant::now(), Duration::from_secs(60));
    let mut collection = connected(start);
    assert!(apply(&mut collection, &message("entityDeleted", 1, Some(7), &json!({})), start).is_none());
    let late = message("entityUpdated", 1, Some(6), &json!({ "a": 6 }));
    assert!(apply(&mut collection, &late, start + 10 * minute).is_none());
    collection.disconnected(start + 10 * minute);
    collection.connected(start + 100 * minute);
    collection.set_in_force(true);
    assert!(apply(&mut collection, &late, start + 104 * minute).is_none());
    assert!(matches!(apply(&mut collection, &late, start + 106 * minute), Some(EntitiesChange::Added(_))));
}

#[test]
fn what_a_snapshot_lacks_is_removed_unless_it_has_changed_meanwhile() {
    let now = Instant::now();
    let mut collection = connected(now);
    for entity in 1..=4 {
        apply(&mut collection, &message("entitySnapshot", entity, Some(1), &json!({})), now);
    }
    assert!(!collection.is_complete());
    assert!(collection.snapshot_complete(now).is_empty() && collection.is_complete());
    collection.disconnected(now);
    assert!(!collection.is_complete());
    collection.connected(now);
    collection.set_in_force(true);
    collection.begin();
    // The first is unchanged, the second changes meanwhile, the third comes again as a repeat, and the fourth is lacking.
    assert!(apply(&mut collection, &message("entitySnapshot", 1, Some(1), &json!({})), now).is_none());
    assert!(apply(&mut collection, &message("entityUpdated", 2, Some(2), &json!({})), now).is_some());
    assert!(apply(&mut collection, &message("entityUpdated", 3, Some(1), &json!({})), now).is_none());
    let removed: Vec<_> = collection.snapshot_complete(now).into_iter().map(|change| format!("{change:?}")).collect();
    assert_eq!(removed.len(), 2, "{removed:?}");
    assert_eq!(data(&collection), ["urn:1 {}", "urn:2 {}"]);
    assert!(apply(&mut collection, &message("entityUpdated", 4, Some(1), &json!({})), now).is_none(), "it is gone");
}

#[test]
fn partial_data_is_merged() {
    let now = Instant::now();
    let mut collection = connected(now);
    apply(&mut collection, &message("entitySnapshot", 1, Some(5), &json!({ "a": 1, "b": 2 })), now);
    let mut change = message("entityUpdated", 1, None, &json!({ "c": 3, "a": 4 }));
    change["changedAttributes"] = json!(["a", "b", "c"]);
    let Some(EntitiesChange::Updated { after, .. }) = apply(&mut collection, &change, now) else { panic!() };
    assert_eq!((after.data().get(), after.version()), (r#"{"a":4,"c":3}"#, Some(5)));
    assert_eq!(after.attribute("c").map(RawValue::get), Some("3"));
    assert!(after.attribute("b").is_none() && !after.is_partial());

    // The data of a change that is too large is not known.
    let mut large = message("entityUpdated", 1, Some(6), &json!({}));
    (large["truncated"], large["dataBytes"]) = (json!(true), json!(200_000));
    let Some(EntitiesChange::Updated { after, .. }) = apply(&mut collection, &large, now) else { panic!() };
    assert!(after.is_partial() && after.version() == Some(6) && after.data().get() == r#"{"a":4,"c":3}"#);
    let whole = message("entityUpdated", 1, Some(7), &json!({ "a": 7 }));
    let Some(EntitiesChange::Updated { after, .. }) = apply(&mut collection, &whole, now) else { panic!() };
    assert!(!after.is_partial() && after.data().get() == r#"{"a":7}"#);

    // A snapshot does not show an entity that is too large.
    let mut too_large = message("entitySnapshot", 1, Some(8), &json!({}));
    too_large["state"] = json!("unavailable");
    let Some(EntitiesChange::Updated { after, .. }) = apply(&mut collection, &too_large, now) else { panic!() };
    assert!(after.is_partial() && after.version() == Some(8) && after.data().get() == r#"{"a":7}"#);

    // An entity without a version ends, and only its creation brings it back.
    assert!(apply(&mut collection, &message("entityDeleted", 1, None, &json!({})), now).is_some());
    assert!(apply(&mut collection, &message("entityUpdated", 1, None, &json!({ "a": 8 })), now).is_none());
    let created = message("entityCreated", 1, None, &json!({ "a": 9 }));
    let Some(EntitiesChange::Added(entity)) = apply(&mut collection, &created, now) else { panic!() };
    assert_eq!((entity.version(), entity.is_partial()), (Some(8), false));
    let unknown = message("entityUpdated", 2, None, &json!({ "a": 1 }));
    let Some(EntitiesChange::Added(entity)) = apply(&mut collection, &unknown, now) else { panic!() };
    assert!(entity.is_partial() && entity.version().is_none());
}

#[test]
fn an_entity_is_its_id_and_its_service_path() {
    let now = Instant::now();
    let mut collection = connected(now);
    for path in ["/b", "/a"] {
        let mut message = message("entityUpdated", 1, Some(1), &json!({ "path": path }));
        message["servicePath"] = path.into();
        assert!(matches!(apply(&mut collection, &message, now), Some(EntitiesChange::Added(_))));
    }
    let paths: Vec<_> = collection.iter().map(|entity| entity.service_path()).collect();
    assert_eq!(paths, ["/a", "/b"]);
}

const ENTITIES: usize = 3;

fn show(entity: &Entity) -> String {
    format!("{} {}", entity.id(), entity.data())
}

proptest! {
    /// The changes of an update lead from the one set to the other.
    #[test]
    fn the_changes_to_another_collection_make_it(
        one in prop::collection::vec((0..ENTITIES, 1..4u64), 0..6),
        other in prop::collection::vec((0..ENTITIES, 1..4u64), 0..6),
    ) {
        let now = Instant::now();
        let [before, after] = [one, other].map(|entities| {
            let mut collection = connected(now);
            for (entity, version) in entities {
                apply(&mut collection, &message("entityUpdated", entity, Some(version), &json!({ "v": version })), now);
            }
            collection
        });
        let mut shown: BTreeSet<_> = data(&before).into_iter().collect();
        for change in before.changes_to(&after) {
            match change {
                EntitiesChange::Added(entity) => prop_assert!(shown.insert(show(&entity))),
                EntitiesChange::Updated { before, after } => {
                    prop_assert!(shown.remove(&show(&before)) && shown.insert(show(&after)));
                }
                EntitiesChange::Removed(entity) => prop_assert!(shown.remove(&show(&entity))),
            }
        }
        prop_assert_eq!(shown.into_iter().collect::<Vec<_>>(), data(&after));
    }
}
