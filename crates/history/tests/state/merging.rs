use entity_stream_protocol::Event;
use serde_json::json;

use crate::sequences::{after, previous};
use crate::support::{TestStates, at, event, raw, stamp};

#[tokio::test]
async fn attributes_keep_their_bytes() {
    let t = TestStates::create().await;
    let data =
        r#"{"big":12345678901234567890123,"e":1E5,"f":1.0,"u":"\u00e9","x y":{"type":"Property",  "value":[1, 2]}}"#;
    let (_, states) = t.known(&raw("1", "entityCreated", data, 100), at(100)).await;
    assert_eq!(after(&states).unwrap(), data);
    // By the quick way as well.
    let (_, states) = t.known(&raw("2", "entityUpdated", r#"{"e":1e5}"#, 200), at(200)).await;
    assert_eq!(after(&states).unwrap(), data.replace("1E5", "1e5"));
    assert_eq!(t.data("e", at(200)).await.unwrap(), data.replace("1E5", "1e5"));
}

#[tokio::test]
async fn names_and_values_may_hold_anything() {
    let t = TestStates::create().await;
    let names = ["", "#", ":x", "=a", "<a", "id", "type", "a.b", "a[0]", "é\n\"\\", "v", "pk"];
    let data: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), json!({ "value": name }))).collect();
    let all = serde_json::to_string(&data).unwrap();
    t.known(&raw("1", "entityCreated", &all, 100), at(100)).await;
    let (_, states) = t.known(&raw("2", "entityUpdated", &all, 200), at(200)).await;
    let stored: serde_json::Value = serde_json::from_str(&after(&states).unwrap()).unwrap();
    assert_eq!(stored, serde_json::Value::Object(data));
    assert_eq!(t.data("e", at(200)).await, after(&states));
}

