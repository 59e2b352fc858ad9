//! Messages of clients, and their answers.

use entity_stream_local::Config;
use entity_stream_protocol::ErrorCode;
use serde_json::{Value, json};

use crate::harness::{System, change, config, room};

fn largest_filter(prefix: &str) -> Value {
    json!({ "entityTypes": (0..49).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>() })
}

#[tokio::test]
async fn requests_with_an_id_are_answered_with_it() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let subscribe = json!({ "action": "subscribe", "entityTypes": ["Room"], "idPattern": "^a", "requestId": "7" });
    let subscribed = json!({ "type": "subscribed", "entityTypes": ["Room"], "idPattern": "^a", "requestId": "7" });
    let mut answer = client.ask(&subscribe).await;
    for place in ["position", "session"] {
        assert!(answer.as_object_mut().unwrap().remove(place).is_some(), "{answer}");
    }
    assert_eq!(answer, subscribed);
    let unsubscribe = json!({ "action": "unsubscribe", "requestId": "8" });
    assert_eq!(client.ask(&unsubscribe).await, json!({ "type": "unsubscribed", "requestId": "8" }));
    let ping = json!({ "action": "ping", "requestId": "9" });
    assert_eq!(client.ask(&ping).await, json!({ "type": "pong", "requestId": "9" }));
}

#[tokio::test]
async fn the_id_of_a_ping_has_its_limit_too() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let longest = "é".repeat(128);
    let ping = |id: &Value| json!({ "action": "ping", "requestId": id });
    assert_eq!(client.ask(&ping(&json!(longest))).await, json!({ "type": "pong", "requestId": longest }));
    assert_eq!(
        client.ask(&ping(&json!(""))).await,
        json!({ "type": "pong" }),
        "an empty id counts as none, as for the deployed mock"
    );
    for id in [json!(format!("{longest}é")), json!(7)] {
        assert_eq!(client.ask(&ping(&id)).await["code"], json!(ErrorCode::InvalidMessage), "{id}");
    }
}

