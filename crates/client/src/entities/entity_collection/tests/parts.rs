//! Collections that the program loads, and messages that have only parts of entities.

use super::*;

/// A collection with these entities, on an open connection.
fn loaded(subscription: Subscription, entities: &Value) -> EntityCollection {
    let mut collection = EntityCollection::loaded(subscription);
    assert_eq!(take(&mut collection, &[StreamItem::Connected, in_force()]), ["load"]);
    load_data(&mut collection, entities);
    assert!(collection.is_complete());
    collection
}

fn load_data(collection: &mut EntityCollection, entities: &Value) -> Vec<String> {
    let loaded = LoadedEntity::from_array(&entities.to_string(), "/").unwrap();
    short(collection.load(&"demo".parse().unwrap(), loaded))
}

fn room(data: &Value) -> Value {
    let mut room = json!({ "id": "urn:1", "type": "Room" });
    room.as_object_mut().unwrap().extend(data.as_object().cloned().unwrap());
    json!([room])
}

fn whole() -> Subscription {
    Subscription { view: View::default().with_state(true, false), ..rooms() }
}

fn warm() -> Subscription {
    let fields = entity_stream_protocol::FilterFields { q: Some("a>0".to_owned()), ..Default::default() };
    Subscription { filter: fields.check().unwrap(), ..rooms() }
}

/// An update of these attributes.
fn update(version: u64, data: &Value) -> Value {
    let changed: Vec<_> = data.as_object().unwrap().keys().collect();
    json!({ "version": version, "data": data, "changedAttributes": changed })
}

/// Takes an event about the entity, and returns what it changes.
fn event(collection: &mut EntityCollection, message: &Value) -> Vec<String> {
    take(collection, &[StreamItem::Event(received(1, message))])
}

fn data(collection: &EntityCollection) -> Value {
    let data = |entity: &Arc<Entity>| serde_json::from_str::<Value>(entity.data().get()).unwrap();
    collection.iter().next().map(data).unwrap_or_default()
}

fn types(entity: &Entity) -> Value {
    serde_json::to_value(entity.types()).unwrap()
}

fn with(message: Value, field: &str, value: impl Into<Value>) -> Value {
    let mut message = message;
    message[field] = value.into();
    message
}

#[test]
fn an_older_part_sets_what_no_newer_one_has_set() {
    let mut collection = loaded(rooms(), &json!([]));
    assert_eq!(event(&mut collection, &update(6, &json!({ "b": 1, "c": 6 }))), ["+urn:1"]);
    let older = json!({ "version": 5, "data": { "a": 1, "c": 5 }, "changedAttributes": ["a", "b", "c"],
        "entityType": "Older", "timestamp": "2026-01-01T00:00:00Z" });
    assert_eq!(event(&mut collection, &older), ["urn:1"]);
    assert_eq!(data(&collection), json!({ "a": 1, "b": 1, "c": 6 }));
    let entity = collection.iter().next().unwrap();
    assert_eq!(entity.version(), Some(6));
    assert_eq!((entity.timestamp(), types(entity)), ("2026-01-02T03:04:05Z", json!("Room")));
    assert!(event(&mut collection, &older).is_empty(), "a repeat");

    // An attribute that was removed stays so.
    let removes = json!({ "version": 8, "data": { "b": 8 }, "changedAttributes": ["a", "b"] });
    event(&mut collection, &removes);
    assert!(event(&mut collection, &update(7, &json!({ "a": 7 }))).is_empty());
    assert_eq!(data(&collection), json!({ "b": 8, "c": 6 }));

    // A creation replaces what is older than it.
    event(&mut collection, &update(12, &json!({ "d": 12 })));
    let created = json!({ "type": "entityCreated", "version": 10, "data": { "a": 10, "d": 10 } });
    event(&mut collection, &created);
    assert_eq!(data(&collection), json!({ "a": 10, "d": 12 }));
    assert!(!collection.iter().next().unwrap().is_partial());
    assert!(event(&mut collection, &update(9, &json!({ "c": 9 }))).is_empty());
}

