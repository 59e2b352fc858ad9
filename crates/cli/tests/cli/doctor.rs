//! Each test breaks one step of a change's way for real. `doctor` has to name that step.

use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::post;
use entity_stream_local::{Config, FunctionHost, FunctionNames, Local, RefuseWith, Times};
use entity_stream_runtime::Environment;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Ended, closed_port, listen, run, run_with, start_with, system, system_with};
use crate::server::WebSocketServer;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PASSED: [(&str, &str); 10] = [
    ("name", "passed"),
    ("reachable", "passed"),
    ("handshake", "passed"),
    ("credential", "passed"),
    ("subscribe", "passed"),
    ("ping", "passed"),
    ("publish", "passed"),
    ("delivery", "passed"),
    ("resume", "passed"),
    ("state", "passed"),
];

async fn doctor(url: &str, more: &[&str], environment: &[(&str, &str)]) -> (Ended, Value) {
    let args = [&["doctor", "demo", "--url", url, "--output", "json"], more].concat();
    let ended = run_with(&args, environment, "").await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!(ended.code, Some(i32::from(report["ok"] != true)), "{ended:?}");
    (ended, report)
}

fn steps(report: &Value) -> Vec<(&str, &str)> {
    let steps = report["tenants"][0]["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["check"].as_str().unwrap(), step["verdict"].as_str().unwrap())).collect()
}

/// Every step before this one passes. This one fails with this detail and this advice.
#[track_caller]
fn assert_fails_at(report: &Value, check: &str, detail: &str, advice: &str) {
    // For a host on this machine, the report mentions TLS only if it fails, which is before the handshake.
    let before = if check == "tls" { "handshake" } else { check };
    let mut expected: Vec<_> = PASSED.iter().copied().take_while(|(passed, _)| *passed != before).collect();
    expected.push((check, "failed"));
    assert_eq!(steps(report), expected, "{report}");
    let step = report["tenants"][0]["steps"].as_array().unwrap().last().unwrap();
    assert!(step["detail"].as_str().unwrap().contains(detail), "{step}");
    assert!(step["advice"].as_str().unwrap().contains(advice), "{step}");
}

async fn guarded(more: &'static [(&str, &str)], refuse_with: RefuseWith) -> Local {
    let environment = Environment::new(move |name| {
        let secret = (name == "JWT_SECRET").then(|| SECRET.to_owned());
        secret.or_else(|| more.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    });
    system_with(Config { auth_enabled: true, environment, refuse_with, ..Config::default() }).await
}

async fn token(tenant: &str) -> String {
    run_with(&["token", "--tenant", tenant], &[("JWT_SECRET", SECRET)], "").await.stdout.trim().to_owned()
}

#[tokio::test]
async fn a_system_that_works_passes_all_checks() {
    let system = system().await;
    let (ended, report) = doctor(&system.websocket_url(), &[], &[]).await;
    assert_eq!(steps(&report), PASSED, "{ended:?}");
    let delivery = &report["tenants"][0]["steps"][7];
    assert!(delivery["milliseconds"].is_u64(), "{delivery}");

    let text = run(&["doctor", "demo", "City", "--url", &system.websocket_url()]).await;
    assert_eq!(text.code, Some(0), "{text:?}");
    for expected in
        ["demo at ws://localhost:", "city at ws://", "✓ delivery     the change arrived (", "all checks passed"]
    {
        assert!(text.stdout.contains(expected), "{expected:?} in {text:?}");
    }
    assert!(!text.stdout.contains('\u{1b}'), "colours are for terminals");

    let (_, report) = doctor(&system.websocket_url(), &["--no-publish"], &[]).await;
    assert_eq!(steps(&report).last(), Some(&("publish", "skipped")));
    let last = report["tenants"][0]["steps"].as_array().unwrap().last().unwrap();
    assert!(last["detail"] == "nothing was published: --no-publish is given" && last["advice"].is_null(), "{last}");
    // The checks leave no connection behind.
    let list = ["connections", "list", "--output", "ids", "--dynamodb-url", &system.dynamodb_url()];
    while !run(&list).await.stdout.is_empty() {}
}

#[tokio::test]
async fn a_system_without_a_history_is_no_failure() {
    let environment = Environment::new(|name| (name == "HISTORY_MINUTES").then(|| "0".to_owned()));
    let system = system_with(Config { environment, ..Config::default() }).await;
    let (ended, report) = doctor(&system.websocket_url(), &[], &[]).await;
    assert_eq!(steps(&report)[8..], [("resume", "skipped"), ("state", "passed")], "{ended:?}");
    let step = &report["tenants"][0]["steps"][8];
    assert!(step["detail"].as_str().unwrap().contains("keeps no history"), "{step}");
    assert!(step["advice"].as_str().unwrap().contains("HISTORY_MINUTES"), "{step}");
    assert_eq!(report["ok"], true);
}

#[tokio::test]
async fn a_system_without_entity_state_is_no_failure() {
    let environment = Environment::new(|name| (name == "ENTITY_STATE").then(|| "false".to_owned()));
    let system = system_with(Config { environment, ..Config::default() }).await;
    let (ended, report) = doctor(&system.websocket_url(), &[], &[]).await;
    assert_eq!(steps(&report)[8..], [("resume", "passed"), ("state", "skipped")], "{ended:?}");
    let step = &report["tenants"][0]["steps"][9];
    assert!(step["detail"].as_str().unwrap().contains("keeps no entity state"), "{step}");
    assert!(step["advice"].as_str().unwrap().contains("ENTITY_STATE=true"), "{step}");
    assert_eq!(report["ok"], true);
}

#[tokio::test]
async fn the_check_of_the_entity_state_leaves_no_entity_behind() {
    let system = system().await;
    let mut listener = listen(&system, "demo", &["--output", "json"]).await;
    let (ended, _) = doctor(&system.websocket_url(), &[], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut kinds = Vec::new();
    while kinds.len() < 5 {
        let event: Value = serde_json::from_str(&listener.line().await).unwrap();
        assert_eq!(event["entityType"], "EntityStreamDoctor");
        kinds.push(event["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds, ["entityDeleted", "entityDeleted", "entityCreated", "entityUpdated", "entityDeleted"]);
    let list = ["state", "list", "--tenant", "demo", "--ids-only", "--dynamodb-url", &system.dynamodb_url()];
    let listed = run(&list).await;
    assert_eq!((listed.code, listed.stdout.as_str()), (Some(0), ""), "{listed:?}");
}

#[tokio::test]
async fn a_broken_step_of_the_network_is_named() {
    let (_, report) = doctor("ws://no.such.host.invalid", &[], &[]).await;
    assert_fails_at(&report, "name", "no.such.host.invalid cannot be found", "check the host name in --url");

    let (_closed, free) = closed_port();
    let (_, report) = doctor(&format!("ws://{free}"), &[], &[]).await;
    assert_fails_at(&report, "reachable", "refused", "start it with `entity-stream local`");

    let system = system().await;
    let (_, report) = doctor(&system.websocket_url().replace("ws:", "wss:"), &[], &[]).await;
    assert_fails_at(&report, "tls", "the server speaks no TLS", "try ws://");

    let foreign = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", foreign.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = foreign.accept().await {
            let mut request = [0; 4096];
            let _ = client.read(&mut request).await;
            let _ = client.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await;
        }
    });
    let (_, report) = doctor(&url, &[], &[]).await;
    assert_fails_at(&report, "handshake", "", "another service than Entity Stream answers there");

    let (_, report) = doctor(&format!("{}/prod", system.websocket_url()), &[], &[]).await;
    assert_fails_at(&report, "handshake", "refused with 403", "ends with the stage");

    let url = format!("{}?group_id=a%23b", system.websocket_url());
    let (_, report) = doctor(&url, &[], &[]).await;
    assert_fails_at(&report, "handshake", "group_id", "correct the value that the reason names");
}

#[tokio::test]
async fn switched_off_streaming_is_named() {
    let system = system_with(Config { event_streaming_enabled: false, ..Config::default() }).await;
    let (_, report) = doctor(&system.websocket_url(), &[], &[]).await;
    assert_fails_at(&report, "credential", "1013", "EVENT_STREAMING_ENABLED=true");
}

#[tokio::test]
async fn a_credential_that_does_not_do_is_named_and_never_shown() {
    for refuse_with in [RefuseWith::Close, RefuseWith::Status] {
        let system = guarded(&[], refuse_with).await;
        let url = system.websocket_url();
        let expected = if refuse_with == RefuseWith::Close { "close code 1008" } else { "refused with 40" };
        // The local system refuses after the handshake, API Gateway during it. Both are about the credential.
        let assert_refused = |report: &Value, advice: &str| {
            let steps = report["tenants"][0]["steps"].as_array().unwrap();
            let step = steps.last().unwrap();
            assert_eq!((&step["check"], &step["verdict"]), (&json!("credential"), &json!("failed")), "{report}");
            assert!(step["detail"].as_str().unwrap().contains(expected), "{step}");
            assert!(step["advice"].as_str().unwrap().contains(advice), "{step}");
        };
        let (_, report) = doctor(&url, &[], &[]).await;
        assert_refused(&report, "ENTITY_STREAM_TOKEN");
        for bad in ["eyJnonsense".to_owned(), token("city").await] {
            let (ended, report) = doctor(&url, &[], &[("ENTITY_STREAM_TOKEN", &bad)]).await;
            assert_refused(&report, "token --inspect");
            assert!(!format!("{ended:?}").contains(&bad));
        }
        let key = [("ENTITY_STREAM_API_KEY", "es_wrong")];
        let (ended, report) = doctor(&url, &["--api-key", "robot"], &key).await;
        assert_refused(&report, "keys list");
        assert!(!format!("{ended:?}").contains("es_wrong"));

        let good = token("demo").await;
        let (ended, report) = doctor(&url, &[], &[("ENTITY_STREAM_TOKEN", &good)]).await;
        assert_eq!(steps(&report), PASSED, "{ended:?}");
        assert!(ended.stdout.contains("the token is accepted, and clients without one are refused"), "{ended:?}");
    }

    // If clients may authenticate with their first message, the answer to `subscribe` refuses.
    let system = guarded(&[("AUTH_IN_BAND", "true")], RefuseWith::Status).await;
    let (_, report) = doctor(&system.websocket_url(), &[], &[]).await;
    assert_fails_at(&report, "credential", "send authenticate first", "ENTITY_STREAM_TOKEN");
}

#[tokio::test]
async fn a_credential_that_the_server_ignores_is_a_warning() {
    let system = system().await;
    let (ended, report) = doctor(&system.websocket_url(), &[], &[("ENTITY_STREAM_TOKEN", "eyJwhatever")]).await;
    assert_eq!(steps(&report)[3], ("credential", "warning"), "{ended:?}");
    assert!(report["ok"] == true && ended.stdout.contains("AUTH_ENABLED=true"), "{ended:?}");
    assert!(!format!("{ended:?}").contains("eyJwhatever"));
}

#[tokio::test]
async fn a_token_that_a_public_tenant_does_not_need_is_a_warning() {
    let system = guarded(&[("PUBLIC_TENANTS", "demo")], RefuseWith::Status).await;
    let good = token("demo").await;
    let (ended, report) = doctor(&system.websocket_url(), &[], &[("ENTITY_STREAM_TOKEN", &good)]).await;
    assert_eq!(steps(&report)[3], ("credential", "warning"), "{ended:?}");
    let step = &report["tenants"][0]["steps"][3];
    // The server has checked it, which the doctor cannot know.
    assert!(step["detail"].as_str().unwrap().contains("clients without one may listen too"), "{step}");
    assert!(step["advice"].as_str().unwrap().contains("PUBLIC_TENANTS"), "{step}");
    assert!(!step.to_string().contains("not checked"), "{step}");
    assert_eq!(report["ok"], true);
}

#[tokio::test]
async fn a_bound_token_without_its_key_is_named() {
    let system = guarded(&[("MAX_CONNECTIONS_PER_SUBJECT", "1")], RefuseWith::Status).await;
    let url = system.websocket_url();
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key.pem").to_str().unwrap().to_owned();
    let ended = run_with(&["token", "--tenant", "demo", "--dpop", &key], &[("JWT_SECRET", SECRET)], "").await;
    let bound = [("ENTITY_STREAM_TOKEN", ended.stdout.trim())];
    let (_, report) = doctor(&url, &[], &bound).await;
    assert_fails_at(&report, "credential", "DPoP proof required", "the token is bound to a key: pass --dpop-key FILE");

    // With the key, the subject's only connection is the fault.
    let mut listener = start_with(&["listen", "demo", "--url", &url, "--dpop-key", &key], &bound);
    listener.says("listening to demo").await;
    let (_, report) = doctor(&url, &["--dpop-key", &key], &bound).await;
    assert_fails_at(&report, "handshake", "too many connections", "the subject has too many connections");
}

#[tokio::test]
async fn an_absent_or_wrong_bus_is_named() {
    let (system, other) = (system().await, system().await);
    let url = system.websocket_url();
    let (_closed, free) = closed_port();
    let (_, report) = doctor(&url, &["--endpoint-url", &format!("http://{free}")], &[]).await;
    assert_fails_at(&report, "publish", "cannot publish to", "--endpoint-url");

    let (_, report) = doctor(&url, &["--endpoint-url", &other.http_url(), "--timeout", "500ms"], &[]).await;
    assert_fails_at(&report, "delivery", "did not arrive in", "same system");

    let region = ["--event-bus", "city", "--region", "us-east-1"];
    let (_, report) = doctor(&url, &region, &[("AWS_EC2_METADATA_DISABLED", "true")]).await;
    assert_fails_at(&report, "publish", "no AWS credentials", "events:PutEvents");

    let credentials = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let http = system.http_url();
    // As on AWS, an event for a bus that does not exist is accepted and dropped.
    let args = [&region[..], &["--endpoint-url", &http, "--timeout", "500ms"]].concat();
    let (_, report) = doctor(&url, &args, &credentials).await;
    assert_fails_at(&report, "delivery", "did not arrive in", "the rule reads this bus");
    let args = ["--event-bus", "default", "--region", "us-east-1", "--endpoint-url", &http];
    let (ended, report) = doctor(&url, &args, &credentials).await;
    assert_eq!(steps(&report), PASSED, "{ended:?}");
}

/// The result of an invocation of `broadcast`.
#[derive(Clone, Copy, PartialEq)]
enum Broadcast {
    Fails,
    Never,
}

/// Functions behind the Invoke API: `broadcast` does not work, and `default` acknowledges a `subscribe` as the real one does.
async fn endpoint(gateway: Arc<OnceLock<String>>, broadcast: Broadcast) -> String {
    let invoke = move |Path(name): Path<String>, body: Bytes| {
        let gateway = Arc::clone(&gateway);
        async move {
            let mut headers = HeaderMap::new();
            let event: Value = serde_json::from_slice(&body).unwrap();
            if name == "broadcast" && broadcast == Broadcast::Never {
                std::future::pending::<()>().await;
            }
            if name == "broadcast" {
                headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
                return (headers, json!({ "errorType": "TableError", "errorMessage": "no table" }).to_string());
            }
            if name == "default" {
                let subscribe: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
                let answer = json!({ "type": "subscribed", "requestId": subscribe["requestId"] }).to_string();
                let id = event["requestContext"]["connectionId"].as_str().unwrap();
                let uri = format!("{}/@connections/{}", gateway.get().unwrap(), id.replace('=', "%3D"));
                let request = axum::http::Request::post(uri).body(Full::new(Bytes::from(answer))).unwrap();
                let client = Client::builder(TokioExecutor::new()).build_http();
                assert!(client.request(request).await.unwrap().status().is_success());
            }
            (headers, json!({ "statusCode": 200 }).to_string())
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/2015-03-31/functions/{name}/invocations", post(invoke));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// A server that answers `subscribe`, and answers a ping with this frame.
async fn pong(frame: &'static str) -> String {
    let server = WebSocketServer::start().await;
    let url = server.url.clone();
    tokio::spawn(async move {
        let mut client = server.accept().await;
        client.subscribed().await;
        let ping = client.message().await;
        assert_eq!((&ping["action"], &ping["requestId"]), (&json!("ping"), &json!("doctor")));
        client.send(frame).await;
        client.closed().await;
    });
    url
}

#[tokio::test]
async fn a_pong_without_the_id_of_the_ping_is_a_warning() {
    for (frame, verdict) in [
        (r#"{"type":"pong","requestId":"doctor"}"#, "passed"),
        (r#"{"type":"pong"}"#, "warning"),
        (r#"{"type":"pong","requestId":"other"}"#, "warning"),
    ] {
        // The network is checked with a connection of its own.
        let (ended, report) = doctor(&pong(frame).await, &["--no-publish"], &[]).await;
        let ping = &report["tenants"][0]["steps"][5];
        assert_eq!((&ping["check"], &ping["verdict"]), (&json!("ping"), &json!(verdict)), "{ended:?}");
        assert_eq!(
            ping["advice"].as_str().is_some_and(|advice| advice.contains("PingRoute=function")),
            verdict == "warning"
        );
        assert_eq!(report["ok"], true);
    }
}

#[tokio::test]
async fn a_change_that_waits_behind_others_is_told_from_a_wrong_bus() {
    let gateway = Arc::new(OnceLock::new());
    let endpoint = endpoint(Arc::clone(&gateway), Broadcast::Never).await;
    let functions = FunctionHost::Lambda { endpoint, names: FunctionNames::default() };
    let system = system_with(Config { functions, ..Config::default() }).await;
    gateway.set(system.http_url()).unwrap();
    let http = system.http_url();
    let flood = ["simulate", "demo", "--rate", "5000", "--count", "1000", "--endpoint-url", &http];
    assert_eq!(run(&flood).await.code, Some(0));
    let (_, report) = doctor(&system.websocket_url(), &["--timeout", "3s"], &[]).await;
    assert_fails_at(&report, "delivery", "wait for delivery, the oldest since", "until the system has caught up");
    assert!(!report.to_string().contains("same system"), "{report}");
}

#[tokio::test]
async fn a_change_that_becomes_a_dead_letter_is_named_with_the_reason() {
    let gateway = Arc::new(OnceLock::new());
    let endpoint = endpoint(Arc::clone(&gateway), Broadcast::Fails).await;
    let functions = FunctionHost::Lambda { endpoint, names: FunctionNames::default() };
    let times = Times { retry_delays: vec![Duration::from_millis(10); 2], ..Times::default() };
    let system = system_with(Config { functions, times, ..Config::default() }).await;
    gateway.set(system.http_url()).unwrap();
    let (_, report) = doctor(&system.websocket_url(), &["--timeout", "30s"], &[]).await;
    assert_fails_at(
        &report,
        "delivery",
        "dead letter: TableError: no table (3 attempts)",
        "invocation of the broadcast function failed",
    );
}
