//! Refusals, of the whole notification or of an entity.

use entity_stream_ingest::{MOST_ENTITIES, NotificationFacts, RefusedEntity, read_notification};
use entity_stream_protocol::limits::CONTEXT_BYTES;
use serde_json::json;

use crate::{facts, read};

#[test]
fn a_body_that_is_no_notification_is_refused_by_name() {
    for (body, reason) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "no notification"),
        ("7", "no notification"),
        (r#"{"id":"Room1","type":"Room"}"#, "no notification"),
        (r#"{"data":[]}"#, "no notification"),
        (r#"{"subscriptionId":"1"}"#, "has no data"),
        (r#"{"type":"Notification"}"#, "has no data"),
        (r#"{"subscriptionId":"1","data":7}"#, "has no data"),
        (r#"{"subscriptionId":"1","data":[[23,70]]}"#, "values and unique"),
        (r#"{"subscriptionId":"1","originator":"x","contextResponses":[]}"#, "NGSIv1"),
        (r#"{"type":"Notification","data":{"type":"FeatureCollection","features":[]}}"#, "GeoJSON"),
        (r#"{"type":"FeatureCollection","features":[],"subscriptionId":"1"}"#, "GeoJSON"),
        (
            r#"{"type":"Notification","data":{"type":"Feature","id":"urn:1","properties":{"type":"Room"},"geometry":null}}"#,
            "GeoJSON",
        ),
        (
            r#"{"type":"Notification","data":[{"type":"Feature","id":"urn:1","geometry":{"type":"Point","coordinates":[1,2]},"properties":{}}]}"#,
            "\"format\":\"normalized\"",
        ),
        (r#"{"type":"Feature","id":"urn:1","properties":{"type":"Room"},"geometry":null}"#, "GeoJSON"),
        (r#"{"type":"ContextSourceNotification","data":[],"triggerReason":"updated"}"#, "context sources"),
    ] {
        let error = read(body).unwrap_err().to_string();
        assert!(error.contains(reason), "{body}: {error}");
    }
    let many = |count: usize| json!({ "subscriptionId": "1", "data": vec![json!({}); count] }).to_string();
    assert!(read(&many(MOST_ENTITIES)).is_ok());
    assert!(read(&many(MOST_ENTITIES + 1)).unwrap_err().to_string().contains("more than 1000 entities"));
    assert!(read("\u{feff}{\"subscriptionId\":\"1\",\"data\":[]}").unwrap().is_empty(), "an empty list is no fault");
}

#[test]
fn an_entity_of_the_type_feature_is_no_geojson() {
    for members in [
        r#""properties":{"type":"Property","value":{}},"geometry":{"type":"GeoProperty","value":{"type":"Point","coordinates":[1,2]}}"#,
        r#""geometry":{"type":"Point","coordinates":[1,2]}"#,
        r#""properties":{}"#,
    ] {
        let body = format!(r#"{{"type":"Notification","data":[{{"id":"urn:1","type":"Feature",{members}}}]}}"#);
        assert!(read(&body).unwrap()[0].is_ok(), "{members}");
    }
}

#[test]
fn an_entity_that_looks_like_geojson_does_not_refuse_the_others() {
    let feature = r#"{"id":"r","type":"Feature","geometry":null,"properties":3}"#;
    let collection = r#"{"id":"r","type":"FeatureCollection","features":{"type":"Number","value":1,"metadata":{}}}"#;
    for entity in [feature, collection] {
        for head in [r#""subscriptionId":"1""#, r#""type":"Notification""#] {
            let body = format!(r#"{{{head},"data":[{entity},{{"id":"s","type":"Room"}}]}}"#);
            assert!(read(&body).unwrap().iter().all(Result::is_ok), "{body}");
        }
    }
    // NGSIv2 has no GeoJSON.
    let feature = r#"{"id":"r","type":"Feature","geometry":null,"properties":{}}"#;
    let collection = r#"{"id":"r","type":"FeatureCollection","features":[1]}"#;
    for entity in [feature, collection] {
        let body = format!(r#"{{"subscriptionId":"1","data":[{entity}]}}"#);
        assert!(read(&body).unwrap()[0].is_ok(), "{body}");
        let facts = NotificationFacts { attrs_format: Some("simplifiedKeyValues".to_owned()), ..facts() };
        assert!(read_notification(entity, &facts).unwrap()[0].is_ok(), "{entity}");
        assert!(read(entity).unwrap_err().to_string().contains("GeoJSON"), "{entity}");
    }
}

#[test]
fn two_service_paths_without_entities_are_refused() {
    let facts = NotificationFacts { service_paths: vec!["/a".to_owned(), "/b".to_owned()], ..facts() };
    assert!(read_notification(r#"{"subscriptionId":"1","data":[]}"#, &facts).is_err());
}

#[test]
fn a_context_that_no_event_may_have_is_not_copied_to_each_entity() {
    let body = |bytes: usize| {
        let context = "x".repeat(bytes - 2);
        json!({ "type": "Notification", "@context": context, "data": [{ "id": "a", "type": "T" }] }).to_string()
    };
    assert!(read(&body(CONTEXT_BYTES)).is_ok());
    assert!(read(&body(CONTEXT_BYTES + 1)).unwrap_err().to_string().contains("@context has more than 8192 bytes"));
    let link = format!(r#"<https://c/{}>; rel="http://www.w3.org/ns/json-ld#context""#, "x".repeat(CONTEXT_BYTES));
    let facts = NotificationFacts { link: Some(link), ..facts() };
    let linked = read_notification(r#"{"type":"Notification","data":[]}"#, &facts).unwrap_err();
    assert!(linked.to_string().contains("@context"), "{linked}");
}

#[test]
fn an_entity_is_refused_by_its_name_and_the_others_are_read() {
    let body = r#"{"subscriptionId":"1","data":[{"id":"a","type":"T"},{"id":"b"},{"type":"T"},7,{"id":5,"type":"T"},
        {"id":"f","type":""},{"id":"g","type":[]},{"id":"h","type":"T"}]}"#;
    let changes = read(body).unwrap();
    assert!(changes[0].is_ok() && changes[7].is_ok());
    let refused: Vec<&RefusedEntity> = changes.iter().filter_map(|change| change.as_ref().err()).collect();
    let told: Vec<_> =
        refused.iter().map(|entity| (entity.index, entity.id.as_deref(), entity.fault.to_string())).collect();
    for ((index, id, reason), expected) in told.iter().zip([
        (1, Some("b"), "no type"),
        (2, None, "no id"),
        (3, None, "not a JSON object"),
        (4, None, "no id"),
        (5, Some("f"), "type is"),
        (6, Some("g"), "type is"),
    ]) {
        assert_eq!((*index, *id), (expected.0, expected.1));
        assert!(reason.contains(expected.2), "{reason}");
    }
    assert_eq!(told.len(), 6);
}

#[test]
fn no_error_repeats_a_value() {
    const SECRET: &str = "4111-1111";
    for body in [
        format!(r#"{{"subscriptionId":"1","data":"{SECRET}"}}"#),
        format!(r#"{{"type":"{SECRET}","data":[]}}"#),
        format!(r#"{{"subscriptionId":"1","data":[{{"id":"a","type":{{"x":"{SECRET}"}}}}]}}"#),
        format!(r#"{{"subscriptionId":"1","data":[{{"id":["{SECRET}"],"type":"T"}}]}}"#),
        format!(r#"{{"subscriptionId":"1","data":[{SECRET}]}}"#),
        format!(r#""{SECRET}"#),
    ] {
        let told = match read(&body) {
            Ok(changes) => format!("{:?}", changes[0].as_ref().unwrap_err()),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!told.contains("4111"), "{told}");
    }
}
