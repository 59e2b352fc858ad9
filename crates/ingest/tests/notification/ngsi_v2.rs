use serde_json::{Value, json};

use crate::{RECEIVED, change, changes, changes_with, facts, read};

/// A notification with one entity of the type `Room` and these members.
fn room(members: &str) -> String {
    format!(r#"{{"subscriptionId":"57458eb60962ef754e7c0998","data":[{{"id":"Room1","type":"Room",{members}}}]}}"#)
}

#[test]
fn a_normalized_entity_becomes_an_update_with_all_its_attributes() {
    let body = r#"{"subscriptionId":"12345","data":[{"id":"Room1","type":"Room",
        "temperature":{"value":23,"type":"Number","metadata":{}},"humidity":{"value":70,"type":"percentage","metadata":{}}}]}"#;
    let expected = json!({
        "type": "entityUpdated", "tenant": "city", "servicePath": "/", "entityId": "Room1", "entityType": "Room",
        "data": {
            "temperature": { "value": 23, "type": "Number", "metadata": {} },
            "humidity": { "value": 70, "type": "percentage", "metadata": {} },
        },
        "timestamp": RECEIVED,
    });
    assert_eq!(change(body), expected);
}

#[test]
fn key_values_stay_as_they_are() {
    let body = r#"{"subscriptionId":"12345","data":[{"id":"Room1","type":"Room","temperature":23,"humidity":70}]}"#;
    assert_eq!(change(body)["data"], json!({ "temperature": 23, "humidity": 70 }));
}