#[test]
fn a_late_change_changes_nothing_and_asks_for_a_load_once() {
    for late in [
        with(update(5, &json!({ "a": 1 })), "late", true),
        json!({ "type": "entityDeleted", "version": 5, "data": {}, "late": true }),
        json!({ "type": "entityCreated", "version": 5, "data": { "a": 1 }, "late": true }),
    ] {
        let mut collection = loaded(rooms(), &room(&json!({ "a": 9, "b": 9 })));
        assert_eq!(event(&mut collection, &late), ["load"]);
        assert!(!collection.is_complete());
        assert_eq!(data(&collection), json!({ "a": 9, "b": 9 }));
        // What the program has begun to read may lack another late change.
        assert!(event(&mut collection, &with(update(7, &json!({ "b": 1 })), "late", true)).is_empty());
        assert_eq!(load_data(&mut collection, &room(&json!({ "a": 9, "b": 8 }))), ["urn:1", "complete", "load"]);
        assert!(!collection.is_complete());
        assert_eq!(load_data(&mut collection, &room(&json!({ "a": 9, "b": 7 }))), ["urn:1", "complete"]);
        assert_eq!(data(&collection), json!({ "a": 9, "b": 7 }));
    }
}

#[test]
fn a_late_change_does_not_make_the_one_before_it_a_repeat() {
    let mut collection = loaded(rooms(), &room(&json!({ "a": 4 })));
    // It changed nothing, so it has the version of the change before it.
    let late = with(update(5, &json!({ "b": 1 })), "late", true);
    assert_eq!(event(&mut collection, &late), ["load"]);
    assert_eq!(load_data(&mut collection, &room(&json!({ "a": 5 }))), ["urn:1", "complete"]);
    // The program has read the entity after the change.
    assert!(event(&mut collection, &update(5, &json!({ "a": 5 }))).is_empty());
    assert_eq!(data(&collection), json!({ "a": 5 }));

    // Without a load it counts.
    let mut collection = EntityCollection::loaded(rooms());
    take(&mut collection, &[StreamItem::Connected]);
    assert!(event(&mut collection, &late).is_empty());
    assert_eq!(event(&mut collection, &update(5, &json!({ "a": 5 }))), ["+urn:1"]);
    assert_eq!(take(&mut collection, &[in_force()]), ["load"]);
}

/// The load was read after the late change, and so after all changes that the service knew before it.
#[test]
fn a_load_has_what_came_before_a_late_change() {
    let mut collection = loaded(rooms(), &room(&json!({ "a": 1 })));
    event(&mut collection, &with(update(7, &json!({ "a": 7 })), "late", true));
    assert!(event(&mut collection, &update(5, &json!({ "a": 5 }))).is_empty());
    assert_eq!(load_data(&mut collection, &room(&json!({ "a": 7 }))), ["urn:1", "complete"]);
    assert!(event(&mut collection, &update(6, &json!({ "a": 6 }))).is_empty());
    assert_eq!(data(&collection), json!({ "a": 7 }));

    // A late deletion: the entity is gone, and an earlier change does not bring it back.
    event(&mut collection, &json!({ "type": "entityDeleted", "version": 9, "data": {}, "late": true }));
    assert_eq!(load_data(&mut collection, &json!([])), ["-urn:1", "complete"]);
    assert!(event(&mut collection, &update(8, &json!({ "a": 8 }))).is_empty());
}

#[test]
fn an_end_that_comes_after_a_later_part_asks_for_a_load() {
    for kind in ["entityDeleted", "entityLeft"] {
        let mut collection = loaded(rooms(), &room(&json!({ "a": 1, "b": 1 })));
        event(&mut collection, &update(9, &json!({ "b": 9 })));
        let end = json!({ "type": kind, "version": 7, "data": {} });
        assert_eq!(event(&mut collection, &end), ["load"]);
        assert_eq!(load_data(&mut collection, &room(&json!({ "b": 9 }))), ["urn:1", "complete"]);
        assert!(event(&mut collection, &update(6, &json!({ "a": 6 }))).is_empty());
        assert!(event(&mut collection, &end).is_empty());
    }
}