#[tokio::test]
async fn an_attribute_that_is_named_and_absent_is_removed_unless_the_data_is_empty() {
    let t = TestStates::create().await;
    let update = |id: &str, millis: u64, data: serde_json::Value, changed: &[&str]| -> Event {
        let detail =
            json!({ "type": "entityUpdated", "timestamp": stamp(millis), "data": data, "changedAttributes": changed });
        event(id, &detail)
    };
    t.known(&raw("1", "entityCreated", r#"{"a":1,"b":2,"c":3}"#, 100), at(100)).await;
    let (whole, states) = t.known(&update("2", 200, json!({ "a": 7 }), &["a", "b"]), at(200)).await;
    assert_eq!((after(&states).unwrap(), whole.is_partial), (r#"{"a":7,"c":3}"#.to_owned(), false));
    let (partial, states) = t.known(&update("3", 300, json!({}), &["c"]), at(300)).await;
    assert_eq!((after(&states).unwrap(), partial.is_partial), (r#"{"a":7,"c":3}"#.to_owned(), true));
    // A late change does not bring it back; a later one does.
    let (_, states) = t.known(&update("4", 150, json!({ "b": 9 }), &["b"]), at(400)).await;
    assert_eq!(after(&states).unwrap(), r#"{"a":7,"c":3}"#);
    let (_, states) = t.known(&update("5", 500, json!({ "b": 9 }), &["b"]), at(500)).await;
    assert_eq!(after(&states).unwrap(), r#"{"a":7,"b":9,"c":3}"#);
}

#[tokio::test]
async fn of_two_attributes_of_the_same_time_that_of_the_newer_change_stays() {
    let update = |id: &str, micros: u32| {
        let data = json!({ "a": { "value": id, "modifiedAt": stamp(100) } });
        let timestamp = stamp(100).replace('Z', &format!("{micros:03}Z"));
        event(id, &json!({ "type": "entityUpdated", "timestamp": timestamp, "data": data }))
    };
    let newest = event("newest", &json!({ "type": "entityUpdated", "timestamp": stamp(150), "data": { "b": 1 } }));
    let (former, latter) = (update("former", 0), update("latter", 1));
    for order in [[&former, &latter, &newest], [&latter, &former, &newest], [&former, &newest, &latter]] {
        let t = TestStates::create().await;
        for change in order {
            t.known(change, at(200)).await;
        }
        let data = t.data("e", at(201)).await.unwrap();
        assert!(data.contains("latter"), "{} came first: {data}", order[0].id());
    }
}

/// A sensor measures before the removal, and its value arrives after it.
#[tokio::test]
async fn a_removal_and_a_deletion_remove_no_value_of_a_newer_change_however_old_its_own_time_is() {
    let measured = json!({ "a": { "value": 5, "observedAt": stamp(120) } });
    let update = event("later", &json!({ "type": "entityUpdated", "timestamp": stamp(300), "data": measured.clone() }));
    let removal = json!({
        "type": "entityUpdated", "timestamp": stamp(200), "data": { "b": 2 }, "changedAttributes": ["a", "b"],
    });
    let deletion = json!({ "type": "entityDeleted", "timestamp": stamp(200) });
    for end in [removal, deletion] {
        let end = event("end", &end);
        let mut left = Vec::new();
        for order in [[&end, &update], [&update, &end]] {
            let t = TestStates::create().await;
            t.known(&raw("1", "entityCreated", r#"{"a":1,"b":1}"#, 100), at(100)).await;
            for change in order {
                t.known(change, at(400)).await;
            }
            let data: serde_json::Value = serde_json::from_str(&t.data("e", at(400)).await.unwrap()).unwrap();
            assert_eq!(data["a"], measured["a"], "{} came first", order[0].id());
            left.push(data);
        }
        assert_eq!(left[0], left[1]);
    }
}

/// Brokers send a value again that has not changed. It is as new as the last change that has it.
#[tokio::test]
async fn a_value_that_came_again_outlives_a_removal_and_a_deletion_from_before() {
    let measured = json!({ "a": { "value": 5, "observedAt": stamp(50) } });
    let update = |id: &str, millis: u64, data: &serde_json::Value| {
        event(id, &json!({ "type": "entityUpdated", "timestamp": stamp(millis), "data": data }))
    };
    let removal = json!({
        "type": "entityUpdated", "timestamp": stamp(200), "data": { "b": 2 }, "changedAttributes": ["a", "b"],
    });
    let deletion = json!({ "type": "entityDeleted", "timestamp": stamp(200) });
    for end in [removal, deletion] {
        let t = TestStates::create().await;
        let (first, again) = (update("1", 100, &measured), update("3", 300, &measured));
        for change in [first, update("4", 400, &json!({ "b": 4 })), again, event("2", &end)] {
            t.known(&change, at(500)).await;
        }
        let data = t.data("e", at(500)).await.unwrap();
        assert!(data.contains(r#""value":5"#) && data.ends_with(r#""b":4}"#), "{data}");
    }
}

/// A creation replaces everything, also a value whose change arrives later.
#[tokio::test]
async fn a_change_from_before_a_creation_sets_nothing() {
    let t = TestStates::create().await;
    let measured = json!({ "a": { "value": 2, "observedAt": stamp(50) } });
    t.known(&event("2", &json!({ "type": "entityCreated", "timestamp": stamp(200), "data": measured })), at(200)).await;
    let (revision, states) = t.known(&raw("1", "entityUpdated", r#"{"a":1}"#, 100), at(300)).await;
    assert!(revision.is_late && after(&states).unwrap().contains(r#""value":2"#), "{states:?}");
}

/// The own time of a value can be ahead of that of its change.
#[tokio::test]
async fn a_removal_removes_a_value_that_is_said_to_be_newer() {
    let t = TestStates::create().await;
    let ahead = json!({ "a": { "value": 5, "observedAt": stamp(900) }, "b": 1 });
    t.known(&event("1", &json!({ "type": "entityCreated", "timestamp": stamp(100), "data": ahead })), at(100)).await;
    let removal = json!({
        "type": "entityUpdated", "timestamp": stamp(200), "data": { "b": 2 }, "changedAttributes": ["a", "b"],
    });
    t.known(&event("2", &removal), at(200)).await;
    assert_eq!(t.data("e", at(200)).await.unwrap(), r#"{"b":2}"#);
}

/// The members of an NGSI entity that are not attributes.
#[tokio::test]
async fn former_values_are_those_of_attributes() {
    let t = TestStates::create().await;
    t.known(&raw("1", "entityCreated", r#"{"id":"e","type":"T","a":1}"#, 100), at(100)).await;
    let (revision, _) = t.known(&raw("2", "entityUpdated", r#"{"id":"e","type":"T","a":2}"#, 200), at(200)).await;
    assert_eq!(previous(&revision).unwrap(), r#"{"a":1}"#);
    let (revision, _) = t.known(&raw("3", "entityUpdated", r#"{"id":"e","type":"T"}"#, 300), at(300)).await;
    assert_eq!(previous(&revision), None);
}

#[tokio::test]
async fn versions_grow_over_a_deletion_and_over_being_forgotten() {
    let t = TestStates::create().await;
    let (created, _) = t.known(&raw("1", "entityCreated", r#"{"a":1}"#, 100), at(100)).await;
    let (deleted, _) = t.known(&raw("2", "entityDeleted", "{}", 200), at(200)).await;
    let (again, states) = t.known(&raw("3", "entityCreated", r#"{"b":1}"#, 300), at(300)).await;
    assert_eq!((deleted.version, again.version), (created.version + 1, created.version + 2));
    assert_eq!(after(&states).unwrap(), r#"{"b":1}"#);
    let week = 8 * 24 * 60 * 60 * 1000;
    assert_eq!(t.data("e", at(week)).await, None, "it is forgotten after seven days");
    let (later, states) = t.known(&raw("4", "entityUpdated", r#"{"c":1}"#, week), at(week)).await;
    assert_eq!((later.version, later.is_partial), (again.version + 1, true));
    assert_eq!(after(&states).unwrap(), r#"{"c":1}"#);
}

/// The table removes expired items within days. Until then, a replay of the archive has to restore the entity all the same.
#[tokio::test]
async fn a_change_of_a_forgotten_entity_that_comes_again_counts() {
    let t = TestStates::create().await;
    let creation = raw("1", "entityCreated", r#"{"a":1}"#, 100);
    let (created, _) = t.known(&creation, at(100)).await;
    let week = 8 * 24 * 60 * 60 * 1000;
    let (again, states) = t.known(&creation, at(week)).await;
    assert_eq!((again.version, after(&states).unwrap()), (created.version + 1, r#"{"a":1}"#.to_owned()));
    assert_eq!(t.data("e", at(week)).await.unwrap(), r#"{"a":1}"#);
}

#[tokio::test]
async fn an_entity_has_a_state_of_its_own_in_each_service_path_and_tenant() {
    let t = TestStates::create().await;
    let of = |id: &str, tenant: &str, path: &str, value: u32| {
        let detail = json!({
            "type": "entityCreated", "tenant": tenant, "servicePath": path, "timestamp": stamp(100), "data": { "a": value },
        });
        event(id, &detail)
    };
    for (id, tenant, path, value) in [("1", "demo", "/", 1), ("2", "demo", "/x", 2), ("3", "other", "/", 3)] {
        let (_, states) = t.known(&of(id, tenant, path, value), at(100)).await;
        assert_eq!(after(&states).unwrap(), format!(r#"{{"a":{value}}}"#));
    }
    let mut of_id = t.table.states_of_id(&crate::support::tenant(), "e", at(100)).await.unwrap();
    of_id.sort_by(|one, other| one.service_path.cmp(&other.service_path));
    let found: Vec<_> =
        of_id.iter().map(|state| (&*state.service_path, state.data().unwrap().get().to_owned())).collect();
    assert_eq!(found, [("/", r#"{"a":1}"#.to_owned()), ("/x", r#"{"a":2}"#.to_owned())]);
}
