//! The notifications of the specifications and of each broker's documentation.

use serde_json::{Value, json};

use super::{NGSI_LD, ORION, accepted, ld, v2};
use crate::harness::System;

/// The parts of an event that the notification decides.
fn told(event: &Value) -> Value {
    let mut event = event.clone();
    for name in ["id", "position", "version", "partial", "late"] {
        event.as_object_mut().unwrap().remove(name);
    }
    event
}

fn envelope(kind: &str, id: &str, entity_type: &str, data: &Value, timestamp: &str) -> Value {
    json!({
        "type": kind, "tenant": "city", "servicePath": "/", "entityId": id, "entityType": entity_type, "data": data,
        "timestamp": timestamp,
    })
}

#[tokio::test]
async fn orion_in_each_of_its_formats() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let modified = "2026-01-02T03:04:05.00Z";
    let time = json!({ "type": "DateTime", "value": modified, "metadata": {} });
    let attribute = json!({ "type": "Number", "value": 23.5, "metadata": {} });

    let created = json!({
        "id": "Room1", "type": "Room", "temperature": attribute, "dateModified": time,
        "alterationType": { "type": "Text", "value": "entityCreate", "metadata": {} },
    });
    accepted(&system, &ORION, v2(&[created])).await;
    let data = json!({ "temperature": attribute, "dateModified": time });
    assert_eq!(told(&client.json().await), envelope("entityCreated", "Room1", "Room", &data, modified));

    let metadata = json!({
        "actionType": { "type": "Text", "value": "update" }, "previousValue": { "type": "Number", "value": 23.5 },
    });
    let changed = json!({ "type": "Number", "value": 24, "metadata": metadata });
    let updated = json!({
        "id": "Room1", "type": "Room", "temperature": changed, "humidity": attribute, "dateModified": time,
        "alterationType": { "type": "Text", "value": "entityChange", "metadata": {} },
        "servicePath": { "type": "Text", "value": "/", "metadata": {} },
    });
    accepted(&system, &ORION, v2(&[updated])).await;
    let event = client.json().await;
    assert_eq!((&event["type"], &event["changedAttributes"]), (&json!("entityUpdated"), &json!(["temperature"])));
    assert_eq!(event["data"]["humidity"], attribute, "the whole entity is delivered");

    let bare = json!({ "id": "Room1", "type": "Room", "temperature": 25, "alterationType": "entityChange" });
    accepted(&system, &[&ORION[..], &[("ngsiv2-attrsformat", "keyValues")]].concat(), v2(&[bare])).await;
    assert_eq!(client.json().await["data"], json!({ "temperature": 25 }));

    for (format, value) in [("simplifiedNormalized", &attribute), ("simplifiedKeyValues", &json!(26))] {
        let headers = [&ORION[..], &[("ngsiv2-attrsformat", format)]].concat();
        accepted(&system, &headers, json!({ "id": "Room1", "type": "Room", "temperature": value }).to_string()).await;
        assert_eq!(client.json().await["data"]["temperature"], *value, "{format}");
    }

    let deleted = json!({
        "id": "Room1", "type": "Room", "temperature": attribute,
        "alterationType": { "type": "Text", "value": "entityDelete", "metadata": {} },
    });
    accepted(&system, &ORION, v2(&[deleted])).await;
    let event = client.json().await;
    assert_eq!((&event["type"], &event["entityId"]), (&json!("entityDeleted"), &json!("Room1")));
    assert!(event["timestamp"].as_str().unwrap().len() == modified.len() + 1, "the time of arrival: {event}");
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn an_iot_agent_behind_orion_gives_the_time_of_the_measurement() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let instant = json!({ "type": "DateTime", "value": "2026-01-02T03:04:05.123Z" });
    let speed = json!({ "type": "Number", "value": 55, "metadata": { "TimeInstant": instant } });
    accepted(&system, &ORION, v2(&[json!({ "id": "Car:1", "type": "Car", "speed": speed, "TimeInstant": instant })]))
        .await;
    assert_eq!(client.json().await["timestamp"], "2026-01-02T03:04:05.123Z");
}

