//! The attribute types of NGSI-LD 1.8 that are no property, relationship or map of languages, in each representation.
//! Source: ETSI GS CIM 009, clauses 4.5.20 to 4.5.24.

use serde_json::{Value, json};

use super::{NGSI_LD, accepted, ld};
use crate::harness::{Client, System};

/// The normalized attributes, and their bare values.
fn normalized() -> (Value, Value) {
    let list = json!([{ "object": "urn:ngsi-ld:Stop:1" }, { "object": "urn:ngsi-ld:Stop:2" }]);
    let attributes = json!({
        "category": { "type": "VocabProperty", "vocab": ["non-commercial", "bus"] },
        "raw": { "type": "JsonProperty", "json": { "id": 7, "type": "x", "value": [null, 1.5] } },
        "gears": { "type": "ListProperty", "valueList": [3, 1, [2, "R"]] },
        "route": { "type": "ListRelationship", "objectList": list },
    });
    let bare = json!({
        "category": ["non-commercial", "bus"], "raw": { "id": 7, "type": "x", "value": [null, 1.5] },
        "gears": [3, 1, [2, "R"]], "route": list,
    });
    (attributes, bare)
}

/// The attributes without their types: the concise form with more members, and the simplified one without.
fn without_types(attributes: &Value, more: &Value) -> Value {
    let mut attributes = attributes.clone();
    for attribute in attributes.as_object_mut().unwrap().values_mut() {
        let members = attribute.as_object_mut().unwrap();
        members.remove("type");
        members.extend(more.as_object().unwrap().clone());
    }
    attributes
}

fn vehicle(attributes: &Value) -> String {
    let mut entity = json!({ "id": "urn:ngsi-ld:Vehicle:1", "type": "Vehicle" });
    entity.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    ld(&[entity])
}

async fn key_values(system: &System) -> Client {
    let mut client = system.connect("tenant=city").await;
    client.send(r#"{"action":"subscribe","representation":"keyValues","requestId":"1"}"#).await;
    assert_eq!(client.json().await["type"], "subscribed");
    client
}

#[tokio::test]
async fn each_representation_is_delivered_as_it_is_and_has_the_same_bare_values() {
    let system = System::start().await;
    let (mut as_published, mut bare) = (system.connect("tenant=city").await, key_values(&system).await);
    let (normalized, expected) = normalized();
    let concise = without_types(&normalized, &json!({ "observedAt": "2026-01-02T03:04:05Z" }));
    let simplified = without_types(&normalized, &json!({}));
    for (name, attributes) in [("normalized", &normalized), ("concise", &concise), ("simplified", &simplified)] {
        accepted(&system, &NGSI_LD, vehicle(attributes)).await;
        let event = as_published.json().await;
        assert_eq!((&event["type"], &event["data"]), (&json!("entityUpdated"), attributes), "{name}");
        assert_eq!(event["changedAttributes"], Value::Null, "{name}: {event}");
        assert_eq!(bare.json().await["data"], expected, "{name}");
    }
}

#[tokio::test]
async fn a_deleted_one_leaves_the_entity_and_a_former_value_names_it() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city&wholeEntity=true").await;
    let (normalized, _) = normalized();
    for (name, member, former) in [
        ("category", "vocab", "previousVocab"),
        ("raw", "json", "previousJson"),
        ("gears", "valueList", "previousValueList"),
        ("route", "objectList", "previousObjectList"),
    ] {
        for attributes in [&normalized, &without_types(&normalized, &json!({}))] {
            let created = vehicle(attributes).replacen('{', r#"{"notificationTrigger":"entityCreated","#, 1);
            accepted(&system, &NGSI_LD, created).await;
            assert_eq!(client.json().await["data"], *attributes);

            let mut changed = json!({ name: attributes[name] });
            changed[name][former] = attributes[name][member].clone();
            accepted(&system, &NGSI_LD, vehicle(&changed)).await;
            assert_eq!(client.json().await["changedAttributes"], json!([name]), "{name}");

            let mut deleted = json!({ name: attributes[name] });
            deleted[name][member] = json!("urn:ngsi-ld:null");
            accepted(&system, &NGSI_LD, vehicle(&json!({ name: deleted[name], "speed": 1 }))).await;
            let event = client.json().await;
            assert_eq!((&event["data"][name], &event["data"]["speed"]), (&Value::Null, &json!(1)), "{event}");
            assert_eq!(event["changedAttributes"], json!(["speed", name]));
        }
    }
}