/// A load that was read before an entity was deleted does not bring back its attributes.
#[test]
fn a_part_of_an_entity_that_was_deleted_during_a_load_asks_for_another() {
    let mut collection = EntityCollection::loaded(rooms());
    take(&mut collection, &[StreamItem::Connected, in_force()]);
    event(&mut collection, &json!({ "type": "entityDeleted", "version": 7, "data": {} }));
    event(&mut collection, &update(9, &json!({ "b": 9 })));
    assert_eq!(load_data(&mut collection, &room(&json!({ "a": 1, "b": 1 }))).last().unwrap(), "load");
    load_data(&mut collection, &room(&json!({ "b": 9 })));
    assert_eq!(data(&collection), json!({ "b": 9 }));
}

/// A resume shows such entities as they are now. That does not tell what was removed, or is known to the broker alone.
#[test]
fn an_entity_that_a_resume_shows_is_loaded_unless_the_message_has_all_of_it() {
    let resume = [disconnected(), StreamItem::Connected];
    let replayed = |version| json!({ "version": version, "data": { "a": 2 }, "replayed": true });
    for (subscription, message, is_clear) in [
        (warm(), replayed(9), false),
        (warm(), with(replayed(9), "type", "entityCreated"), true),
        (whole(), replayed(9), true),
        (whole(), with(replayed(9), "partial", true), false),
        (whole(), with(with(replayed(9), "data", json!({})), "state", "unavailable"), false),
    ] {
        let mut collection = loaded(subscription, &room(&json!({ "a": 1, "b": 1 })));
        take(&mut collection, &resume);
        let changes = event(&mut collection, &message);
        // One load is for all of them.
        let other = event(&mut collection, &with(message.clone(), "entityId", json!("urn:2")));
        let verdict = take(&mut collection, &[in_force(), StreamItem::Recovered { replayed: 2 }]);
        if is_clear {
            assert_eq!(other, ["+urn:2"]);
            assert_eq!((changes, verdict), (vec!["urn:1".to_owned()], vec!["complete".to_owned()]), "{message}");
            assert_eq!(data(&collection), json!({ "a": 2 }), "{message}");
        } else {
            assert!(changes.is_empty() && other.is_empty(), "{message}");
            assert_eq!(verdict, ["load"], "{message}");
            assert_eq!(load_data(&mut collection, &room(&json!({ "a": 2 }))), ["urn:1", "complete"]);
        }
    }

    // Other subscriptions receive each change, and a service without entity state has no versions.
    let published = json!({ "version": 9, "data": { "a": 2 }, "changedAttributes": ["a"], "replayed": true });
    for (subscription, message) in [(rooms(), published.clone()), (warm(), with(published, "version", Value::Null))] {
        let mut collection = loaded(subscription, &room(&json!({ "a": 1, "b": 1 })));
        take(&mut collection, &resume);
        assert_eq!(event(&mut collection, &message), ["urn:1"]);
        assert_eq!(data(&collection), json!({ "a": 2, "b": 1 }));
    }
}

#[test]
fn a_loaded_entity_takes_what_the_event_tells_of_it() {
    let mut collection = EntityCollection::loaded(rooms());
    take(&mut collection, &[StreamItem::Connected, in_force()]);
    event(&mut collection, &with(update(5, &json!({ "a": 5 })), "entityType", json!(["Room", "Warm"])));
    load_data(&mut collection, &room(&json!({ "a": 1, "b": 1 })));
    let entity = collection.iter().next().unwrap();
    assert_eq!(types(entity), json!(["Room", "Warm"]));
    assert_eq!((entity.version(), entity.is_partial()), (Some(5), false));
    assert_eq!(data(&collection), json!({ "a": 5, "b": 1 }));
}

