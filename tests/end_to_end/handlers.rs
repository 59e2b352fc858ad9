//! Every file in `events/` goes through its function. A file without an expectation here fails the test.

use std::collections::BTreeMap;
use std::path::Path;

use entity_stream_clock::Clock;
use entity_stream_ingest::Ingest;
use entity_stream_local::aws_config;
use entity_stream_protocol::{ConnectionId, ErrorCode, Filter};
use entity_stream_runtime::{AwsServices, Environment, IngestConfig};
use serde_json::{Value, json};

use crate::harness::{Endpoint, Functions, Hands, Reply, System, lambda_event, result};

/// Settings with authentication.
const GUARDED: &[(&str, &str)] = &[
    ("AUTH_ENABLED", "true"),
    ("JWT_SECRET", "a secret of at least thirty-two bytes"),
    ("WS_API_KEYS_TABLE", "entity-stream-api-keys"),
];

/// The samples of one function by name.
fn samples(function: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(function);
    std::fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn connection_id(event: &str) -> ConnectionId {
    let event: Value = serde_json::from_str(event).unwrap();
    ConnectionId::parse(event["requestContext"]["connectionId"].as_str().unwrap()).unwrap()
}

/// The opening time of a sample's connection. By the machine's clock, its record has long expired.
fn at(event: &str) -> entity_stream_protocol::EpochMillis {
    let event: Value = serde_json::from_str(event).unwrap();
    entity_stream_protocol::EpochMillis::new(event["requestContext"]["connectedAt"].as_i64().unwrap())
}

async fn setting() -> (System, Endpoint, Functions) {
    let system = System::start().await;
    let api = Endpoint::script([Reply::status(200)]).await;
    let functions = Functions::new(&system, &api, &Hands::default()).await;
    (system, api, functions)
}

#[tokio::test]
async fn connect() {
    let (system, _api, functions) = setting().await;
    for (name, event) in samples("connect") {
        let refused = ["no-query", "missing", "empty", "repeated", "malformed", "too-many", "bad", "unknown"];
        let refused = name != "authorization-malformed" && refused.iter().any(|part| name.contains(part));
        let response = result(&functions.connect.handle(lambda_event(&event)).await.unwrap());
        assert_eq!(response["statusCode"], json!(if refused { 400 } else { 200 }), "{name}: {response}");
        let id = connection_id(&event);
        let connection = functions.table.find(&id, at(&event)).await.unwrap();
        assert_eq!(connection.is_some(), !refused, "{name}: registered exactly if accepted");
        let subprotocol = response["headers"]["sec-websocket-protocol"].as_str();
        let offers = name.contains("access-token-protocol") || name == "token-in-every-place";
        assert_eq!(subprotocol, offers.then_some("access_token"), "{name}");
        if let Some(connection) = connection {
            let tenant: Value = serde_json::from_str(&event).unwrap();
            let tenant = tenant["queryStringParameters"]["tenant"].as_str().unwrap().to_lowercase();
            assert_eq!(connection.tenant.as_str(), tenant, "{name}");
            let filtered = connection.subscriptions != [Filter::default().into()];
            let expected = ["entity-types", "id-pattern", "every-parameter"].contains(&name.as_str());
            assert_eq!(filtered, expected, "{name}");
        } else {
            let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
            assert!(body["message"].as_str().unwrap().len() > 10, "{name}: {body}");
        }
        functions.table.forget(&id).await.unwrap();
    }
    assert!(system.items().await.is_empty());
}

#[tokio::test]
async fn connect_with_authentication_or_streaming_switched_off() {
    let (system, api, _) = setting().await;
    const AUTH: &[(&str, &str)] = &[("AUTH_ENABLED", "true"), ("JWT_SECRET", "a secret of at least thirty-two bytes")];
    const OFF: &[(&str, &str)] = &[("EVENT_STREAMING_ENABLED", "false")];
    const NOT_TRUE: &[(&str, &str)] = &[("EVENT_STREAMING_ENABLED", "on")];
    for (settings, status) in [(AUTH, 401), (OFF, 503), (NOT_TRUE, 503)] {
        let functions = Functions::with_settings(&system, &api, &Hands::default(), settings).await;
        for (name, event) in samples("connect") {
            let response = result(&functions.connect.handle(lambda_event(&event)).await.unwrap());
            let malformed = status == 401 && response["statusCode"] == json!(400);
            assert!(malformed || response["statusCode"] == json!(status), "{name}: {response}");
            assert!(!response.to_string().contains("eyJ"), "{name}: no token in an answer");
        }
    }
    assert!(system.items().await.is_empty(), "no connection was registered");
}

#[tokio::test]
async fn default() {
    let system = System::start().await;
    for (name, event) in samples("default") {
        let expected = match name.as_str() {
            "subscribe" | "unsubscribe" => None,
            "ping" | "ping-with-request-id" => Some(json!("pong")),
            "unsubscribe-with-request-id" => Some(json!("unsubscribed")),
            "authenticate" => Some(json!(ErrorCode::Unauthorized)),
            "authenticate-without-token" | "request-id-not-a-string" | "action-missing" | "not-an-object" => {
                Some(json!(ErrorCode::InvalidMessage))
            }
            "unknown-action" => Some(json!(ErrorCode::UnknownAction)),
            "not-json" | "lenient-json" | "body-empty" | "body-missing" => Some(json!(ErrorCode::InvalidJson)),
            name if name.starts_with("id-pattern") => Some(json!(ErrorCode::InvalidIdPattern)),
            name if name.starts_with("entity-types") => Some(json!(ErrorCode::InvalidEntityTypes)),
            name if name.starts_with("subscribe-") => Some(json!("subscribed")),
            other => panic!("events/default/{other}.json has no expectation"),
        };
        let api = Endpoint::script([Reply::status(200)]).await;
        let functions = Functions::new(&system, &api, &Hands::default()).await;
        let id = functions.register(connection_id(&event).as_str(), "demo").await;
        let response = result(&functions.default.handle(lambda_event(&event)).await.unwrap());
        assert_eq!(response["statusCode"], json!(200), "{name}");
        let answers = api.asked();
        let Some(expected) = expected else {
            assert!(answers.is_empty(), "{name}: not answered");
            functions.table.forget(&id).await.unwrap();
            continue;
        };
        assert_eq!(answers.len(), 1, "{name}");
        assert_eq!(answers[0].path, format!("/@connections/{}", id.as_str().replace('=', "%3D")));
        let answer: Value = serde_json::from_slice(&answers[0].body).unwrap();
        let kind = if answer["type"] == json!("error") { &answer["code"] } else { &answer["type"] };
        assert_eq!(*kind, expected, "{name}: {answer}");
        let message: Value = serde_json::from_str(&event).unwrap();
        let message: Value = serde_json::from_str(message["body"].as_str().unwrap_or_default()).unwrap_or_default();
        let request_id = message.get("requestId").filter(|id| id.is_string());
        assert_eq!(answer.get("requestId"), request_id, "{name}: echoed");
        functions.table.forget(&id).await.unwrap();
    }
}

#[tokio::test]
async fn default_for_a_connection_that_is_not_registered() {
    let (system, api, functions) = setting().await;
    let samples = samples("default");
    functions.default.handle(lambda_event(&samples["subscribe"])).await.unwrap();
    let answer: Value = serde_json::from_slice(&api.asked()[0].body).unwrap();
    assert_eq!(answer["code"], json!(ErrorCode::NotConnected), "errors are always answered");
    assert!(system.items().await.is_empty());
}

#[tokio::test]
async fn disconnect() {
    let (system, _api, functions) = setting().await;
    for (name, event) in samples("disconnect") {
        functions.register(connection_id(&event).as_str(), "demo").await;
        for time in ["first", "second"] {
            let response = result(&functions.disconnect.handle(lambda_event(&event)).await.unwrap());
            assert_eq!(response["statusCode"], json!(200), "{name}, {time} time");
            assert!(system.items().await.is_empty(), "{name}");
        }
    }
}

#[tokio::test]
async fn broadcast() {
    for (name, event) in samples("broadcast") {
        let (system, api, functions) = setting().await;
        let poison = usize::from(name.contains("undeliverable"));
        let events: Value = serde_json::from_str(&event).unwrap();
        let events = events.as_array().cloned().unwrap_or_else(|| vec![events]);
        let mut tenants: Vec<String> = events
            .iter()
            .filter_map(|event| Some(event["detail"]["tenant"].as_str()?.to_lowercase()))
            .filter(|tenant| !tenant.contains('#'))
            .collect();
        tenants.dedup();
        for (n, tenant) in tenants.iter().enumerate() {
            functions.register(&format!("Receiver{n:07}="), tenant).await;
        }
        functions.register("Stranger0000000=", "stranger").await;
        let report = functions.broadcast(&event, 30).await.unwrap();
        assert_eq!(report.undeliverable, poison, "{name}: {report:?}");
        assert_eq!(system.dead_letters().await.len(), poison, "{name}");
        let delivered: Vec<Value> =
            api.asked().iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
        assert_eq!(delivered.len(), events.len() - poison, "{name}: {delivered:?}");
        assert!(api.asked().iter().all(|asked| !asked.path.contains("Stranger")), "{name}");
        for message in &delivered {
            let event = events.iter().find(|event| event["id"] == message["id"]).expect("the envelope's id");
            for field in ["type", "entityId", "entityType"] {
                assert_eq!(message[field], event["detail"][field], "{name}: {field}");
            }
            let timestamp = event["detail"].get("timestamp").unwrap_or(&event["time"]);
            assert_eq!(&message["timestamp"], timestamp, "{name}");
        }
        if name == "exact-numbers" {
            let sent = event.split(r#""data":"#).nth(1).expect("the sample has data");
            let text = String::from_utf8(api.asked()[0].body.to_vec()).unwrap();
            let data = text.split(r#""data":"#).nth(1).unwrap();
            let digits = data.split('}').next().unwrap();
            assert!(sent.trim_start().starts_with(digits.trim_start()), "byte for byte: {digits}");
        }
    }
}

#[tokio::test]
async fn an_event_of_another_source_fails_without_a_panic() {
    let (_system, _api, functions) = setting().await;
    let event = r#"{"requestContext":{"connectedAt":1,"requestTimeEpoch":1,"messageId":null}}"#;
    let foreign = r#"{"requestContext":{"connectedAt":1,"requestTimeEpoch":1,"messageId":null,"connectionId":"a#b"}}"#;
    for event in [event, foreign] {
        assert_eq!(functions.connect.handle(lambda_event(event)).await.unwrap_err().kind, "InvalidEvent");
        assert_eq!(functions.disconnect.handle(lambda_event(event)).await.unwrap_err().kind, "InvalidEvent");
        assert_eq!(functions.default.handle(lambda_event(event)).await.unwrap_err().kind, "InvalidEvent");
    }
}

#[tokio::test]
async fn a_payload_that_is_not_an_event_is_a_dead_letter() {
    let (system, _api, functions) = setting().await;
    for payload in
        ["7", "null", r#""text""#, "{}", r#"[{"detail":{}}]"#, r#"{"detail-type":"x","source":"y","detail":{}}"#]
    {
        let report = functions.broadcast(payload, 30).await.unwrap();
        assert_eq!(report.undeliverable, 1, "{payload}");
    }
    assert_eq!(system.dead_letters().await.len(), 6);
}

#[tokio::test]
async fn ingest() {
    let system = System::start().await;
    let mut client = system.connect("tenant=smartcity").await;
    let aws = AwsServices::all(aws_config(&system.local.http_url()));
    for (settings, is_guarded) in [(&[("AUTH_ENABLED", "false")][..], false), (GUARDED, true)] {
        let environment = Environment::new(move |name| {
            let fixed = [("INGEST_ENABLED", "true"), ("EVENT_STREAMING_ENABLED", "true")];
            settings.iter().chain(&fixed).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        let config = IngestConfig::read(&environment).unwrap();
        let ingest = Ingest::new(config, &aws, Clock::system()).await.unwrap();
        for (name, event) in samples("ingest") {
            let expected = match name.as_str() {
                "method-get" => 405,
                "path-unknown" => 404,
                _ if is_guarded => 401,
                "ngsi-v2" | "ngsi-ld" | "ngsi-ld-base64" | "no-entities" => 204,
                "tenant-missing" | "not-a-notification" | "entity-without-type" => 400,
                other => panic!("events/ingest/{other}.json has no expectation"),
            };
            let response = result(&ingest.handle(lambda_event(&event)).await.unwrap());
            assert_eq!(response["statusCode"], expected, "{name}: {response}");
            if name.starts_with("ngsi-") && expected == 204 {
                let event = client.json().await;
                // Without the times of attributes, NGSI-LD does not tell whether the name was added.
                let changed = if name == "ngsi-v2" { json!(["temperature"]) } else { json!(["temperature", "name"]) };
                assert_eq!(
                    (&event["entityId"], &event["changedAttributes"]),
                    (&json!("urn:ngsi-ld:Room:001"), &changed)
                );
            }
        }
    }
    client.nothing_more(&system).await;
}
