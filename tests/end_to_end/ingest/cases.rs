//! Notifications that went wrong in relays, and the right results.

use std::collections::HashMap;
use std::time::Duration;

use entity_stream_clock::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{NGSI_LD, ORION, accepted, ld, name_and_detail, notify, problem, v2};
use crate::harness::System;

fn room(id: &str) -> Value {
    json!({ "id": id, "type": "Room", "temperature": { "type": "Number", "value": 23.5, "metadata": {} } })
}

#[tokio::test]
async fn an_ngsi_ld_notification_reaches_the_clients_and_is_no_dead_letter() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    accepted(&system, &NGSI_LD, ld(&[json!({ "id": "urn:1", "type": "Room", "a": 1 })])).await;
    assert_eq!(client.json().await["entityId"], "urn:1");
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
}

#[tokio::test]
async fn without_a_tenant_the_broker_is_told_or_the_default_counts() {
    let system = System::start().await;
    for headers in [&[][..], &[("fiware-service", "")]] {
        let answer = notify(&system, headers, v2(&[room("r")])).await;
        let (name, detail) = name_and_detail(&answer);
        assert_eq!((answer.status, name.as_str()), (400, "tenant"));
        assert!(detail.contains("INGEST_DEFAULT_TENANT") && detail.contains("Fiware-Service"), "{detail}");
    }
    for (headers, reason) in [
        (&[("ngsild-tenant", "urn:ngsi-ld:tenant:default")][..], "INGEST_TENANT_MAP"),
        (&[("ngsild-tenant", "a"), ("fiware-service", "b")], "different tenants"),
    ] {
        let answer = notify(&system, headers, v2(&[room("r")])).await;
        let (_, detail) = name_and_detail(&answer);
        assert!(answer.status == 400 && detail.contains(reason), "{detail}");
    }
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
    let system = super::access::open_system(&[("INGEST_DEFAULT_TENANT", "city")]).await;
    let mut client = system.connect("tenant=city").await;
    accepted(&system, &[], v2(&[room("r")])).await;
    assert_eq!(client.event_id().await, "r");
}

#[tokio::test]
async fn an_entity_without_a_type_is_named_and_the_others_are_delivered() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let entities =
        [json!({ "id": "a", "type": "Room", "alterationType": "entityCreate", "x": 1 }), json!({ "id": "b", "x": 1 })];
    let answer = notify(&system, &ORION, v2(&entities)).await;
    let problem = problem(&answer);
    assert_eq!((answer.status, &problem["published"]), (400, &json!(1)));
    assert_eq!((&problem["refused"][0]["index"], &problem["refused"][0]["id"]), (&json!(1), &json!("b")));
    assert!(problem["refused"][0]["reason"].as_str().unwrap().contains("has no type"), "{problem}");
    let event = client.json().await;
    assert_eq!((&event["type"], &event["data"]), (&json!("entityCreated"), &json!({ "x": 1 })));
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn a_chunked_body_is_read() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let body = v2(&[room("chunked")]);
    let (one, two) = body.split_at(40);
    let head = "POST /notify HTTP/1.1\r\nHost: localhost\r\nFiware-Service: city\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let request = format!("{head}{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let mut stream = TcpStream::connect(system.local.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(client.event_id().await, "chunked");
}

#[tokio::test]
async fn twelve_large_entities_are_split_and_all_delivered() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let large = |i: usize| json!({ "id": format!("r{i}"), "type": "Room", "blob": "x".repeat(110 * 1024) });
    accepted(&system, &ORION, v2(&(0..12).map(large).collect::<Vec<_>>())).await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(client.event_id().await);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 12);
}