#[test]
fn the_simplified_formats_are_the_entity_alone() {
    for (format, attribute) in
        [("simplifiedNormalized", r#"{"value":23,"type":"Number","metadata":{}}"#), ("simplifiedKeyValues", "23")]
    {
        let mut facts = facts();
        facts.attrs_format = Some(format.to_owned());
        let body = format!(r#"{{"id":"Room1","type":"Room","temperature":{attribute}}}"#);
        let changes = changes_with(&body, &facts);
        assert_eq!(changes[0]["entityId"], "Room1");
        assert_eq!(changes[0]["data"]["temperature"], serde_json::from_str::<Value>(attribute).unwrap());
        assert!(read(&body).is_err(), "only the header tells an entity from any other object");
    }
}

#[test]
fn the_alteration_type_tells_the_kind_of_change_in_both_forms() {
    for (alteration, kind, changed) in [
        ("entityCreate", "entityCreated", Value::Null),
        ("entityDelete", "entityDeleted", Value::Null),
        ("entityChange", "entityUpdated", Value::Null),
        ("entityUpdate", "entityUpdated", json!([])),
    ] {
        for form in [format!("{alteration:?}"), format!(r#"{{"type":"Text","value":{alteration:?},"metadata":{{}}}}"#)]
        {
            let change = change(&room(&format!(r#""a":1,"alterationType":{form}"#)));
            assert_eq!((&change["type"], &change["changedAttributes"]), (&json!(kind), &changed), "{form}");
            assert_eq!(change["data"], json!({ "a": 1 }), "the builtin is not an attribute");
        }
    }
    let own = change(&room(r#""alterationType":"of the roof""#));
    assert_eq!(own["data"]["alterationType"], "of the roof", "an attribute of the publisher's");
}

#[test]
fn metadata_tell_which_attributes_changed() {
    let attribute =
        |value: &str, metadata: &str| format!(r#"{{"type":"Number","value":{value},"metadata":{{{metadata}}}}}"#);
    let action = |action: &str| format!(r#""actionType":{{"type":"Text","value":"{action}"}}"#);
    let previous = |value: &str| format!(r#","previousValue":{{"type":"Number","value":{value}}}"#);
    let change = change(&room(&format!(
        r#""changed":{},"same":{},"added":{},"gone":{},"other":{}"#,
        attribute("2", &(action("update") + &previous("1"))),
        attribute("5", &(action("update") + &previous("5"))),
        attribute("3", &action("append")),
        attribute("4", &(action("delete") + &previous("4"))),
        attribute("9", ""),
    )));
    assert_eq!(change["changedAttributes"], json!(["changed", "added", "gone"]));
    let names: Vec<_> = change["data"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["added", "changed", "other", "same"], "what was deleted is gone");
}

#[test]
fn a_change_of_type_or_metadata_is_named() {
    let entity = |kind: &str, alteration: &str| {
        room(&format!(
            r#""a":{{"type":"{kind}","value":5,"metadata":{{"actionType":{{"type":"Text","value":"update"}},
                "previousValue":{{"type":"Number","value":5}},"unit":{{"type":"Text","value":"CEL"}}}}}},
                "b":{{"type":"Number","value":1,"metadata":{{}}}},"alterationType":"{alteration}""#
        ))
    };
    let names = |kind: &str, alteration: &str| change(&entity(kind, alteration))["changedAttributes"].clone();
    assert_eq!(names("Integer", "entityUpdate"), json!(["a"]), "its type");
    assert_eq!(names("Number", "entityChange"), json!(["a"]), "the metadata, because something has changed");
    assert_eq!(names("Number", "entityUpdate"), json!([]));
    let without = entity("Number", "x").replace(r#","alterationType":"x""#, "");
    assert_eq!(change(&without)["changedAttributes"], json!(["a"]), "Orion notifies only of changes by default");
}

#[test]
fn a_deletion_is_not_older_than_the_last_change() {
    let modified = |time: &str| format!(r#""dateModified":{{"type":"DateTime","value":"{time}"}}"#);
    let (older, newer) = ("2026-01-01T00:00:00.123Z", "2026-01-02T03:04:07.00Z");
    let orion = |time: &str| room(&format!(r#"{},"alterationType":"entityDelete""#, modified(time)));
    assert_eq!(change(&orion(older))["timestamp"], RECEIVED);
    assert_eq!(change(&orion(newer))["timestamp"], newer, "the broker's clock is ahead");
    let by_trigger = |time: &str| room(&modified(time)).replacen('{', r#"{"triggerReason":"entityDeleted","#, 1);
    assert_eq!(change(&by_trigger(older))["timestamp"], RECEIVED);
    let measured =
        room(r#""TimeInstant":"2026-01-01T00:00:00Z""#).replacen('{', r#"{"triggerReason":"entityDeleted","#, 1);
    assert_eq!(change(&measured)["timestamp"], RECEIVED);
    let notified = by_trigger(older).replacen('{', r#"{"notifiedAt":"2026-01-01T00:00:05Z","#, 1);
    assert_eq!(change(&notified)["timestamp"], "2026-01-01T00:00:05Z");
}

#[test]
fn the_time_is_the_brokers_with_its_fraction() {
    let time = |members: &str| change(&room(members))["timestamp"].clone();
    let modified = r#""dateModified":{"type":"DateTime","value":"2026-01-01T00:00:00.123Z","metadata":{}}"#;
    let measured = r#""TimeInstant":{"type":"DateTime","value":"2025-12-31T23:59:59.5Z"}"#;
    assert_eq!(time(&format!("{measured},{modified}")), "2026-01-01T00:00:00.123Z");
    assert_eq!(time(measured), "2025-12-31T23:59:59.5Z");
    assert_eq!(time(r#""TimeInstant":"2025-12-31T23:59:59.5Z""#), "2025-12-31T23:59:59.5Z", "keyValues");
    let attribute = |time: &str| {
        format!(r#"{{"type":"Number","value":1,"metadata":{{"TimeInstant":{{"type":"DateTime","value":"{time}"}}}}}}"#)
    };
    let both = format!(r#""a":{},"b":{}"#, attribute("2026-01-01T00:00:01.2Z"), attribute("2026-01-01T00:00:00.9Z"));
    assert_eq!(time(&both), "2026-01-01T00:00:01.2Z", "the newest");
    assert_eq!(time(r#""TimeInstant":"noon""#), RECEIVED);
    assert_eq!(time(&format!(r#"{modified},"alterationType":"entityDelete""#)), RECEIVED, "the entity lived longer");
    let notified = room(r#""a":1"#).replacen('{', r#"{"notifiedAt":"2026-01-01T00:00:00.25Z","#, 1);
    assert_eq!(change(&notified)["timestamp"], "2026-01-01T00:00:00.25Z", "GeonicDB tells it");
}

#[test]
fn geonicdb_tells_the_trigger_beside_the_entities() {
    let body = room(r#""a":1"#).replacen('{', r#"{"triggerReason":"entityDeleted","#, 1);
    assert_eq!(change(&body)["type"], "entityDeleted");
    let body =
        room(r#""a":1,"alterationType":"entityCreate""#).replacen('{', r#"{"triggerReason":"entityUpdated","#, 1);
    assert_eq!(change(&body)["type"], "entityCreated", "the entity knows better");
}

#[test]
fn service_paths_come_from_the_entity_or_from_the_header() {
    let two = r#"{"subscriptionId":"1","data":[{"id":"a","type":"T","x":1},{"id":"b","type":"T","servicePath":"/own","x":1}]}"#;
    let paths = |paths: &[&str]| {
        let mut facts = facts();
        facts.service_paths = paths.iter().map(|path| (*path).to_owned()).collect();
        changes_with(two, &facts)
            .iter()
            .map(|change| change["servicePath"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(&[]), ["/", "/own"]);
    assert_eq!(paths(&["/madrid"]), ["/madrid", "/own"]);
    assert_eq!(paths(&["/a", "/b"]), ["/a", "/own"]);
    let mut facts = facts();
    facts.service_paths = vec!["/a".to_owned(), "/b".to_owned(), "/c".to_owned()];
    let error = entity_stream_ingest::read_notification(two, &facts).unwrap_err().to_string();
    assert!(error.contains("3 paths for 2 entities"), "{error}");
}

#[test]
fn numbers_and_names_keep_their_bytes() {
    let attributes = r#""n":{"type":"Number","value":12345678901234567890123,"metadata":{}},"z":1.0,"\u00e9":-0.0"#;
    let changes = read(&room(attributes)).unwrap();
    assert_eq!(changes[0].as_ref().unwrap().data.get(), format!("{{{attributes}}}"));
}

#[test]
fn each_entity_has_its_own_change() {
    let entities: Vec<_> = (0..12).map(|i| json!({ "id": format!("Room{i}"), "type": "Room", "n": i })).collect();
    let changes = changes(&json!({ "subscriptionId": "1", "data": entities }).to_string());
    let ids: Vec<_> = changes.iter().map(|change| change["entityId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, (0..12).map(|i| format!("Room{i}")).collect::<Vec<_>>());
}
