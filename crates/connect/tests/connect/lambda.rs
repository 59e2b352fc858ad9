//! The binary in Lambda: a process that takes events from a Runtime API, and writes logs and metrics to its output.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use entity_stream_testing::{Endpoint, Reply};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "not-to-be-found-in-any-log-0123456789";

/// A Runtime API that provides one event and records the answer.
async fn runtime_api(event: &'static str) -> (String, mpsc::UnboundedReceiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (answers, answered) = mpsc::unbounded_channel();
    let event = Arc::new(Mutex::new(Some(event)));
    let app = Router::new().fallback(move |request: Request| {
        let (event, answers) = (Arc::clone(&event), answers.clone());
        async move {
            if request.uri().path().ends_with("/invocation/next") {
                let next = event.lock().unwrap().take();
                let Some(event) = next else { return std::future::pending().await };
                let mut headers = HeaderMap::new();
                headers.insert("lambda-runtime-aws-request-id", HeaderValue::from_static("invocation-1"));
                headers.insert("lambda-runtime-deadline-ms", HeaderValue::from_static("4102444800000"));
                headers.insert("lambda-runtime-invoked-function-arn", HeaderValue::from_static("arn"));
                return (headers, event).into_response();
            }
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
            answers.send(serde_json::from_slice(&body).unwrap()).unwrap();
            StatusCode::ACCEPTED.into_response()
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, answered)
}

/// Starts the function with this Runtime API and these variables, besides the variables that Lambda sets.
fn function(runtime_api: &str, settings: &[(&str, &str)]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_connect"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", "connect"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ])
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

/// Waits for a line of output for which `holds` is true. Every line must be JSON without credentials.
async fn line(lines: &mut Lines<BufReader<ChildStdout>>, holds: impl Fn(&Value) -> bool) -> Value {
    timeout(PATIENCE, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the function goes on");
            assert!(!line.contains(SECRET) && !line.contains("eyJ"), "a credential was logged: {line}");
            let line: Value = serde_json::from_str(&line).expect("every line is JSON");
            if holds(&line) {
                return line;
            }
        }
    })
    .await
    .expect("the line comes")
}

#[tokio::test]
async fn a_refusal_is_answered_logged_and_counted() {
    let event = include_str!("../../../../events/connect/authorization-bearer.json");
    let (api, mut answered) = runtime_api(event).await;
    let settings = [
        ("EVENT_STREAMING_ENABLED", "true"),
        ("AUTH_ENABLED", "true"),
        ("JWT_SECRET", SECRET),
        ("WS_CONNECTIONS_TABLE", "connections"),
        ("WS_API_KEYS_TABLE", "api-keys"),
    ];
    let (_child, mut lines) = function(&api, &settings);
    let log = line(&mut lines, |line| line["message"] == "refused").await;
    assert_eq!((&log["level"], &log["source_ip"].is_string()), (&Value::from("WARN"), &true), "{log}");
    let span = &log["span"];
    assert!(span["connection_id"].is_string() && span["tenant"].is_string() && span["request_id"].is_string(), "{log}");
    let metrics = line(&mut lines, |line| line.get("_aws").is_some()).await;
    assert_eq!((&metrics["Refusals"], &metrics["reason"]), (&Value::from(1), &log["reason"]), "{metrics}");
    assert_eq!(metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"], "EntityStream");
    assert_eq!(metrics["FunctionName"], "connect", "several deployments in one account are told apart: {metrics}");
    let answer = timeout(PATIENCE, answered.recv()).await.unwrap().unwrap();
    assert_eq!(answer["statusCode"], 401, "{answer}");
}

/// Lambda drops lines below its level, and metrics are lines without one. So the function has a level of its own.
#[tokio::test]
async fn a_handshake_that_fails_by_our_fault_is_counted_at_every_level() {
    const DENIED: &str = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}"#;
    let dynamodb = Endpoint::new(|_| Reply::Status(400, &[], DENIED.to_owned())).await;
    for level in ["TRACE", "WARN", "ERROR", "off"] {
        let (api, mut answered) = runtime_api(include_str!("../../../../events/connect/no-token.json")).await;
        let settings = [
            ("EVENT_STREAMING_ENABLED", "true"),
            ("AUTH_ENABLED", "false"),
            ("WS_CONNECTIONS_TABLE", "connections"),
            ("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb.url),
            ("RUST_LOG", level),
        ];
        let (_child, mut lines) = function(&api, &settings);
        let shown = std::cell::RefCell::new(Vec::new());
        let metrics = line(&mut lines, |line| {
            shown.borrow_mut().push(line["level"].clone());
            line.get("_aws").is_some()
        });
        let metrics = metrics.await;
        assert_eq!(
            (&metrics["HandshakeFaults"], &metrics["FunctionName"]),
            (&1.into(), &"connect".into()),
            "{metrics}"
        );
        assert!(level == "TRACE" || !shown.borrow().contains(&"INFO".into()), "{level}: {shown:?}");
        let answer = timeout(PATIENCE, answered.recv()).await.unwrap().unwrap();
        assert!(answer["statusCode"].as_i64() >= Some(500), "{answer}");
    }
}

#[tokio::test]
async fn an_unreadable_event_is_not_repeated() {
    const EVENT: &str = r#"{"headers":{"Authorization":"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.x\u0001"},
        "requestContext":{"connectionId":"a="}}"#;
    let (api, mut answered) = runtime_api(EVENT).await;
    let settings =
        [("EVENT_STREAMING_ENABLED", "true"), ("AUTH_ENABLED", "false"), ("WS_CONNECTIONS_TABLE", "connections")];
    let (_child, mut lines) = function(&api, &settings);
    let log = line(&mut lines, |line| line["message"] == "the event cannot be read").await;
    assert_eq!(log["level"], "ERROR", "{log}");
    let answer = timeout(PATIENCE, answered.recv()).await.unwrap().unwrap();
    assert_eq!(answer["errorType"], "InvalidEvent", "{answer}");
    assert!(answer["errorMessage"].as_str().unwrap().contains("line 1, column"), "{answer}");
    assert!(!answer.to_string().contains("eyJ"), "{answer}");
}

