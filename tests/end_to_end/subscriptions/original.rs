//! A client of the original contract, which sends no field of subscriptions, receives the original frames byte for byte, with
//! a position and a session added, which it ignores. The server may repeat an event while the client replaces its filter.

use crate::harness::{Client, System};

/// Sends a message and returns the answer.
async fn say(client: &mut Client, message: &str) -> String {
    client.send(message).await;
    loop {
        let frame = client.text().await;
        if !frame.contains(r#""replayed":true"#) {
            return original(&frame);
        }
    }
}

/// A frame without position and session, if it has any.
fn original(frame: &str) -> String {
    let mut frame = frame.to_owned();
    for field in [r#","position":""#, r#","session":""#] {
        while let Some(start) = frame.find(field) {
            let value = start + field.len();
            let length = frame[value..].find('"').unwrap();
            frame.replace_range(start..=value + length, "");
        }
    }
    const VERSION: &str = r#","version":"#;
    while let Some(start) = frame.find(VERSION) {
        let value = start + VERSION.len();
        let length = frame[value..].find(|c: char| !c.is_ascii_digit()).unwrap();
        frame.replace_range(start..value + length, "");
    }
    frame
}

#[tokio::test]
async fn answers_are_the_original_ones() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    for (message, answer) in [
        (r#"{"action":"ping"}"#, r#"{"type":"pong"}"#),
        (r#"{"action":"ping","requestId":"p"}"#, r#"{"type":"pong","requestId":"p"}"#),
        (r#"{"action":"subscribe","requestId":"1"}"#, r#"{"type":"subscribed","requestId":"1"}"#),
        (
            r#"{"action":"subscribe","entityTypes":[],"idPattern":"","requestId":"2"}"#,
            r#"{"type":"subscribed","requestId":"2"}"#,
        ),
        (
            r#"{"action":"subscribe","entityTypes":["Room","Car","Room"],"idPattern":"^urn:","requestId":"3"}"#,
            r#"{"type":"subscribed","entityTypes":["Room","Car"],"idPattern":"^urn:","requestId":"3"}"#,
        ),
        (
            r#"{"action":"subscribe","idPattern":"^urn:1$","requestId":"4"}"#,
            r#"{"type":"subscribed","idPattern":"^urn:1$","requestId":"4"}"#,
        ),
        (r#"{"action":"unsubscribe","requestId":"5"}"#, r#"{"type":"unsubscribed","requestId":"5"}"#),
        (r#"{"action":"unsubscribe","requestId":"6"}"#, r#"{"type":"unsubscribed","requestId":"6"}"#),
    ] {
        assert_eq!(say(&mut client, message).await, answer, "{message}");
    }
    let (subscribe, unsubscribe) = (r#"{"action":"subscribe","entityTypes":["Room"]}"#, r#"{"action":"unsubscribe"}"#);
    for message in [subscribe, unsubscribe, subscribe] {
        client.send(message).await;
    }
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn errors_have_the_original_fields() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    for (message, start, end) in [
        ("{", r#"{"type":"error","code":"invalid_json","message":""#, r#""}"#),
        (
            r#"{"action":"fly","requestId":"1"}"#,
            r#"{"type":"error","code":"unknown_action","message":""#,
            r#"","action":"fly","requestId":"1"}"#,
        ),
        (
            r#"{"action":"subscribe","idPattern":"("}"#,
            r#"{"type":"error","code":"invalid_id_pattern","message":""#,
            r#"","action":"subscribe"}"#,
        ),
        (
            r#"{"action":"subscribe","entityTypes":"Room","requestId":"2"}"#,
            r#"{"type":"error","code":"invalid_entity_types","message":""#,
            r#"","action":"subscribe","requestId":"2"}"#,
        ),
    ] {
        let answer = say(&mut client, message).await;
        assert!(answer.starts_with(start) && answer.ends_with(end), "{message}: {answer}");
    }
}

#[tokio::test]
async fn events_are_the_original_ones() {
    let system = System::start().await;
    let mut client = system.connect("tenant=Demo").await;
    let mut cloud = system.connect("tenant=demo&format=cloudevents&entityTypes=Room").await;
    // A connection of the same tenant with views and names changes nothing.
    let mut other = system.connect("tenant=demo&subscribe=none").await;
    let view = r#"{"action":"subscribe","subscription":"x","representation":"keyValues","requestId":"x"}"#;
    assert!(say(&mut other, view).await.starts_with(r#"{"type":"subscribed""#));
    for filter in ["", r#","entityTypes":["Room"]"#, r#","idPattern":"^urn:1$""#] {
        let subscribe = format!(r#"{{"action":"subscribe"{filter},"requestId":"1"}}"#);
        assert_eq!(say(&mut client, &subscribe).await, format!(r#"{{"type":"subscribed"{filter},"requestId":"1"}}"#));
        let detail = r#"{"type":"entityUpdated","tenant":"DEMO","entityId":"urn:1","entityType":"Room","data":{"z":1.0,"a":{"type":"Property","value":12345678901234567890,"observedAt":"x"}},"changedAttributes":["z"],"timestamp":"2024-01-01T00:00:00Z"}"#;
        let id = system.publish_text(detail).await;
        let event = format!(
            r#"{{"type":"entityUpdated","id":"{id}","tenant":"demo","servicePath":"/","entityId":"urn:1","entityType":"Room","data":{{"z":1.0,"a":{{"type":"Property","value":12345678901234567890,"observedAt":"x"}}}},"changedAttributes":["z"],"timestamp":"2024-01-01T00:00:00Z"}}"#
        );
        assert_eq!(original(&client.text().await), event, "{filter}");
        let wrapped = format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/tenants/demo","type":"entityUpdated","subject":"urn:1","time":"2024-01-01T00:00:00Z","datacontenttype":"application/json","data":{event}}}"#
        );
        assert_eq!(original(&cloud.text().await), wrapped, "{filter}");
        let named = other.text().await;
        assert!(named.contains(r#""subscriptions":["x"]"#), "{named}");
    }
}