#[tokio::test]
async fn an_entity_that_no_bus_takes_is_refused_by_name() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let large = json!({ "id": "large", "type": "Room", "blob": "x".repeat(1024 * 1024) });
    let answer = notify(&system, &ORION, v2(&[large.clone(), room("small")])).await;
    let problem = problem(&answer);
    assert_eq!((answer.status, &problem["refused"][0]["id"]), (413, &json!("large")));
    assert!(problem["refused"][0]["reason"].as_str().unwrap().contains("less than 1 MB"), "{problem}");
    assert_eq!(client.event_id().await, "small");
    let body = v2(&(0..7).map(|_| large.clone()).collect::<Vec<_>>());
    let answer = notify(&system, &ORION, body).await;
    assert_eq!((answer.status, name_and_detail(&answer).0.as_str()), (413, "too-large"));
}

#[tokio::test]
async fn a_deletion_is_a_deletion() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let deleted = json!({ "id": "urn:1", "type": "Room", "deletedAt": "2026-01-02T03:04:05.5Z" });
    accepted(&system, &NGSI_LD, ld(&[deleted])).await;
    let event = client.json().await;
    assert_eq!((&event["type"], &event["timestamp"]), (&json!("entityDeleted"), &json!("2026-01-02T03:04:05.5Z")));
}

#[tokio::test]
async fn a_deletion_is_not_late_if_the_brokers_clock_is_ahead() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let ahead = Clock::system().now().plus(Duration::from_secs(60)).to_rfc3339_millis();
    for alteration in ["entityCreate", "entityChange"] {
        let entity = json!({ "id": "r", "type": "Room", "x": 1, "dateModified": ahead, "alterationType": alteration });
        accepted(&system, &ORION, v2(&[entity])).await;
        assert_eq!(client.json().await["timestamp"], json!(ahead));
    }
    let deleted = json!({ "id": "r", "type": "Room", "x": 1, "dateModified": ahead, "alterationType": "entityDelete" });
    accepted(&system, &ORION, v2(&[deleted])).await;
    let event = client.json().await;
    assert_eq!((&event["type"], &event["late"]), (&json!("entityDeleted"), &Value::Null), "{event}");
}

#[tokio::test]
async fn forty_quick_updates_have_forty_times_and_the_last_one_stays() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city&wholeEntity=true").await;
    // The second half comes before the first, as retries and parallel senders do it.
    for i in (20..40).chain(0..20) {
        let time = format!("2026-01-02T03:04:05.{i:03}Z");
        let entity = json!({ "id": "r", "type": "Room", "n": i, "dateModified": time });
        accepted(&system, &ORION, v2(&[entity])).await;
    }
    let mut events = Vec::new();
    for _ in 0..40 {
        events.push(client.json().await);
    }
    let mut times: Vec<_> = events.iter().map(|event| event["timestamp"].as_str().unwrap().to_owned()).collect();
    times.sort();
    times.dedup();
    assert_eq!(times.len(), 40);
    let newest = events.iter().max_by_key(|event| event["version"].as_u64()).unwrap();
    assert_eq!(newest["data"]["n"], 39, "the version orders: {newest}");
}

#[tokio::test]
async fn of_an_entity_that_occurs_twice_in_a_notification_the_last_value_stays() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city&wholeEntity=true").await;
    // The repeat would be in another request, which is sent at the same time.
    let others = (0..30).map(|i| json!({ "id": format!("r{i}"), "type": "Other", "n": 0 }));
    let own = |n: u8| std::iter::once(json!({ "id": "r", "type": "Room", "n": n }));
    let entities: Vec<Value> = own(1).chain(others).chain(own(2)).collect();
    accepted(&system, &ORION, v2(&entities)).await;
    let mut events = Vec::new();
    for _ in 0..entities.len() {
        events.push(client.json().await);
    }
    let own = events.iter().filter(|event| event["entityId"] == "r");
    let newest = own.max_by_key(|event| event["version"].as_u64()).unwrap();
    assert_eq!(newest["data"]["n"], 2, "{newest}");
}