#[test]
fn what_a_program_can_see_makes_two_entities_differ() {
    let of = |more: &Value| Entity::of(received(1, more).message());
    let one = of(&json!({}));
    assert!(one.is_same(&of(&json!({}))));
    for more in [json!({ "entityType": "Hall" }), json!({ "partial": true }), json!({ "version": 2 })] {
        assert!(!one.is_same(&of(&more)), "{more}");
    }
}

/// The service knows only a part of an entity that the broker has had for long.
#[test]
fn a_partial_entity_is_a_part_of_a_loaded_one() {
    let partial = |version, data: Value| json!({ "version": version, "data": data, "partial": true });
    let entity = json!({ "a": 1, "b": 1, "c": 1 });
    let mut collection = loaded(whole(), &room(&entity));
    assert_eq!(event(&mut collection, &partial(5, json!({ "a": 2 }))), ["urn:1"]);
    assert_eq!(data(&collection), json!({ "a": 2, "b": 1, "c": 1 }));
    let removes = with(partial(6, json!({ "a": 2 })), "changedAttributes", json!(["b"]));
    event(&mut collection, &removes);
    assert_eq!(data(&collection), json!({ "a": 2, "c": 1 }));
    assert_eq!(event(&mut collection, &with(partial(7, json!({ "a": 2 })), "late", true)), ["load"]);
    assert!(event(&mut collection, &partial(8, json!({ "a": 8 }))).contains(&"urn:1".to_owned()));
    assert_eq!(load_data(&mut collection, &room(&entity)), ["urn:1", "complete"]);
    assert_eq!(data(&collection), json!({ "a": 8, "b": 1, "c": 1 }), "a message between the request and the load");
    event(&mut collection, &json!({ "version": 9, "data": { "a": 9 }, "late": true }));
    assert_eq!(data(&collection), json!({ "a": 9 }), "all of it");

    let mut collection = EntityCollection::new(rooms());
    event(&mut collection, &json!({ "version": 4, "data": entity }));
    event(&mut collection, &partial(5, json!({ "a": 2 })));
    assert_eq!(data(&collection), json!({ "a": 2 }), "a snapshot shows no other attributes");
}

/// The state of an entity that is too large ends: it leaves, and an event whose own data matches has no version.
#[test]
fn an_event_without_a_version_brings_back_an_entity_that_has_left() {
    let without_version = json!({ "version": Value::Null, "state": "unavailable", "data": { "a": 7 } });
    for (kind, more, comes_back) in [
        ("entityLeft", json!({}), true),
        ("entityDeleted", json!({}), false),
        ("entityDeleted", json!({ "type": "entityCreated" }), true),
    ] {
        for mut collection in [EntityCollection::new(rooms()), loaded(rooms(), &json!([]))] {
            event(&mut collection, &update(5, &json!({ "a": 5 })));
            assert_eq!(event(&mut collection, &json!({ "type": kind, "version": 6, "data": {} })), ["-urn:1"]);
            let mut next = without_version.clone();
            next.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            let expected: &[&str] = if comes_back { &["+urn:1"] } else { &[] };
            assert_eq!(event(&mut collection, &next), expected, "{kind} {more}");
            assert!(event(&mut collection, &update(5, &json!({ "a": 5 }))).is_empty(), "an old change");
        }
    }
}

/// The entity had left, and came back after the program had read those that match.
#[test]
fn a_part_of_an_entity_that_a_load_lacks_asks_for_another() {
    let mut collection = loaded(rooms(), &room(&json!({ "a": 1, "b": 1 })));
    let not_recovered = StreamItem::NotRecovered { reason: NotRecovered::Expired, missed_since: None };
    assert_eq!(take(&mut collection, &[disconnected(), StreamItem::Connected, in_force(), not_recovered]), ["load"]);
    event(&mut collection, &update(8, &json!({ "a": 8 })));
    assert_eq!(load_data(&mut collection, &json!([])), ["complete", "load"]);
    assert!(!collection.is_complete());
    assert_eq!(load_data(&mut collection, &room(&json!({ "a": 8, "b": 7 }))), ["urn:1", "complete"]);
    assert_eq!(data(&collection), json!({ "a": 8, "b": 7 }));
    assert!(collection.is_complete());
}