#[tokio::test]
async fn ngsi_ld_in_each_of_its_representations() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let notified = "2026-01-02T03:04:05.25Z";
    for attributes in [
        json!({
            "brandName": { "type": "Property", "value": "Mercedes" },
            "isParked": {
                "type": "Relationship", "object": "urn:ngsi-ld:OffStreetParking:Downtown1",
                "observedAt": "2026-01-02T03:00:00Z", "providedBy": { "type": "Relationship", "object": "urn:ngsi-ld:Person:Bob" },
            },
            "street": { "type": "LanguageProperty", "languageMap": { "fr": "Grand Place", "nl": "Grote Markt" } },
            "location": { "type": "GeoProperty", "value": { "type": "Point", "coordinates": [-8.5, 41.2] } },
        }),
        json!({ "brandName": "Mercedes", "isParked": { "object": "urn:ngsi-ld:OffStreetParking:Downtown1" }, "speed": { "value": 5, "unitCode": "KMH" } }),
        json!({ "brandName": "Mercedes", "isParked": "urn:ngsi-ld:OffStreetParking:Downtown1", "speed": 5.0 }),
        json!({ "speed": [{ "type": "Property", "value": 55, "datasetId": "urn:ngsi-ld:Property:gps" }, { "type": "Property", "value": 54.5 }] }),
    ] {
        let mut entity = json!({ "id": "urn:ngsi-ld:Vehicle:A4567", "type": "Vehicle" });
        entity.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        accepted(&system, &NGSI_LD, ld(&[entity])).await;
        let expected = envelope("entityUpdated", "urn:ngsi-ld:Vehicle:A4567", "Vehicle", &attributes, notified);
        assert_eq!(told(&client.json().await), expected);
    }
}

