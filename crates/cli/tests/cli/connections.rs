use entity_stream_local::{CONNECTIONS_TABLE, Config, Local};
use entity_stream_runtime::Environment;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::{Ended, listen, run, run_with, system, system_with};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

type Client = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn connect(system: &Local, query: &str, token: Option<&str>) -> Client {
    let mut request = format!("{}/?{query}", system.websocket_url()).into_client_request().unwrap();
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    connect_async(request).await.unwrap().0
}

async fn list(system: &Local, more: &[&str]) -> Ended {
    run(&[&["connections", "list", "--dynamodb-url", &system.dynamodb_url()], more].concat()).await
}

async fn listed(system: &Local, more: &[&str]) -> Value {
    let ended = list(system, &[more, &["--output", "json"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

async fn close(system: &Local, ids: &[&str]) -> Ended {
    let api = format!("{}/local", system.http_url());
    run(&[&["connections", "close", "--api", &api, "--"], ids].concat()).await
}

#[tokio::test]
async fn the_list_has_subscriptions_and_groups() {
    let system = system().await;
    let empty = list(&system, &[]).await;
    assert_eq!((empty.code, empty.stdout.as_str(), empty.stderr.as_str()), (Some(0), "", "no connections found\n"));
    assert_eq!(listed(&system, &[]).await, json!([]));

    let _everything = connect(&system, "tenant=Demo", None).await;
    let query = "tenant=demo&entityTypes=Room,Sensor&idPattern=%5Eurn&format=cloudevents&group_id=workers";
    let _filtered = connect(&system, query, None).await;
    let _other = connect(&system, "tenant=city", None).await;

    let all = listed(&system, &[]).await;
    assert_eq!(all.as_array().unwrap().len(), 3, "{all}");
    let demo = listed(&system, &["--tenant", "DEMO"]).await;
    assert_eq!(demo.as_array().unwrap().len(), 2, "{demo}");
    assert_eq!(demo[0]["subscriptions"], json!([{}]));
    assert_eq!(demo[1]["subscriptions"], json!([{ "entityTypes": ["Room", "Sensor"], "idPattern": "^urn" }]));
    assert_eq!((&demo[1]["group"], &demo[1]["format"]), (&json!("workers"), &json!("cloudevents")));
    assert_eq!((&demo[1]["authorisation"], &demo[1]["subject"]), (&json!("open"), &Value::Null));

    let table = list(&system, &["--tenant", "demo"]).await.stdout;
    assert!(table.starts_with("CONNECTION ") && table.contains("Room, Sensor /^urn/"), "{table}");
    assert!(table.contains("everything") && table.lines().count() == 3, "{table}");
}

#[tokio::test]
async fn the_list_has_named_subscriptions() {
    let system = system().await;
    let map = r#"map={"q":"speed>50","attributes":["speed"]}"#;
    let _listener = listen(&system, "demo", &["--id", "urn:1", "--subscription", map]).await;
    let all = listed(&system, &[]).await;
    let expected =
        json!([{ "entityIds": ["urn:1"] }, { "subscription": "map", "q": "speed>50", "attributes": ["speed"] }]);
    assert_eq!(all[0]["subscriptions"], expected);
    let table = list(&system, &[]).await.stdout;
    assert!(table.contains(" urn:1; map: speed>50 "), "{table}");

    let _none = connect(&system, "tenant=city&subscribe=none&ack=always", None).await;
    let city = listed(&system, &["--tenant", "city"]).await;
    assert_eq!((&city[0]["subscriptions"], &city[0]["acknowledgement"]), (&json!([]), &json!("always")));
    assert!(list(&system, &["--tenant", "city"]).await.stdout.contains(" unsubscribed "));
}

#[tokio::test]
async fn the_list_has_subjects_and_no_credentials() {
    let environment = Environment::new(|name| (name == "JWT_SECRET").then(|| SECRET.to_owned()));
    let system = system_with(Config { auth_enabled: true, environment, ..Config::default() }).await;
    let mint = ["token", "--tenant", "demo", "--subject", "alice", "--role", "tenant_admin", "--expires-in", "30m"];
    let token = run_with(&mint, &[("JWT_SECRET", SECRET)], "").await.stdout.trim().to_owned();
    let _alice = connect(&system, "tenant=demo", Some(&token)).await;

    let ended = list(&system, &[]).await;
    assert!(ended.stdout.contains("alice") && ended.stdout.contains("tenant_admin"), "{ended:?}");
    assert!(ended.stdout.contains("for 29 min") || ended.stdout.contains("for 30 min"), "{ended:?}");
    let all = listed(&system, &["--subject", "alice"]).await;
    assert_eq!((&all[0]["authorisation"], &all[0]["role"]), (&json!("granted"), &json!("tenant_admin")));
    assert!(all[0]["authorisedUntil"].is_string());
    assert_eq!(listed(&system, &["--subject", "bob"]).await, json!([]));
    assert!(!format!("{ended:?}{all}").contains(&token));
}

#[tokio::test]
async fn a_closed_connection_ends_for_the_client_and_leaves_the_list() {
    let system = system().await;
    let mut client = connect(&system, "tenant=demo", None).await;
    let _stays = connect(&system, "tenant=city", None).await;
    let ids = list(&system, &["--tenant", "demo", "--output", "ids"]).await.stdout;
    let id = ids.trim();

    let closed = close(&system, &[id]).await;
    assert_eq!((closed.code, closed.stdout), (Some(0), format!("closed {id}\n")));
    let frame = client.next().await.unwrap().unwrap();
    assert!(matches!(&frame, Message::Close(Some(frame)) if u16::from(frame.code) == 1000), "{frame:?}");
    while let Some(Ok(_)) = client.next().await {}

    let again = close(&system, &[id]).await;
    assert_eq!((again.code, again.stdout), (Some(0), format!("{id} was already gone\n")));
    // `$disconnect` runs after the close.
    while listed(&system, &["--tenant", "demo"]).await != json!([]) {}
    assert_eq!(listed(&system, &[]).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_invalid_id_is_named_and_the_other_connections_are_closed() {
    let system = system().await;
    let _client = connect(&system, "tenant=demo", None).await;
    let ids = list(&system, &["--output", "ids"]).await.stdout;
    let ended = close(&system, &["no-such-id", ids.trim()]).await;
    assert_eq!((ended.code, ended.stdout), (Some(1), format!("closed {}\n", ids.trim())));
    assert!(
        ended.stderr.contains("no-such-id: this is no id of a connection; `entity-stream connections list` shows them"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("1 of 2 connections could not be closed"), "{}", ended.stderr);

    let malformed = run(&["connections", "close", "a#b"]).await;
    assert!(malformed.stderr.contains("a connection id is 1 to 128 of"), "{malformed:?}");
    assert_eq!(run(&["connections", "close"]).await.code, Some(2));

    let wrong_stage = format!("{}/prod", system.http_url());
    let ended = run(&["connections", "close", "--api", &wrong_stage, "AAAAAAAAAAAAAAA="]).await;
    assert!(
        ended.code == Some(1) && ended.stderr.contains("check that the URL ends with the right stage"),
        "{ended:?}"
    );
    let websocket = run(&["connections", "close", "--api", "ws://localhost:3000", "x="]).await;
    assert!(websocket.stderr.contains("https, not wss"), "{websocket:?}");
}

#[tokio::test]
async fn a_deployed_system_is_reached_as_the_machine_is_configured() {
    let system = system().await;
    let _client = connect(&system, "tenant=demo", None).await;
    let url = system.dynamodb_url();
    let environment =
        [("AWS_ENDPOINT_URL_DYNAMODB", url.as_str()), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let args = ["connections", "list", "--table", CONNECTIONS_TABLE, "--region", "us-east-1"];
    let ended = run_with(&args, &environment, "").await;
    assert!(ended.code == Some(0) && ended.stdout.contains("demo"), "{ended:?}");
    let args = ["connections", "list", "--table", "nowhere", "--region", "us-east-1"];
    let missing = run_with(&args, &environment, "").await;
    assert!(missing.stderr.contains("cannot use the table nowhere: DynamoDB Scan: ResourceNotFound"), "{missing:?}");

    // With https:// the command needs AWS credentials, which are absent.
    let api = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod";
    let environment = [("AWS_EC2_METADATA_DISABLED", "true")];
    let without = run_with(&["connections", "close", "--api", api, "x="], &environment, "").await;
    assert!(without.code == Some(1) && without.stderr.contains("no AWS credentials"), "{without:?}");
}
