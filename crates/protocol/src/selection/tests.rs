use serde_json::{Value, json};

use super::*;
use crate::entity_states::{EntityStates, PresentEntity};
use crate::filter::FilterFields;

fn change(fields: &Value) -> EntityChange {
    let mut detail = json!({ "type": "entityUpdated", "tenant": "t", "entityId": "urn:1", "entityType": "Room" });
    detail.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    EntityChange::parse(&detail.to_string()).unwrap()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[track_caller]
fn assert_selects(fields: FilterFields, cases: &[(Value, bool)]) {
    let selection = Selection::new(fields.check().unwrap());
    for (case, expected) in cases {
        assert_eq!(selection.matches(&ChangeFacts::new(&change(case))), *expected, "{case}");
    }
}

#[test]
fn ids_and_types_and_pattern_have_to_pass_together() {
    let fields = FilterFields {
        entity_types: texts(&["Room", "Hall"]),
        entity_ids: texts(&["urn:1", "urn:2"]),
        id_pattern: Some("[13]$".to_owned()),
        ..FilterFields::default()
    };
    assert_selects(
        fields,
        &[
            (json!({}), true),
            (json!({ "entityType": ["Car", "Hall"] }), true),
            (json!({ "entityType": "Car" }), false),
            (json!({ "entityId": "urn:2" }), false),
            (json!({ "entityId": "urn:3" }), false),
        ],
    );
}

#[test]
fn triggers_select_kinds_of_change() {
    let fields =
        FilterFields { notification_trigger: texts(&["entityCreated", "entityDeleted"]), ..FilterFields::default() };
    assert_selects(
        fields,
        &[(json!({}), false), (json!({ "type": "entityCreated" }), true), (json!({ "type": "entityDeleted" }), true)],
    );
}

#[test]
fn an_update_passes_if_a_watched_attribute_changed() {
    let fields = FilterFields { watched_attributes: texts(&["a", "b"]), ..FilterFields::default() };
    assert_selects(
        fields,
        &[
            (json!({ "data": { "a": 1 } }), true),
            (json!({ "data": { "c": 1 } }), false),
            (json!({}), false),
            (json!({ "data": { "a": 1 }, "changedAttributes": ["c"] }), false),
            (json!({ "data": { "c": 1 }, "changedAttributes": ["c", "b"] }), true),
            (json!({ "data": { "a": 1 }, "changedAttributes": [] }), false),
            (json!({ "type": "entityCreated", "data": { "c": 1 } }), true),
            (json!({ "type": "entityDeleted" }), true),
        ],
    );
}

#[test]
fn service_paths_select() {
    let fields = FilterFields { service_path: Some("/madrid/#".to_owned()), ..FilterFields::default() };
    assert_selects(
        fields,
        &[
            (json!({}), false),
            (json!({ "servicePath": "/madrid" }), true),
            (json!({ "servicePath": "/madrid/parks" }), true),
        ],
    );
}

#[test]
fn queries_judge_the_data_and_a_deletion_passes_them() {
    let here = json!({ "georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": [2.0, 48.0] });
    let fields = FilterFields { q: Some("speed>50".to_owned()), geo_q: Some(here), ..FilterFields::default() };
    let data = |speed: i32, at: f64| {
        json!({ "data": {
            "speed": { "type": "Property", "value": speed },
            "location": { "type": "GeoProperty", "value": { "type": "Point", "coordinates": [at, 48.0] } },
        }})
    };
    let mut created = data(51, 2.0);
    created["type"] = json!("entityCreated");
    assert_selects(
        fields,
        &[
            (data(51, 2.0), true),
            (created, true),
            (data(50, 2.0), false),
            (data(51, 3.0), false),
            (json!({}), false),
            (json!({ "type": "entityDeleted" }), true),
        ],
    );
}

#[test]
fn a_stored_filter_that_cannot_be_read_matches_nothing_and_says_so() {
    for stored in [json!({ "q": "((" }), json!({ "idPattern": "(" })] {
        let selection = Selection::new(serde_json::from_value(stored).unwrap());
        assert!(!selection.matches(&ChangeFacts::new(&change(&json!({})))));
        assert!(selection.is_broken());
    }
}

#[test]
fn the_memory_of_a_selection_grows_when_its_pattern_is_compiled() {
    let selection = Selection::new(Filter::new(["Room"], Some(r"^urn:\d+$")).unwrap());
    let before = selection.memory();
    assert!(selection.matches(&ChangeFacts::new(&change(&json!({})))));
    assert!(selection.memory() > before);
}

fn raw(data: &str) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(data.to_owned()).unwrap()
}