#[tokio::test]
async fn orion_ld_with_system_attributes_and_changes() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let headers = [
        &NGSI_LD[..],
        &[("link", r#"<https://c.example.org/context.jsonld>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json""#)],
    ]
    .concat();
    let (first, later) = ("2026-01-02T03:04:05.123Z", "2026-01-02T03:05:05.456Z");
    let attribute = |value: Value, modified: &str, former: Option<Value>| {
        let mut attribute = json!({ "type": "Property", "value": value, "createdAt": first, "modifiedAt": modified });
        if let Some(former) = former {
            attribute["previousValue"] = former;
        }
        attribute
    };
    let entity = |modified: &str, speed: Value, brand: Value| {
        json!({
            "id": "urn:ngsi-ld:Vehicle:1", "type": "Vehicle", "createdAt": first, "modifiedAt": modified,
            "speed": speed, "brand": brand,
        })
    };
    let brand = attribute(json!("Mercedes"), first, None);
    accepted(&system, &headers, ld(&[entity(first, attribute(json!(80), first, None), brand.clone())])).await;
    let event = client.json().await;
    assert_eq!((&event["type"], &event["timestamp"]), (&json!("entityCreated"), &json!(first)));
    assert_eq!(event["@context"], "https://c.example.org/context.jsonld");

    let speed = attribute(json!(85), later, Some(json!(80)));
    accepted(&system, &headers, ld(&[entity(later, speed.clone(), brand)])).await;
    let event = client.json().await;
    assert_eq!((&event["type"], &event["timestamp"]), (&json!("entityUpdated"), &json!(later)));
    assert_eq!((&event["changedAttributes"], &event["data"]["speed"]), (&json!(["speed"]), &speed));

    let deletion = json!({ "id": "urn:ngsi-ld:Vehicle:1", "type": "Vehicle", "deletedAt": "2026-01-02T03:06:05.789Z" });
    accepted(&system, &headers, ld(&[deletion])).await;
    let event = client.json().await;
    assert_eq!((&event["type"], &event["timestamp"]), (&json!("entityDeleted"), &json!("2026-01-02T03:06:05.789Z")));
}

#[tokio::test]
async fn an_attribute_that_was_deleted_leaves_the_entity() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city&wholeEntity=true").await;
    let created =
        json!({ "id": "urn:1", "type": "Vehicle", "speed": { "type": "Property", "value": 80 }, "brand": "a" });
    accepted(&system, &NGSI_LD, ld(&[created]).replacen('{', r#"{"notificationTrigger":"entityCreated","#, 1)).await;
    assert_eq!(client.json().await["type"], "entityCreated");
    let removed = json!({
        "id": "urn:1", "type": "Vehicle", "brand": "a",
        "speed": { "type": "Property", "value": "urn:ngsi-ld:null", "previousValue": 80 },
    });
    accepted(&system, &NGSI_LD, ld(&[removed])).await;
    let event = client.json().await;
    assert_eq!((&event["data"], &event["changedAttributes"]), (&json!({ "brand": "a" }), &json!(["brand", "speed"])));
}

#[tokio::test]
async fn scorpio_sends_one_entity_without_its_array_and_no_default_tenant() {
    let system = super::access::open_system(&[("INGEST_DEFAULT_TENANT", "city")]).await;
    let mut client = system.connect("tenant=city").await;
    let entity = json!({ "id": "urn:ngsi-ld:Hub:1", "type": "Hub", "load": { "type": "Property", "value": 0.5 } });
    let body = ld(std::slice::from_ref(&entity)).replace(&format!("[{entity}]"), &entity.to_string());
    accepted(&system, &[("content-type", "application/json")], body).await;
    assert_eq!(client.json().await["entityId"], "urn:ngsi-ld:Hub:1");
}

#[tokio::test]
async fn stellio_names_its_tenant_by_a_uri_and_sends_json_ld() {
    let settings = &[("INGEST_TENANT_MAP", "urn:ngsi-ld:tenant:default=city")];
    let system = super::access::open_system(settings).await;
    let mut client = system.connect("tenant=city").await;
    let context = json!(["https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"]);
    let entity = json!({
        "id": "urn:ngsi-ld:BeeHive:01", "type": "BeeHive", "@context": context,
        "name": { "type": "LanguageProperty", "languageMap": { "ja": "蜂の巣" } },
    });
    let headers = [("content-type", "application/ld+json"), ("ngsild-tenant", "urn:ngsi-ld:tenant:default")];
    accepted(&system, &headers, ld(&[entity])).await;
    let event = client.json().await;
    assert_eq!((&event["@context"], &event["tenant"]), (&context, &json!("city")));
    assert_eq!(event["data"]["name"]["languageMap"]["ja"], "蜂の巣");
}

#[tokio::test]
async fn geonicdb_tells_the_trigger_in_both_of_its_protocols() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    for trigger in ["entityCreated", "entityUpdated", "entityDeleted"] {
        let entity = json!({ "id": "urn:ngsi-ld:Room:001", "type": "Room", "temperature": { "type": "Number", "value": 32.5, "metadata": {} } });
        let with_trigger = |body: String| {
            body.replacen('{', &format!(r#"{{"triggerReason":"{trigger}","notifiedAt":"2026-08-11T00:00:00.001Z","#), 1)
        };
        accepted(&system, &ORION, with_trigger(v2(std::slice::from_ref(&entity)))).await;
        let event = client.json().await;
        assert_eq!((&event["type"], &event["timestamp"]), (&json!(trigger), &json!("2026-08-11T00:00:00.001Z")));
        accepted(&system, &NGSI_LD, ld(&[entity]).replacen('{', &format!(r#"{{"triggerReason":"{trigger}","#), 1))
            .await;
        assert_eq!(client.json().await["type"], trigger);
    }
}