#[tokio::test]
async fn logs_at_trace_contain_no_events() {
    let event = include_str!("../../../../events/connect/authorization-bearer.json");
    let level = "trace,lambda_runtime::layers=trace,lambda_runtime::layers::api_response=trace";
    for variable in ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"] {
        let (api, _answered) = runtime_api(event).await;
        let settings = [
            ("EVENT_STREAMING_ENABLED", "true"),
            ("AUTH_ENABLED", "true"),
            ("JWT_SECRET", SECRET),
            ("WS_CONNECTIONS_TABLE", "connections"),
            ("WS_API_KEYS_TABLE", "api-keys"),
            ("AWS_LAMBDA_LOG_LEVEL", ""),
            (variable, level),
        ];
        let (_child, mut lines) = function(&api, &settings);
        line(&mut lines, |line| line["message"] == "refused").await;
        line(&mut lines, |line| line.get("_aws").is_some()).await;
    }
}

#[tokio::test]
async fn log_levels_of_lambda_are_accepted_and_misspelt_ones_are_named() {
    for (variable, level) in
        [("AWS_LAMBDA_LOG_LEVEL", "verbose"), ("AWS_LAMBDA_LOG_LEVEL", "info,banana"), ("RUST_LOG", "banana")]
    {
        let settings = [("AWS_LAMBDA_LOG_LEVEL", ""), (variable, level)];
        let (mut child, mut lines) = function("127.0.0.1:9", &settings);
        let log = line(&mut lines, |line| line["message"] == "the function cannot start").await;
        let error = log["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("{variable} is invalid: expected error, warn")), "{error}");
        assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(1));
    }
    for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "error", "off,entity_stream=error"] {
        // The function reports the missing variables at that level.
        let (_child, mut lines) = function("127.0.0.1:9", &[("AWS_LAMBDA_LOG_LEVEL", level)]);
        let log = line(&mut lines, |line| line["message"] == "the function cannot start").await;
        assert!(log["error"].as_str().unwrap().contains("AUTH_ENABLED is not set"), "{level}: {log}");
    }
}

#[tokio::test]
async fn a_missing_or_malformed_variable_is_named_at_the_start() {
    let complete = [
        ("EVENT_STREAMING_ENABLED", "true"),
        ("AUTH_ENABLED", "true"),
        ("JWT_SECRET", SECRET),
        ("WS_CONNECTIONS_TABLE", "connections"),
        ("WS_API_KEYS_TABLE", "api-keys"),
    ];
    for (broken, value) in [
        ("WS_CONNECTIONS_TABLE", ""),
        ("WS_API_KEYS_TABLE", ""),
        ("AUTH_ENABLED", ""),
        ("AUTH_ENABLED", "yes"),
        ("JWT_SECRET", "too short"),
        ("ALLOWED_ORIGINS", "everywhere"),
    ] {
        let mut settings: Vec<_> = complete.into_iter().filter(|(name, _)| *name != broken).collect();
        settings.push((broken, value));
        let (mut child, mut lines) = function("127.0.0.1:9", &settings);
        let log = line(&mut lines, |line| line["message"] == "the function cannot start").await;
        let error = log["error"].as_str().unwrap();
        assert!(error.starts_with(broken) && error.contains(": expected ") && !error.contains('\n'), "{error}");
        assert!(!error.contains(SECRET), "{error}");
        assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(1));
    }
}

#[tokio::test]
async fn all_faults_are_in_one_line_of_the_log() {
    let settings = [
        ("AWS_LAMBDA_LOG_LEVEL", "banana"),
        ("AUTH_ENABLED", "true"),
        ("JWT_SECRET", "hunter2"),
        ("ALLOWED_ORIGINS", "everywhere"),
    ];
    let (mut child, mut lines) = function("127.0.0.1:9", &settings);
    let log = line(&mut lines, |line| line["message"] == "the function cannot start").await;
    let error = log["error"].as_str().unwrap();
    let named: Vec<_> = error.lines().map(|line| line.split(" is ").next().unwrap()).collect();
    let expected =
        ["AWS_LAMBDA_LOG_LEVEL", "WS_CONNECTIONS_TABLE", "JWT_SECRET", "WS_API_KEYS_TABLE", "ALLOWED_ORIGINS"];
    assert_eq!(named, expected, "{error}");
    assert!(!error.contains("hunter2") && !error.contains("everywhere"), "{error}");
    assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(1));
}