/// Judges an event by the entity before and after it.
#[track_caller]
fn assert_judged(fields: FilterFields, cases: &[(Value, FormerState, Option<&str>, Verdict)]) {
    let selection = Selection::new(fields.check().unwrap());
    for (fields, before, after, expected) in cases {
        let mut event = Event::new("e", "2026-01-02T03:04:05Z", change(fields));
        let revision = crate::revision::Revision { version: 1, is_late: false, is_partial: false, previous: None };
        event.revise(revision, EntityStates { before: before.clone(), after: after.map(raw), may_be_repeated: false });
        assert_eq!(selection.judge(&ChangeFacts::of(&event)), *expected, "{fields} {before:?} {after:?}");
    }
}

#[test]
fn a_query_is_judged_on_the_whole_entity_before_and_after_a_change() {
    let was = |data: &str| FormerState::Data(raw(data));
    let (fast, slow) = (r#"{"speed":60,"name":"a"}"#, r#"{"speed":40,"name":"a"}"#);
    let fields = || FilterFields { q: Some("speed>50".to_owned()), ..FilterFields::default() };
    let named = json!({ "data": { "name": "a" } });
    let deleted = json!({ "type": "entityDeleted" });
    assert_judged(
        fields(),
        &[
            // The change says nothing of the speed.
            (named.clone(), was(fast), Some(fast), Verdict::Passes),
            (named.clone(), was(slow), Some(slow), Verdict::Fails),
            (named.clone(), was(slow), Some(fast), Verdict::Passes),
            (named.clone(), was(fast), Some(slow), Verdict::Leaves),
            (named.clone(), FormerState::Absent, Some(slow), Verdict::Fails),
            // The client may or may not hold it.
            (named.clone(), FormerState::Unknown, Some(slow), Verdict::Leaves),
            (deleted.clone(), was(slow), None, Verdict::Passes),
            // A late deletion, after which the entity is there.
            (deleted.clone(), was(fast), Some(slow), Verdict::Leaves),
            (deleted, was(slow), Some(fast), Verdict::Passes),
            // A late update of an entity that is deleted.
            (named.clone(), FormerState::Absent, None, Verdict::Fails),
        ],
    );
    let watching = FilterFields {
        watched_attributes: texts(&["other"]),
        notification_trigger: texts(&["entityCreated"]),
        ..fields()
    };
    assert_judged(
        watching,
        &[
            (named.clone(), was(fast), Some(fast), Verdict::Fails),
            (named.clone(), was(fast), Some(slow), Verdict::Leaves),
        ],
    );
    let rooms = FilterFields { entity_types: texts(&["Hall"]), ..fields() };
    assert_judged(rooms, &[(named, was(fast), Some(slow), Verdict::Fails)]);
}

/// The first attempt could not write the state, so it was judged by its data, and the client shows the entity.
#[test]
fn a_change_that_may_have_been_delivered_by_its_data_leaves() {
    let fields = || FilterFields { q: Some("speed>50".to_owned()), ..FilterFields::default() };
    let selection = Selection::new(fields().check().unwrap());
    for (may_be_repeated, speed, expected) in
        [(true, 60, Verdict::Leaves), (true, 40, Verdict::Fails), (false, 60, Verdict::Fails)]
    {
        let mut event = Event::new("e", "2026-01-02T03:04:05Z", change(&json!({ "data": { "speed": speed } })));
        let revision = crate::revision::Revision { version: 1, is_late: true, is_partial: false, previous: None };
        let slow = r#"{"speed":40}"#;
        let before = FormerState::Data(raw(slow));
        event.revise(revision, EntityStates { before, after: Some(raw(slow)), may_be_repeated });
        assert_eq!(selection.judge(&ChangeFacts::of(&event)), expected, "{may_be_repeated} {speed}");
    }
}

#[test]
fn an_entity_that_becomes_too_large_is_judged_by_the_data_and_leaves_what_it_matched() {
    let fields = FilterFields { q: Some("speed>50".to_owned()), ..FilterFields::default() };
    let selection = Selection::new(fields.check().unwrap());
    let was = |data: &str| FormerState::Data(raw(data));
    for (data, before, expected) in [
        (json!({ "speed": 60 }), was(r#"{"speed":40}"#), Verdict::Passes),
        (json!({ "name": "a" }), was(r#"{"speed":60}"#), Verdict::Leaves),
        (json!({ "name": "a" }), was(r#"{"speed":40}"#), Verdict::Fails),
        // The change that made it too large is repeated.
        (json!({ "name": "a" }), FormerState::Unknown, Verdict::Leaves),
        // It was too large before, and has left.
        (json!({ "name": "a" }), FormerState::Absent, Verdict::Fails),
        (json!({ "speed": 60 }), FormerState::Absent, Verdict::Passes),
    ] {
        let mut event = Event::new("e", "2026-01-02T03:04:05Z", change(&json!({ "data": data })));
        event.outgrow(7, false, before);
        assert_eq!(selection.judge(&ChangeFacts::of(&event)), expected, "{data}");
    }
}

#[test]
fn a_late_deletion_of_an_entity_that_is_too_large_is_judged_as_an_update() {
    let fast = FilterFields { q: Some("speed>50".to_owned()), ..FilterFields::default() };
    for (fields, is_late, expected) in [
        (fast.clone(), false, Verdict::Passes),
        (fast, true, Verdict::Fails),
        (FilterFields::default(), true, Verdict::Passes),
    ] {
        let mut event = Event::new("e", "2026-01-02T03:04:05Z", change(&json!({ "type": "entityDeleted" })));
        event.outgrow(7, is_late, FormerState::Absent);
        let selection = Selection::new(fields.check().unwrap());
        assert_eq!(selection.judge(&ChangeFacts::of(&event)), expected, "late: {is_late}");
    }
}

/// The entity changed again before the event was delivered.
#[test]
fn only_a_view_of_the_whole_entity_is_judged_by_the_present_entity() {
    let fields = FilterFields { q: Some("speed>50".to_owned()), ..FilterFields::default() };
    let selection = Selection::new(fields.check().unwrap());
    let mut event = Event::new("e", "2026-01-02T03:04:05Z", change(&json!({ "data": { "speed": 60 } })));
    let revision = crate::revision::Revision { version: 1, is_late: false, is_partial: false, previous: None };
    let (fast, slow) = (raw(r#"{"speed":60}"#), raw(r#"{"speed":40}"#));
    let before = FormerState::Data(fast.clone());
    event.revise(revision, EntityStates { before, after: Some(fast), may_be_repeated: false });
    for (present, expected) in
        [(None, Verdict::Passes), (Some(Some(slow)), Verdict::Leaves), (Some(None), Verdict::Leaves)]
    {
        if let Some(present) = present {
            event.show_present(PresentEntity { data: present, is_partial: false });
        }
        assert_eq!(selection.judge(&ChangeFacts::of_whole_entity(&event)), expected);
        assert_eq!(selection.judge(&ChangeFacts::of(&event)), Verdict::Passes);
    }
}

/// An old update that is repeated after the deletion.
#[test]
fn an_entity_that_is_gone_matches_no_query() {
    let fields = |q: &str| FilterFields { q: Some(q.to_owned()), ..FilterFields::default() };
    let here = json!({ "georel": "disjoint", "geometry": "Point", "coordinates": [2.0, 48.0] });
    let anywhere = FilterFields { geo_q: Some(here), ..FilterFields::default() };
    let update = || json!({ "data": { "name": "a" } });
    for filter in [fields("!speed"), fields("name==\"a\""), anywhere] {
        assert_judged(filter, &[(update(), FormerState::Absent, None, Verdict::Fails)]);
    }
    assert_judged(FilterFields::default(), &[(update(), FormerState::Absent, None, Verdict::Passes)]);
}

#[test]
fn a_place_is_judged_on_the_whole_entity_too() {
    let at = |longitude: f64| format!(r#"{{"location":{{"type":"Point","coordinates":[{longitude},35.6]}}}}"#);
    let geo_q = json!({ "georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": [139.7, 35.6] });
    let (inside, outside) = (at(139.7), at(140.7));
    let moved = json!({ "data": {} });
    assert_judged(
        FilterFields { geo_q: Some(geo_q), ..FilterFields::default() },
        &[
            (moved.clone(), FormerState::Data(raw(&inside)), Some(&inside), Verdict::Passes),
            (moved.clone(), FormerState::Data(raw(&inside)), Some(&outside), Verdict::Leaves),
            (moved.clone(), FormerState::Data(raw(&outside)), Some(&inside), Verdict::Passes),
            (moved, FormerState::Data(raw(&outside)), Some(&outside), Verdict::Fails),
        ],
    );
}