#[tokio::test]
async fn lenient_routing_reads_the_action_of_malformed_json() {
    let body = r#"{action: "ping", requestId: '7'}"#;
    let strict = System::start().await;
    let mut client = strict.connect("tenant=demo").await;
    client.send(body).await;
    assert_eq!(client.json().await["code"], json!(ErrorCode::InvalidJson));

    let lenient = System::start_with(Config { lenient_routing: true, ..config() }).await;
    let mut client = lenient.connect("tenant=demo").await;
    client.send(body).await;
    assert_eq!(client.text().await, r#"{"type":"pong","requestId":"7"}"#);
    client.send("{action: \"subscribe\", requestId: '8'}").await;
    assert_eq!(client.json().await["code"], json!(ErrorCode::InvalidJson), "the function reads strictly");
}

#[tokio::test]
async fn fields_outside_the_contract_are_ignored() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for value in ["1e999", deep.as_str(), r#""\ud800""#] {
        client.send(format!(r#"{{"x":{value},"action":"subscribe","requestId":"1"}}"#)).await;
        assert_eq!(client.json().await["type"], json!("subscribed"), "{value}");
    }
}

#[tokio::test]
async fn clients_of_the_original_contract_get_only_events_and_pong() {
    let system = System::start_with(Config { serial_messages: true, ..config() }).await;
    let mut client = system.connect("tenant=demo").await;
    client.send(r#"{"action":"subscribe","entityTypes":["Room"]}"#).await;
    client.send(r#"{"action":"ping"}"#).await;
    assert_eq!(client.text().await, r#"{"type":"pong"}"#, "a successful subscribe is not answered");
    system.publish(&change("demo", "Sensor", "s")).await;
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.event_id().await, "r");
    client.send(r#"{"action":"unsubscribe"}"#).await;
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn subscribe_replaces_the_whole_filter() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    client.subscribe(&json!({ "entityTypes": ["Room"], "idPattern": "^a" })).await;
    client.subscribe(&json!({ "entityTypes": ["Sensor"] })).await;
    system.publish(&room("demo", "a")).await;
    system.publish(&change("demo", "Sensor", "b")).await;
    assert_eq!(client.event_id().await, "b");
    // Otherwise the first event might still arrive, because the filter at its broadcast decides.
    system.local.settled().await;
    client.subscribe(&json!({ "entityTypes": [], "idPattern": "" })).await;
    system.publish(&room("demo", "c")).await;
    assert_eq!(client.event_id().await, "c");
}

#[tokio::test]
async fn after_unsubscribe_nothing_arrives_until_the_next_subscribe() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut witness = system.connect("tenant=demo").await;
    client.ask(&json!({ "action": "unsubscribe", "requestId": "1" })).await;
    system.publish(&room("demo", "unseen")).await;
    assert_eq!(witness.event_id().await, "unseen");
    client.subscribe(&json!({})).await;
    system.publish(&room("demo", "seen")).await;
    assert_eq!(client.event_id().await, "seen");
}

#[tokio::test]
async fn as_many_types_as_allowed_are_swapped_for_others() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    client.subscribe(&largest_filter("Old")).await;
    client.subscribe(&largest_filter("New")).await;
    assert_eq!(system.items().await.len(), 50, "the connection and 49 interests");
    for n in 0..49 {
        system.publish(&change("demo", &format!("Old{n}"), "old")).await;
    }
    system.publish(&change("demo", "New48", "new")).await;
    assert_eq!(client.event_id().await, "new");
}

/// One connection that sends many messages at once does not keep the table busy for long: most of them give up.
#[tokio::test]
async fn many_large_subscribes_at_once_are_each_answered() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    // All attempts wait in one queue of the engine. On a slow one, more would take longer than a change may.
    for number in 0..8 {
        let mut message = largest_filter(&format!("Type{number}x"));
        message["action"] = json!("subscribe");
        message["requestId"] = json!(number.to_string());
        client.send(message.to_string()).await;
    }
    let mut subscribed = Vec::new();
    for _ in 0..8 {
        let answer = client.json().await;
        match answer["type"].as_str() {
            Some("subscribed") => subscribed.push(answer["entityTypes"][0].as_str().unwrap().to_owned()),
            _ => assert_eq!(answer["code"], json!(ErrorCode::Conflict), "{answer}"),
        }
    }
    assert_eq!(system.items().await.len(), 50, "the connection and the 49 interests of one of the filters");
    system.local.settled().await;
    for entity_type in &subscribed {
        system.publish(&change("demo", entity_type, entity_type)).await;
    }
    let last = client.event_id().await;
    assert!(subscribed.contains(&last), "{last} was subscribed to");
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn a_filter_over_a_limit_changes_nothing() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    client.subscribe(&json!({ "entityTypes": ["Room"] })).await;
    let mut repeated_pattern = largest_filter("Type");
    repeated_pattern["idPattern"] = json!("é".repeat(330));
    for mut filter in [
        json!({ "entityTypes": ["a".repeat(256), "b".repeat(256), "c".repeat(256)], "idPattern": "d".repeat(257) }),
        repeated_pattern,
    ] {
        filter["action"] = json!("subscribe");
        filter["requestId"] = json!("1");
        let answer = client.ask(&filter).await;
        assert_eq!(
            (&answer["code"], &answer["requestId"]),
            (&json!(ErrorCode::LimitExceeded), &json!("1")),
            "{answer}"
        );
    }
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.event_id().await, "r");
}

#[tokio::test]
async fn a_refused_message_is_answered_and_changes_nothing() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    client.subscribe(&json!({ "entityTypes": ["Room"] })).await;
    let too_many: Vec<String> = (0..51).map(|n| format!("T{n}")).collect();
    let refused = [
        ("not JSON".to_owned(), ErrorCode::InvalidJson),
        (r#"{action: "subscribe"}"#.to_owned(), ErrorCode::InvalidJson),
        ("[1]".to_owned(), ErrorCode::InvalidMessage),
        (json!({ "requestId": "r" }).to_string(), ErrorCode::InvalidMessage),
        (json!({ "action": "dance", "requestId": "r" }).to_string(), ErrorCode::UnknownAction),
        (json!({ "action": "subscribe", "entityTypes": "Room" }).to_string(), ErrorCode::InvalidEntityTypes),
        (json!({ "action": "subscribe", "entityTypes": too_many }).to_string(), ErrorCode::InvalidEntityTypes),
        (json!({ "action": "subscribe", "idPattern": "(?=x)" }).to_string(), ErrorCode::InvalidIdPattern),
        (json!({ "action": "subscribe", "idPattern": "(" }).to_string(), ErrorCode::InvalidIdPattern),
        (json!({ "action": "authenticate", "token": "eyJhbGciOiJub25lIn0.e30." }).to_string(), ErrorCode::Unauthorized),
    ];
    for (message, code) in refused {
        client.send(message.clone()).await;
        let answer = client.json().await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{message}: {answer}");
        let text = answer["message"].as_str().unwrap();
        assert!(text.len() > 10 && !text.contains("entity-stream-connections"), "{text}");
        assert!(!answer.to_string().contains("eyJ"), "a token is not repeated");
    }
    let with_id = json!({ "action": "subscribe", "idPattern": "(", "requestId": "r" });
    let answer = client.ask(&with_id).await;
    assert_eq!((&answer["action"], &answer["requestId"]), (&json!("subscribe"), &json!("r")));
    system.publish(&change("demo", "Sensor", "s")).await;
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.event_id().await, "r", "the filter is unchanged");
}

#[tokio::test]
async fn a_connection_without_a_record_is_told_to_reconnect() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    system.table().forget(&system.only_connection().await).await.unwrap();
    let answer = client.ask(&json!({ "action": "subscribe", "requestId": "1" })).await;
    assert_eq!(answer["code"], json!(ErrorCode::NotConnected), "{answer}");
    assert!(system.items().await.is_empty(), "no item was left behind");
}

#[tokio::test]
async fn messages_handled_at_the_same_time_leave_one_of_the_filters() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    for n in 0..24 {
        let types = json!([format!("A{n}"), format!("B{n}")]);
        client
            .send(json!({ "action": "subscribe", "entityTypes": types, "requestId": n.to_string() }).to_string())
            .await;
    }
    for _ in 0..24 {
        let answer = client.json().await;
        assert!(answer["type"] == "subscribed" || answer["code"] == json!(ErrorCode::Conflict), "{answer}");
    }
    let items = system.items().await;
    let mut partitions: Vec<&str> =
        items.iter().filter_map(|item| item["pk"].as_s().unwrap().strip_prefix("T#demo#")).collect();
    partitions.sort_unstable();
    assert_eq!(partitions.len(), 2, "{partitions:?}");
    assert_eq!(partitions[0].strip_prefix('A'), partitions[1].strip_prefix('B'), "one filter, not a mixture");
}
