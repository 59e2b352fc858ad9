//! Measures the delivery of one event to audiences of 1,000 to 100,000 connections: the time, the number of invocations, and
//! the memory of the function.
//!
//! Run it with `cargo bench -p entity-stream-tests --bench audience`. The figures are in `BENCHMARKS.md`. It fails if a
//! connection receives the event twice or not at all.
//!
//! The table and the `@connections` endpoint are in a process of their own. This process is the bus and ten instances of the
//! function, as with a reserved concurrency of ten.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the benchmark prints its figures, and a benchmark that panics has failed"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use entity_stream_broadcast::{Broadcast, Summary};
use entity_stream_clock::Clock;
use entity_stream_connections::{Authorisation, Connection, Table, stable_hash};
use entity_stream_local::{CONNECTIONS_TABLE, Config, Local, aws_config};
use entity_stream_protocol::{ConnectionId, Filter, Format, Tenant};
use entity_stream_runtime::{AwsServices, BroadcastConfig, Environment};
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const INSTANCES: usize = 10;
/// The duration of every call.
const LATENCY: Duration = Duration::from_millis(10);
/// An account's limit of calls in a second, and at once.
const RATE: f64 = 10_000.0;
const BURST: f64 = 500.0;

#[tokio::main]
async fn main() {
    if std::env::args().any(|argument| argument == "--world") {
        return world().await;
    }
    let world = World::start();
    println!("connections  endpoint    seconds   calls/s  429s/call  invocations  largest  peak memory");
    for endpoint in ["free", "limited"] {
        for size in SIZES {
            measure(&world, endpoint, size).await;
        }
    }
}

async fn measure(world: &World, endpoint: &str, size: usize) {
    let tenant = format!("{endpoint}{size}");
    populate(world, &tenant, size).await;
    let (bus_url, mut continuations) = bus().await;
    let api = format!("{}/{endpoint}", world.endpoint);
    let mut idle: Vec<Broadcast> = (0..INSTANCES).map(|_| function(world, &api, &bus_url)).collect();
    let mut waiting = vec![event(&tenant)];
    let (mut under_way, mut reports) = (FuturesUnordered::new(), Vec::<Summary>::new());
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux resets the peak");
    let before = memory("VmRSS");
    let started = Instant::now();
    loop {
        while !waiting.is_empty() && !idle.is_empty() {
            let (function, event) = (idle.pop().unwrap(), waiting.remove(0));
            under_way.push(tokio::spawn(async move { (invoke(&function, &event).await, function) }));
        }
        tokio::select! {
            Some(done) = under_way.next() => {
                let (report, function) = done.unwrap();
                reports.push(report);
                idle.push(function);
            }
            Some(event) = continuations.recv() => waiting.push(event),
        }
        while let Ok(event) = continuations.try_recv() {
            waiting.push(event);
        }
        if under_way.is_empty() && waiting.is_empty() {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let stats: Value = serde_json::from_slice(&fetch(&format!("{}/stats/{endpoint}", world.endpoint)).await).unwrap();
    assert_eq!(stats["accepted"], json!(size), "each connection accepts the event");
    assert_eq!(stats["connections"], json!(size), "each connection receives the event once");
    let throttled = stats["throttled"].as_f64().unwrap() / size as f64;
    let largest = reports.iter().map(|report| report.delivered).max().unwrap();
    println!(
        "{size:>11}  {endpoint:<8}  {seconds:>9.2}  {:>8.0}  {throttled:>9.2}  {:>11}  {largest:>7}  {:>6} KiB more",
        size as f64 / seconds,
        reports.len(),
        memory("VmHWM") - before,
    );
}

fn function(world: &World, api: &str, bus: &str) -> Broadcast {
    let settings = [
        ("EVENT_STREAMING_ENABLED", "true".to_owned()),
        ("WS_CONNECTIONS_TABLE", CONNECTIONS_TABLE.to_owned()),
        ("WS_API_ENDPOINT", api.to_owned()),
        ("EVENT_BUS_NAME", "bus".to_owned()),
    ];
    let environment =
        Environment::new(move |name| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()));
    let aws = AwsServices { event_bridge: aws_config(bus), ..AwsServices::all(aws_config(&world.dynamodb)) };
    Broadcast::new(BroadcastConfig::read(&environment).unwrap(), &aws, Clock::system())
}

async fn invoke(function: &Broadcast, event: &str) -> Summary {
    let mut context = Context::default();
    context.deadline = Clock::system().now().plus(Duration::from_secs(60)).millis();
    function.handle(LambdaEvent::new(serde_json::from_str(event).unwrap(), context)).await.unwrap()
}

fn envelope(source: &Value, detail_type: &Value, detail: &Value) -> String {
    json!({
        "version": "0", "id": format!("{:016x}", fastrand::u64(..)), "detail-type": detail_type, "source": source,
        "account": "123456789012", "time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": [],
        "detail": detail,
    })
    .to_string()
}

fn event(tenant: &str) -> String {
    envelope(
        &json!("bench"),
        &json!("entity.changed"),
        &json!({
            "type": "entityUpdated", "tenant": tenant, "entityId": "urn:ngsi-ld:Room:001", "entityType": "Room",
            "data": { "temperature": { "type": "Number", "value": 23.5, "metadata": {} } },
            "changedAttributes": ["temperature"], "timestamp": "2026-01-02T03:04:05Z",
        }),
    )
}

/// An event bus and its entries.
async fn bus() -> (String, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let app = Router::new().fallback(post(async move |body: Bytes| {
        let request: Value = serde_json::from_slice(&body).unwrap();
        let entries = request["Entries"].as_array().unwrap();
        for entry in entries {
            let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            sender.send(envelope(&entry["Source"], &entry["DetailType"], &detail)).unwrap();
        }
        let results: Vec<_> = entries.iter().map(|_| json!({ "EventId": "e" })).collect();
        json!({ "FailedEntryCount": 0, "Entries": results }).to_string()
    }));
    (serve(app).await, receiver)
}

/// Registers connections as copies of one connection's interest, because a broadcast reads only interests.
async fn populate(world: &World, tenant: &str, size: usize) {
    let client = aws_sdk_dynamodb::Client::new(&aws_config(&world.dynamodb));
    let first = Connection {
        id: ConnectionId::parse(tenant).unwrap(),
        tenant: Tenant::parse(tenant).unwrap(),
        connected_at: Clock::system().now(),
        subscriptions: vec![Filter::new(["Room"], None).unwrap().into()],
        acknowledgement: None,
        format: Format::Json,
        group: None,
        takes_batches: false,
        resumed: None,
        resumed_at: None,
        authorisation: Authorisation::Open,
    };
    Table::new(client.clone(), CONNECTIONS_TABLE).register(&first).await.unwrap();
    let text = |text: String| AttributeValue::S(text);
    let query = client.query().table_name(CONNECTIONS_TABLE).key_condition_expression("pk = :pk");
    let found = query.expression_attribute_values(":pk", text(format!("T#{tenant}#Room"))).send().await.unwrap();
    let interest = &found.items()[0];
    let ids: Vec<String> = (1..size).map(|n| format!("{tenant}c{n:08}AMCJA=")).collect();
    stream::iter(ids.chunks(25))
        .for_each_concurrent(8, async |ids| {
            let puts = ids.iter().map(|id| {
                let mut item = interest.clone();
                item.insert("sk".to_owned(), text(format!("{:016x}#{id}", stable_hash(id.as_bytes()))));
                let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
                WriteRequest::builder().put_request(put).build()
            });
            client.batch_write_item().request_items(CONNECTIONS_TABLE, puts.collect()).send().await.unwrap();
        })
        .await;
}

/// The process with the table and the endpoint.
struct World {
    child: Child,
    dynamodb: String,
    endpoint: String,
}

impl World {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--world")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let (dynamodb, endpoint) = (lines.next().unwrap(), lines.next().unwrap());
        Self { child, dynamodb, endpoint }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn world() {
    let free = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let local = Local::start(Config { listen: free(0), dynamodb: free(0), ..Config::default() }).await.unwrap();
    let meters: Arc<[Meter; 2]> = Arc::default();
    let app = Router::new()
        .route("/{endpoint}/@connections/{id}", post(take))
        .route("/stats/{endpoint}", get(stats))
        .with_state(meters);
    println!("{}\n{}", local.dynamodb_url(), serve(app).await);
    // Waits until the other process ends.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await.unwrap();
}

#[derive(Default)]
struct Meter {
    accepted: AtomicU64,
    throttled: AtomicU64,
    state: Mutex<(Option<Instant>, f64, HashMap<String, u32>)>,
}

type Meters = Arc<[Meter; 2]>;

fn meter<'a>(meters: &'a Meters, endpoint: &str) -> &'a Meter {
    &meters[usize::from(endpoint == "limited")]
}

