//! Brokers that send 100 notifications of 10 entities a second.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use crate::harness::{Client, System};

/// The time between two notifications.
const PACE: Duration = Duration::from_millis(10);
const ENTITIES: usize = 10;
/// The notifications that the broker sends at the same time. The others wait in its queue.
const WORKERS: usize = 100;

/// The seconds for which notifications are sent. The long checks have a minute of them.
fn seconds() -> usize {
    std::env::var("ENTITY_STREAM_NOTIFY_SECONDS").ok().and_then(|number| number.parse().ok()).unwrap_or(2)
}

/// A broker. It keeps its connections and has a queue, as brokers do.
#[derive(Clone)]
struct Broker {
    client: HttpClient<HttpConnector, Full<Bytes>>,
    url: String,
    workers: Arc<Semaphore>,
}

impl Broker {
    /// Sends a notification until it is accepted. Returns how often it was not.
    async fn send(&self, number: usize) -> usize {
        let _worker = self.workers.acquire().await.unwrap();
        let body = Bytes::from(notification(number));
        let mut refused = 0;
        while let Some(pause) = self.try_to_send(body.clone()).await {
            refused += 1;
            sleep(pause).await;
        }
        refused
    }

    /// Sends a notification once. Returns the time after which to send it again, if it was not accepted.
    async fn try_to_send(&self, body: Bytes) -> Option<Duration> {
        let request = Request::post(&self.url).header("fiware-service", "city");
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Full::new(body)).unwrap();
        // The test and the system share the machine: its queue of new connections may overflow.
        let Ok(answer) = self.client.request(request).await else { return Some(Duration::from_secs(1)) };
        let (parts, body) = answer.into_parts();
        body.collect().await.ok()?;
        match parts.status {
            StatusCode::NO_CONTENT => None,
            StatusCode::SERVICE_UNAVAILABLE => {
                let seconds = parts.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
                Some(Duration::from_secs(seconds))
            }
            other => panic!("{other}"),
        }
    }
}

fn notification(number: usize) -> String {
    let entity = |i: usize| {
        json!({
            "id": format!("{number}-{i}"), "type": "Room",
            "temperature": { "type": "Number", "value": number, "metadata": {} },
        })
    };
    json!({ "subscriptionId": "1", "data": (0..ENTITIES).map(entity).collect::<Vec<_>>() }).to_string()
}

/// Receives until every entity was there. It fails if nothing arrives for a while. Returns the number of repeats.
async fn receive(client: &mut Client, number: usize) -> usize {
    let (mut seen, mut repeats) = (HashSet::new(), 0);
    while seen.len() < number {
        let message = client.json().await;
        let events = match message["type"].as_str() {
            Some("events") => message["events"].as_array().unwrap().clone(),
            _ => vec![message],
        };
        for event in events {
            repeats += usize::from(!seen.insert(id_of(&event)));
        }
    }
    repeats
}

fn id_of(event: &Value) -> String {
    event["entityId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_notifications_a_second_all_arrive() {
    let (system, number) = (System::start().await, seconds() * 100);
    let mut client = system.connect("tenant=city&batch=true").await;
    let url = format!("{}/notify", system.local.http_url());
    let broker = Broker {
        client: HttpClient::builder(TokioExecutor::new()).build_http(),
        url,
        workers: Arc::new(Semaphore::new(WORKERS)),
    };
    let sending = async {
        let (mut notifications, mut pace) = (JoinSet::new(), interval(PACE));
        for number in 0..number {
            pace.tick().await;
            let broker = broker.clone();
            notifications.spawn(async move { broker.send(number).await });
        }
        notifications.join_all().await
    };
    let (refused, repeats) = tokio::join!(sending, receive(&mut client, number * ENTITIES));
    assert_eq!(refused.len(), number, "every notification was accepted in the end");
    let told = refused.iter().sum::<usize>();
    // A notification that was published in part is sent again as a whole.
    assert!(repeats <= told * ENTITIES, "{repeats} repeats, and {told} answers that were not 204");
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
}