#[tokio::test]
async fn of_entities_that_occur_twice_with_attributes_of_the_same_time_the_last_values_stay() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city&wholeEntity=true").await;
    let time = "2026-01-02T03:04:05.678Z";
    let room = move |n: u8, i: usize| {
        let attribute = json!({ "type": "Property", "value": n, "modifiedAt": time });
        json!({ "id": format!("urn:{i}"), "type": "Room", "modifiedAt": time, "n": attribute })
    };
    let entities: Vec<Value> = (1..=2).flat_map(|n| (0..40).map(move |i| room(n, i))).collect();
    accepted(&system, &NGSI_LD, ld(&entities)).await;
    let mut newest = HashMap::new();
    for _ in 0..entities.len() {
        let event = client.json().await;
        let id = event["entityId"].as_str().unwrap().to_owned();
        let (version, value) = (event["version"].as_u64(), event["data"]["n"]["value"].clone());
        let known = newest.entry(id).or_insert((version, value.clone()));
        if version >= known.0 {
            *known = (version, value);
        }
    }
    let others: Vec<_> = newest.iter().filter(|(_, (_, value))| *value != json!(2)).collect();
    assert!(newest.len() == 40 && others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn digits_pass_from_the_broker_to_the_client() {
    let system = System::start().await;
    let mut client = system.connect("tenant=city").await;
    let body = r#"{"subscriptionId":"1","data":[{"id":"r","type":"T","n":12345678901234567890,"f":1.0,"g":-0.0}]}"#;
    accepted(&system, &ORION, body).await;
    let text = client.text().await;
    assert!(text.contains(r#""data":{"n":12345678901234567890,"f":1.0,"g":-0.0}"#), "{text}");
}

#[tokio::test]
async fn what_is_no_notification_is_refused_with_a_problem() {
    let system = System::start().await;
    let url = format!("{}/notify", system.local.http_url());
    for (body, reason) in [
        ("", "not JSON"),
        (r#"{"id":"r","type":"Room"}"#, "no notification"),
        (r#"{"subscriptionId":"1","data":[[1,2]]}"#, "values and unique"),
        (r#"{"type":"Notification","data":{"type":"FeatureCollection","features":[]}}"#, "GeoJSON"),
    ] {
        let answer = notify(&system, &ORION, body).await;
        let (name, detail) = name_and_detail(&answer);
        assert_eq!((answer.status, name.as_str()), (400, "notification"));
        assert!(detail.contains(reason), "{detail}");
    }
    let answer = crate::harness::request("POST", &url, &ORION, vec![0xff, 0xfe]).await;
    assert_eq!((answer.status, name_and_detail(&answer).0.as_str()), (400, "body"));
    for path in ["madrid", "/#", "/madrid/#", "/a,/b#"] {
        let headers = [("fiware-service", "city"), ("fiware-servicepath", path)];
        let answer = notify(&system, &headers, v2(&[room("r")])).await;
        assert_eq!((answer.status, name_and_detail(&answer).0.as_str()), (400, "service-path"), "{path}");
    }
    let paths = [("fiware-service", "city"), ("fiware-servicepath", "/a,/b")];
    let answer = notify(&system, &paths, v2(&[])).await;
    assert_eq!((answer.status, name_and_detail(&answer).0.as_str()), (400, "notification"));
    let geo_json = [("content-type", "application/geo+json"), ("ngsild-tenant", "city")];
    let answer = notify(&system, &geo_json, ld(&[json!({ "id": "urn:1", "type": "Room" })])).await;
    assert!(name_and_detail(&answer).1.contains("\"format\":\"normalized\""), "{answer:?}");
    let gzip = [&ORION[..], &[("content-encoding", "gzip")]].concat();
    let answer = crate::harness::request("POST", &url, &gzip, vec![0x1f, 0x8b, 8, 0]).await;
    let (name, detail) = name_and_detail(&answer);
    assert_eq!((answer.status, name.as_str()), (415, "content-encoding"));
    assert!(detail.contains("gzip"), "{detail}");
    let answer = crate::harness::request("GET", &url, &ORION, "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
}
