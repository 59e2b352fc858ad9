//! The `$disconnect` function with a DynamoDB engine.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use entity_stream_connections::{Authorisation, Connection, Table};
use entity_stream_disconnect::Disconnect;
use entity_stream_protocol::{ConnectionId, EpochMillis, Filter, Format, Tenant};
use entity_stream_runtime::{AwsServices, DisconnectConfig, Environment, Failure};
use entity_stream_testing::{Endpoint, Reply, aws_config, dynamodb_url, sample};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

/// The function with a table that no other test uses.
fn setting(dynamodb: &str) -> (Disconnect, Table) {
    let name = format!("test-{:032x}", fastrand::u128(..));
    let table = name.clone();
    let environment = Environment::new(move |name| (name == "WS_CONNECTIONS_TABLE").then(|| table.clone()));
    let aws = AwsServices::all(aws_config(dynamodb));
    (Disconnect::new(DisconnectConfig::read(&environment).unwrap(), &aws), aws.connections(name))
}

async fn invoke(disconnect: &Disconnect, event: &Value) -> Result<Value, Failure> {
    let event = LambdaEvent::new(serde_json::from_value(event.clone()).unwrap(), Context::default());
    disconnect.handle(event).await.map(|response| serde_json::to_value(response).unwrap())
}

fn connection(id: &str) -> Connection {
    Connection {
        id: ConnectionId::parse(id).unwrap(),
        tenant: Tenant::parse("demo").unwrap(),
        // No TTL of an engine removes it during the test.
        connected_at: EpochMillis::new(4_102_444_800_000),
        subscriptions: vec![Filter::new(["Room", "Sensor"], None).unwrap().into()],
        acknowledgement: None,
        format: Format::Json,
        group: None,
        takes_batches: false,
        resumed: None,
        resumed_at: None,
        authorisation: Authorisation::Open,
    }
}

/// The ids of the connections that an event of the type `Room` finds.
async fn found(table: &Table, like: &Connection) -> Vec<String> {
    let types: Vec<_> = like.subscriptions[0].filter.entity_types().iter().take(1).cloned().collect();
    let mut found = Vec::new();
    for mut pages in table.interests(&like.tenant, &types, [], like.connected_at) {
        while let Some(page) = pages.next().await.unwrap() {
            found.extend(page.interests.into_iter().map(|interest| interest.connection_id.to_string()));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[tokio::test]
async fn the_connection_and_its_interests_are_removed_and_no_others() {
    let (disconnect, table) = setting(dynamodb_url());
    table.create_if_missing().await.unwrap();
    let event = sample("disconnect", "page-left-1001");
    let (gone, stays) = (connection(event["requestContext"]["connectionId"].as_str().unwrap()), connection("stays="));
    table.register(&gone).await.unwrap();
    table.register(&stays).await.unwrap();
    assert_eq!(found(&table, &gone).await.len(), 2);
    // API Gateway may send the event twice.
    for attempt in 1..=2 {
        assert_eq!(invoke(&disconnect, &event).await.unwrap()["statusCode"], 200, "attempt {attempt}");
        assert_eq!(table.find(&gone.id, gone.connected_at).await.unwrap(), None);
        assert_eq!(found(&table, &gone).await, ["stays="]);
        assert_eq!(table.find(&stays.id, stays.connected_at).await.unwrap(), Some(stays.clone()));
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_written_fails_the_invocation() {
    let dynamodb = Endpoint::script([Reply::Status(
        400,
        &[],
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#.to_owned(),
    )])
    .await;
    let (disconnect, _) = setting(&dynamodb.url);
    let failure = invoke(&disconnect, &sample("disconnect", "page-left-1001")).await.unwrap_err();
    assert_eq!(failure.kind, "TableUnavailable", "{failure}");
    assert!(failure.message.contains("ResourceNotFoundException"), "{failure}");
}

#[tokio::test]
async fn an_event_without_a_connection_fails_the_invocation() {
    let (disconnect, _) = setting("http://localhost:0");
    let mut event = sample("disconnect", "page-left-1001");
    event["requestContext"]["connectionId"] = json!(null);
    assert_eq!(invoke(&disconnect, &event).await.unwrap_err().kind, "InvalidEvent");
}
