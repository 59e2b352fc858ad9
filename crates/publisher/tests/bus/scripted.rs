use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::config::{BehaviorVersion, Config, Credentials, Region};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use entity_stream_publisher::{BusEntry, Publisher};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// The answer to one request.
pub(crate) enum Answer {
    /// 200 with the answer to each entry: an error code, or `None` for an event id.
    Entries(Vec<Option<&'static str>>),
    /// An error of the whole request, or another endpoint's answer: status and body.
    Error(u16, &'static str),
    /// No answer while the test runs.
    Never,
}

/// An event bus that answers as `script` says, from the number of the request (from 0) and the details in it.
pub(crate) struct ScriptedBus {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Vec<Value>>>>,
}

impl ScriptedBus {
    pub(crate) async fn start(script: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static) -> Self {
        let requests: Arc<Mutex<Vec<Vec<Value>>>> = Arc::default();
        let (seen, script) = (Arc::clone(&requests), Arc::new(script));
        let handle = move |body: String| {
            let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
            async move {
                let body: Value = serde_json::from_str(&body).unwrap();
                let entries = body["Entries"].as_array().unwrap().clone();
                let details: Vec<_> =
                    entries.iter().map(|entry| entry["Detail"].as_str().unwrap().to_owned()).collect();
                let answer = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(entries);
                    script(seen.len() - 1, &details)
                };
                respond(answer).await
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(handle))).await });
        Self { url, requests }
    }

    /// Accepts every entry.
    pub(crate) async fn willing() -> Self {
        Self::start(|_, details| Answer::Entries(vec![None; details.len()])).await
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(client(&self.url), "city")
    }

    /// The entries of every request so far.
    pub(crate) fn requests(&self) -> Vec<Vec<Value>> {
        self.requests.lock().unwrap().clone()
    }

    /// The details of every request so far.
    pub(crate) fn details(&self) -> Vec<Vec<String>> {
        let detail = |entry: &Value| entry["Detail"].as_str().unwrap().to_owned();
        self.requests().iter().map(|entries| entries.iter().map(detail).collect()).collect()
    }
}

async fn respond(answer: Answer) -> Response {
    let content_type = [("content-type", "application/x-amz-json-1.1")];
    match answer {
        Answer::Entries(codes) => {
            let entries = codes.iter().enumerate().map(|(index, code)| match code {
                Some(code) => json!({ "ErrorCode": code, "ErrorMessage": "as the test says" }),
                None => json!({ "EventId": format!("id-{index}") }),
            });
            (content_type, json!({ "Entries": entries.collect::<Vec<_>>() }).to_string()).into_response()
        }
        Answer::Error(status, body) => (StatusCode::from_u16(status).unwrap(), content_type, body).into_response(),
        Answer::Never => std::future::pending().await,
    }
}

pub(crate) fn client(url: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .build();
    Client::from_conf(config)
}

pub(crate) fn entry(detail: impl Into<String>) -> BusEntry {
    BusEntry::new("test", "entity.changed", detail)
}

pub(crate) fn entries(count: usize) -> Vec<BusEntry> {
    (0..count).map(|number| entry(number.to_string())).collect()
}

/// Longer than any test takes.
pub(crate) fn distant() -> Instant {
    Instant::now() + Duration::from_secs(60)
}
