use entity_stream_client::{
    Client, ClientError, EntityStream, ErrorCode, Filter, StreamItem, Subscription, SubscriptionName,
    SubscriptionRequest,
};
use entity_stream_local::Local;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{PATIENCE, listen, run_with, start, system};
use crate::server::WebSocketServer;

/// Publishes a vehicle with this speed at this longitude.
async fn vehicle(system: &Local, id: &str, speed: u32, longitude: f64, path: &str) {
    let line = json!({
        "type": "entityUpdated", "entityId": id, "entityType": "Vehicle", "servicePath": path,
        "data": {
            "speed": { "type": "Property", "value": speed },
            "location": { "type": "GeoProperty", "value": { "type": "Point", "coordinates": [longitude, 35.6] } },
        },
        "changedAttributes": ["speed"],
    });
    let args = ["publish", "demo", "--file", "-", "--endpoint-url", &system.http_url()];
    let ended = run_with(&args, &[], &line.to_string()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn each_option_selects_changes() {
    let system = system().await;
    for option in [
        &["--id", "urn:yes"][..],
        &["--q", "speed>50"],
        &["--geo-q", "near:139.7,35.6,2000"],
        &["--service-path", "/yes/#"],
        &["--subscription", r#"map={"entityTypes":["Vehicle"],"q":"speed>50"}"#],
    ] {
        let mut listener = listen(&system, "demo", &[option, &["--output", "json", "--count", "1"]].concat()).await;
        vehicle(&system, "urn:no", 10, 130.0, "/no").await;
        vehicle(&system, "urn:yes", 60, 139.7, "/yes/sub").await;
        let printed: Value = serde_json::from_str(&listener.line().await).unwrap();
        assert_eq!(printed["entityId"], "urn:yes", "{option:?}");
        assert_eq!(listener.exit().await.code(), Some(0));
    }
    for (option, is_printed) in [
        (["--watch", "speed"], true),
        (["--watch", "location"], false),
        (["--trigger", "entityUpdated"], true),
        (["--trigger", "entityCreated"], false),
    ] {
        let all = "all={}";
        let more = [&option[..], &["--subscription", all, "--output", "json", "--count", "1"]].concat();
        let mut listener = listen(&system, "demo", &more).await;
        vehicle(&system, "urn:1", 1, 1.0, "/").await;
        let printed: Value = serde_json::from_str(&listener.line().await).unwrap();
        let expected = if is_printed { json!(["", "all"]) } else { json!(["all"]) };
        assert_eq!(printed["subscriptions"], expected, "{option:?}");
    }
}

#[tokio::test]
async fn each_view_is_printed_with_the_names_of_its_subscriptions() {
    let system = system().await;
    let more = [
        "--entity-type",
        "Vehicle",
        "--attributes",
        "speed",
        "--key-values",
        "--subscription",
        r#"map={"attributes":["location"]}"#,
        "--subscription",
        r#"list={"attributes":["location"],"q":"speed>50"}"#,
        "--subscription",
        r#"rooms={"entityTypes":["Room"]}"#,
        "--count",
        "2",
    ];
    let mut listener = listen(&system, "demo", &more).await;
    vehicle(&system, "urn:1", 60, 139.7, "/").await;
    let lines = [listener.line().await, listener.line().await];
    let ends = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(ends(" updated Vehicle urn:1 [-] speed=60"), "{lines:?}");
    assert!(ends(" updated Vehicle urn:1 [list, map] location=[139.7,35.6]"), "{lines:?}");
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn named_subscriptions_are_one_message_and_come_back_after_a_reconnect() {
    let server = WebSocketServer::start().await;
    let map = r#"map={"entityTypes":["Vehicle"],"q":"speed>50"}"#;
    let args = ["listen", "demo", "--url", &server.url, "--subscription", map, "--subscription", "list={}"];
    let mut listener = start(&args);
    let expected =
        json!([{ "subscription": "map", "entityTypes": ["Vehicle"], "q": "speed>50" }, { "subscription": "list" }]);
    for _ in 0..2 {
        let mut client = server.accept().await;
        assert_eq!(client.uri, "/?tenant=demo&batch=true&subscribe=none");
        assert_eq!(client.subscribed().await["subscriptions"], expected);
        client.close(1001, "Going away").await;
        listener.says("lost the connection").await;
    }
    // What the server does not accept any more ends alone, and the command with the last one.
    for (name, asked) in [("map", json!({ "subscriptions": expected })), ("list", json!({ "subscription": "list" }))] {
        let mut client = server.accept().await;
        let subscribe = client.message().await;
        for (member, value) in asked.as_object().unwrap() {
            assert_eq!(&subscribe[member], value, "{subscribe}");
        }
        let refusal = json!({ "type": "error", "code": "limit_exceeded", "message": "too many scopes",
            "action": "subscribe", "subscription": name, "requestId": subscribe["requestId"] });
        client.send(&refusal.to_string()).await;
        listener.says(&format!("the server refused the subscription {name}: too many scopes")).await;
    }
    assert_eq!(listener.exit().await.code(), Some(1));
}

#[tokio::test]
async fn an_id_is_part_of_the_url() {
    let server = WebSocketServer::start().await;
    let mut listener = start(&["listen", "demo", "--url", &server.url, "--id", "urn:1", "--id", "urn:2"]);
    let mut client = server.accept().await;
    assert_eq!(client.uri, "/?tenant=demo&batch=true&entityIds=urn%3A1%2Curn%3A2");
    assert_eq!(client.subscribed().await["entityIds"], json!(["urn:1", "urn:2"]));
    listener.says("listening to demo").await;
}

async fn next(stream: &mut EntityStream) -> StreamItem {
    timeout(PATIENCE, stream.try_next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn a_request_of_a_client_is_in_force_once_it_is_accepted() {
    let system = system().await;
    let named = |name: &str, types: &[&str]| Subscription {
        name: name.parse().unwrap(),
        ..Filter::new(types.to_vec(), None).unwrap().into()
    };
    let rooms = Filter::new(["Room"], None).unwrap();
    let mut stream = Client::builder(system.websocket_url(), "demo").filter(rooms).connect().unwrap();
    assert!(matches!(next(&mut stream).await, StreamItem::Connected));
    assert!(matches!(next(&mut stream).await, StreamItem::Subscribed { .. }));

    let many: Vec<String> = (0..49).map(|number| format!("T{number}")).collect();
    let many = named("many", &many.iter().map(String::as_str).collect::<Vec<_>>());
    stream.replace(SubscriptionName::DEFAULT, named("map", &["Vehicle"])).unwrap();
    stream.subscribe([many]).unwrap();
    stream.subscribe([named("list", &["Vehicle", "Room"])]).unwrap();
    assert!(matches!(next(&mut stream).await, StreamItem::Accepted(SubscriptionRequest::Replace { .. })));
    let item = next(&mut stream).await;
    let StreamItem::Refused { error: ClientError::Rejected { code: ErrorCode::LimitExceeded, .. }, .. } = item else {
        panic!("{item:?}")
    };
    assert!(matches!(next(&mut stream).await, StreamItem::Accepted(SubscriptionRequest::Subscribe(_))));
    vehicle(&system, "urn:1", 1, 1.0, "/").await;
    let StreamItem::Event(event) = next(&mut stream).await else { panic!() };
    let names: Vec<&str> = event.subscriptions().iter().map(SubscriptionName::as_str).collect();
    assert_eq!(names, ["list", "map"]);

    stream.unsubscribe("list".parse().unwrap()).unwrap();
    assert!(matches!(next(&mut stream).await, StreamItem::Accepted(SubscriptionRequest::Unsubscribe(_))));
    vehicle(&system, "urn:2", 1, 1.0, "/").await;
    let StreamItem::Event(event) = next(&mut stream).await else { panic!() };
    let names: Vec<&str> = event.subscriptions().iter().map(SubscriptionName::as_str).collect();
    assert_eq!((&*event.message().entity_id, names), ("urn:2", vec!["map"]));
    stream.close().await;
}
