//! The way of a change from its publisher to a client.

use serde_json::json;

use crate::harness::{System, change, room};

#[tokio::test]
async fn a_change_reaches_every_client_of_its_tenant() {
    let system = System::start().await;
    let (mut one, mut two) = (system.connect("tenant=demo").await, system.connect("tenant=demo").await);
    let id = system.publish(&room("demo", "urn:ngsi-ld:Room:001")).await;
    let mut expected = room("demo", "urn:ngsi-ld:Room:001");
    expected["id"] = json!(id);
    expected["servicePath"] = json!("/");
    for client in [&mut one, &mut two] {
        let mut event = client.json().await;
        for added in ["position", "version"] {
            assert!(event.as_object_mut().unwrap().remove(added).is_some(), "{added}: {event}");
        }
        assert_eq!(event, expected);
    }
}

#[tokio::test]
async fn created_and_deleted_arrive_too() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    for change_type in ["entityCreated", "entityDeleted"] {
        let mut detail = room("demo", "r");
        detail["type"] = json!(change_type);
        detail["servicePath"] = json!("/floor1");
        system.publish(&detail).await;
        let event = client.json().await;
        assert_eq!((&event["type"], &event["servicePath"]), (&json!(change_type), &json!("/floor1")));
        assert_eq!(event.get("changedAttributes"), None, "present on updates only");
    }
}

#[tokio::test]
async fn data_arrives_byte_for_byte() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let data = r#"{"z":1.0,"a":12345678901234567890,"e":1E400, "nested":{"b":[1.10,"\u00e9"],"a":null}}"#;
    let detail = format!(r#"{{"type":"entityUpdated","tenant":"demo","entityId":"i","entityType":"T","data":{data}}}"#);
    system.publish_text(&detail).await;
    let text = client.text().await;
    assert!(text.contains(&format!(r#""data":{data},"#)), "{text}");
}

#[tokio::test]
async fn what_is_optional_gets_its_default() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    system.publish(&json!({ "type": "entityUpdated", "tenant": "Demo", "entityId": "i", "entityType": "T" })).await;
    let event = client.json().await;
    assert_eq!((&event["tenant"], &event["servicePath"], &event["data"]), (&json!("demo"), &json!("/"), &json!({})));
    let timestamp = event["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.len() == 20, "the envelope's time: {timestamp}");
}

#[tokio::test]
async fn a_filter_matches_by_types_and_pattern() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    client.subscribe(&json!({ "entityTypes": ["Room", "Sensor"], "idPattern": "^urn:.*[13]$" })).await;
    for (entity_type, id) in
        [("Vehicle", "urn:1"), ("Room", "urn:2"), ("Room", "x:1"), ("Sensor", "urn:3"), ("Room", "urn:1")]
    {
        system.publish(&change("demo", entity_type, id)).await;
    }
    let mut ids = [client.event_id().await, client.event_id().await];
    ids.sort();
    assert_eq!(ids, ["urn:1", "urn:3"]);
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn the_filter_in_the_url_holds_from_the_first_moment() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&entityTypes=Room,Sensor&idPattern=%5Ea").await;
    for (entity_type, id) in [("Vehicle", "a1"), ("Room", "b1"), ("Sensor", "a2")] {
        system.publish(&change("demo", entity_type, id)).await;
    }
    assert_eq!(client.event_id().await, "a2");
}

#[tokio::test]
async fn an_entity_of_several_types_arrives_once() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&entityTypes=Room,Office,Hall").await;
    let mut detail = room("demo", "several");
    detail["entityType"] = json!(["Office", "Room", "Hall"]);
    system.publish(&detail).await;
    assert_eq!(client.json().await["entityType"], json!(["Office", "Room", "Hall"]));
    system.publish(&room("demo", "next")).await;
    assert_eq!(client.event_id().await, "next", "the first event does not arrive again");
}

#[tokio::test]
async fn type_names_may_look_like_keys() {
    let system = System::start().await;
    let names = ["*", "a#b", "%2A", "https://uri.example.org/types#Room"];
    for name in names {
        let mut client = system.connect("tenant=demo").await;
        client.subscribe(&json!({ "entityTypes": [name] })).await;
        for other in names.iter().filter(|other| **other != name) {
            system.publish(&change("demo", other, "other")).await;
        }
        system.publish(&change("demo", name, name)).await;
        assert_eq!(client.event_id().await, name);
        system.local.settled().await;
        client.close().await;
    }
}

#[tokio::test]
async fn an_event_over_128_kb_arrives_truncated() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let data = format!(r#"{{"blob":"{}"}}"#, "é".repeat(80_000));
    let detail = format!(
        r#"{{"type":"entityUpdated","tenant":"demo","entityId":"big","entityType":"T","data":{data},"changedAttributes":["blob"]}}"#
    );
    system.publish_text(&detail).await;
    let event = client.json().await;
    assert_eq!((&event["truncated"], &event["dataBytes"]), (&json!(true), &json!(data.len())), "{event}");
    assert_eq!((&event["data"], &event["entityId"]), (&json!({}), &json!("big")));
    assert_eq!(event["changedAttributes"], json!(["blob"]));
}

#[tokio::test]
async fn an_event_over_32_kb_arrives_whole() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut detail = room("demo", "large");
    detail["data"] = json!({ "blob": "é".repeat(50_000) });
    system.publish(&detail).await;
    assert_eq!(client.json().await["data"], detail["data"]);
}

#[tokio::test]
async fn cloud_events_wrap_the_event() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&format=cloudevents").await;
    let id = system.publish(&room("demo", "urn:1")).await;
    let event = client.json().await;
    let expected = [
        ("specversion", "1.0"),
        ("id", &id),
        ("source", "/tenants/demo"),
        ("type", "entityUpdated"),
        ("subject", "urn:1"),
        ("time", "2026-01-02T03:04:05Z"),
        ("datacontenttype", "application/json"),
    ];
    for (name, value) in expected {
        assert_eq!(event[name], json!(value), "{name}");
    }
    assert_eq!(event["data"]["entityId"], json!("urn:1"));
}

#[tokio::test]
async fn a_group_shares_the_stream() {
    let system = System::start().await;
    let mut members = [system.connect("tenant=demo&group_id=g").await, system.connect("tenant=demo&group_id=g").await];
    let mut alone = system.connect("tenant=demo").await;
    let published: Vec<String> = (0..20).map(|n| format!("urn:{n}")).collect();
    for id in &published {
        system.publish(&room("demo", id)).await;
        assert_eq!(&alone.event_id().await, id, "a client without a group gets every event");
    }
    system.local.settled().await;
    let mut received = Vec::new();
    for member in &mut members {
        member.send(r#"{"action":"ping"}"#).await;
        loop {
            let frame = member.json().await;
            if frame["type"] == "pong" {
                break;
            }
            received.push(frame["entityId"].as_str().unwrap().to_owned());
        }
    }
    received.sort();
    let mut expected = published;
    expected.sort();
    assert_eq!(received, expected, "each event went to exactly one member");
}
