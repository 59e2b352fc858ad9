//! The connection in the table, and the answer to the client.

use entity_stream_protocol::{EntityType, EpochMillis, Filter, Format};
use entity_stream_testing::{Endpoint, Reply, sample};

use crate::support::{OPEN, Setting, handshake, set_query};

#[tokio::test]
async fn a_handshake_registers_what_the_query_asks_for() {
    let setting = Setting::new(&[OPEN]).await;
    let mut event = handshake(&[]);
    let query = [
        ("tenant", "Demo"),
        ("entityTypes", "Room,Sensor"),
        ("idPattern", "^urn:.*"),
        ("format", "cloudevents"),
        ("group_id", "workers"),
    ];
    set_query(&mut event, &query);
    let response = setting.invoke(event.clone()).await;
    assert_eq!(response["statusCode"], 200, "{response}");
    assert!(response["headers"]["sec-websocket-protocol"].is_null(), "the client offered no sub-protocol");
    let connection = setting.registered(&event).await.unwrap();
    assert_eq!(connection.tenant.as_str(), "demo");
    assert_eq!(connection.subscriptions, [Filter::new(["Room", "Sensor"], Some("^urn:.*")).unwrap().into()]);
    assert_eq!(connection.format, Format::CloudEvents);
    assert_eq!(connection.group.map(|group| group.as_str().to_owned()).as_deref(), Some("workers"));
    let connected_at = event["requestContext"]["connectedAt"].as_i64().unwrap();
    assert_eq!(connection.connected_at, EpochMillis::new(connected_at));

    let types = [EntityType::parse("Sensor").unwrap()];
    let mut found = Vec::new();
    for mut pages in setting.table.interests(&connection.tenant, &types, [], connection.connected_at) {
        while let Some(page) = pages.next().await.unwrap() {
            found.extend(page.interests.into_iter().map(|interest| interest.connection_id));
        }
    }
    assert!(found.contains(&connection.id), "an event of the type finds the connection");
}

#[tokio::test]
async fn the_answer_selects_the_sub_protocol_and_not_the_token() {
    let setting = Setting::new(&[OPEN]).await;
    let response = setting.invoke(sample("connect", "access-token-protocol")).await;
    assert_eq!(response["statusCode"], 200, "{response}");
    assert_eq!(response["headers"]["sec-websocket-protocol"], "access_token", "{response}");
    assert!(!response.to_string().contains("eyJ"), "{response}");
}

#[tokio::test]
async fn a_malformed_query_is_answered_with_its_fault_and_reads_no_table() {
    let dynamodb = Endpoint::script([Reply::status(500)]).await;
    let setting = Setting::behind(&dynamodb.url, &[OPEN]).await;
    for (query, fault) in [
        (&[][..], "tenant"),
        (&[("tenant", "a#b")], "tenant"),
        (&[("tenant", "demo"), ("format", "xml")], "format"),
        (&[("tenant", "demo"), ("idPattern", "(")], "idPattern"),
        (&[("tenant", "demo"), ("idPattern", "caf\u{fffd}")], "idPattern"),
    ] {
        let mut event = handshake(&[]);
        set_query(&mut event, query);
        let response = setting.invoke(event).await;
        assert_eq!(response["statusCode"], 400, "{query:?}: {response}");
        assert!(response["body"].as_str().unwrap().contains(fault), "{query:?}: {response}");
    }
    assert!(dynamodb.asked().is_empty());
}

#[tokio::test]
async fn a_filter_that_would_be_too_large_in_the_table_is_malformed() {
    let setting = Setting::new(&[OPEN]).await;
    let types = (0..49).map(|number| format!("Type{number}")).collect::<Vec<_>>().join(",");
    let mut event = handshake(&[]);
    set_query(&mut event, &[("tenant", "demo"), ("entityTypes", &types), ("idPattern", &"é".repeat(330))]);
    let response = setting.invoke(event.clone()).await;
    assert_eq!(response["statusCode"], 400, "{response}");
    assert!(response["body"].as_str().unwrap().contains("idPattern"), "{response}");
    assert_eq!(setting.registered(&event).await, None);
}

#[tokio::test]
async fn while_streaming_is_off_no_client_connects() {
    let dynamodb = Endpoint::script([Reply::status(500)]).await;
    for value in ["false", "", "yes"] {
        let setting = Setting::behind(&dynamodb.url, &[OPEN, &[("EVENT_STREAMING_ENABLED", value)]]).await;
        assert_eq!(setting.status(handshake(&[])).await, 503, "{value:?}");
    }
    assert!(dynamodb.asked().is_empty());
}

/// The connection item is written and its interests are not. The function removes the item again, because every event would
/// try to reach the connection.
#[tokio::test]
async fn a_connection_that_is_registered_in_part_is_removed_and_refused() {
    const REFUSED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"no"}"#;
    let dynamodb = Endpoint::new(|asked| match asked.headers["x-amz-target"].to_str().unwrap() {
        "DynamoDB_20120810.BatchWriteItem" => Reply::Status(400, &[], REFUSED.to_owned()),
        _ => Reply::json("{}"),
    })
    .await;
    let setting = Setting::behind(&dynamodb.url, &[OPEN]).await;
    let response = setting.invoke(handshake(&[])).await;
    assert_eq!(response["statusCode"], 500, "{response}");
    let asked = dynamodb.asked().into_iter();
    let calls: Vec<_> = asked.map(|asked| asked.headers["x-amz-target"].to_str().unwrap().to_owned()).collect();
    let expected = ["PutItem", "BatchWriteItem", "DeleteItem"].map(|name| format!("DynamoDB_20120810.{name}"));
    assert_eq!(calls, expected);
}