async fn take(State(meters): State<Meters>, Path((endpoint, id)): Path<(String, String)>) -> StatusCode {
    let meter = meter(&meters, &endpoint);
    tokio::time::sleep(LATENCY).await;
    let mut state = meter.state.lock().unwrap();
    let (last, tokens, ids) = &mut *state;
    if endpoint == "limited" {
        let now = Instant::now();
        let since = last.replace(now).map_or(BURST, |last| (now - last).as_secs_f64() * RATE);
        *tokens = (*tokens + since).min(BURST);
        if *tokens < 1.0 {
            meter.throttled.fetch_add(1, Ordering::Relaxed);
            return StatusCode::TOO_MANY_REQUESTS;
        }
        *tokens -= 1.0;
    }
    *ids.entry(id).or_default() += 1;
    meter.accepted.fetch_add(1, Ordering::Relaxed);
    StatusCode::OK
}

/// The counts since the last request.
async fn stats(State(meters): State<Meters>, Path(endpoint): Path<String>) -> String {
    let meter = meter(&meters, &endpoint);
    let ids = std::mem::take(&mut meter.state.lock().unwrap().2);
    json!({
        "accepted": meter.accepted.swap(0, Ordering::Relaxed),
        "throttled": meter.throttled.swap(0, Ordering::Relaxed),
        "connections": ids.len(),
    })
    .to_string()
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn fetch(url: &str) -> Vec<u8> {
    use http_body_util::BodyExt;
    use hyper_util::client::legacy::Client;
    let client: Client<_, axum::body::Body> = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    client.get(url.parse().unwrap()).await.unwrap().into_body().collect().await.unwrap().to_bytes().to_vec()
}

/// A figure of `/proc/self/status`, in KiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
