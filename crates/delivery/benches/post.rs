//! CPU time of one message to one connection, against an endpoint on this machine in a process of its own: ours, unsigned
//! HTTP by `hyper` as the floor, and the SDK's client.
//!
//! `cargo bench -p entity-stream-delivery --bench post`; the figures are in `BENCHMARKS.md`.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing to say")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use axum::Router;
use axum::http::StatusCode;
use bytes::Bytes;
use entity_stream_delivery::{ManagementApi, Message, Outcome};
use entity_stream_protocol::ConnectionId;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

const MESSAGES: usize = 20_000;
const ROUNDS: usize = 5;
const CONCURRENCY: usize = 64;
const ID: &str = "XyZ12cdeIAMCJ1g=";

/// One thread, so that its CPU time is all there is.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    if std::env::args().any(|argument| argument == "--serve") {
        return serve().await;
    }
    let endpoint = Endpoint::start();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "bench")))
        .endpoint_url(&endpoint.url)
        .build();
    let floor = Floor { client: Client::builder(TokioExecutor::new()).build_http(), url: endpoint.url.clone() };
    let ours = ManagementApi::new(&config, &endpoint.url).unwrap();
    let sdk = aws_sdk_apigatewaymanagement::Client::new(&config);
    println!(
        "CPU per message in µs, median of {ROUNDS} rounds of {MESSAGES} messages, {CONCURRENCY} under way at once"
    );
    println!("message   unsigned hyper   ours            SDK client");
    for size in [300, 8 * 1024] {
        let message = Bytes::from(vec![b'x'; size]);
        let signed = Message::new(message.clone());
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            times[0].push(measure(|| floor.post(message.clone())).await);
            times[1].push(measure(|| post_ours(&ours, &signed)).await);
            times[2].push(measure(|| post_sdk(&sdk, message.clone())).await);
        }
        let [floor, ours, sdk] = times.map(median);
        println!(
            "{size:>6} B   {floor:>6.1} (1.00)    {ours:>6.1} ({:.2})    {sdk:>6.1} ({:.2})",
            ours / floor,
            sdk / floor
        );
    }
}

/// The CPU time of this thread for one message, in microseconds.
async fn measure<F: Future<Output = ()>>(post: impl Fn() -> F) -> f64 {
    let before = cpu_nanoseconds();
    stream::iter(0..MESSAGES).map(|_| post()).buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
    #[allow(clippy::cast_precision_loss, reason = "a few seconds in nanoseconds are exact in a float")]
    let spent = (cpu_nanoseconds() - before) as f64;
    spent / 1000.0 / f64::from(u32::try_from(MESSAGES).unwrap())
}

/// The first field of `/proc/thread-self/schedstat`: time spent on a CPU.
fn cpu_nanoseconds() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux keeps the time of each thread");
    stat.split_whitespace().next().unwrap().parse().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Floor {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

impl Floor {
    async fn post(&self, message: Bytes) {
        let request = Request::post(format!("{}/@connections/{ID}", self.url)).body(Full::new(message)).unwrap();
        let response = self.client.request(request).await.unwrap();
        assert!(response.status().is_success());
        response.into_body().collect().await.unwrap();
    }
}

async fn post_ours(api: &ManagementApi, message: &Message) {
    let id = ConnectionId::parse(ID).unwrap();
    assert_eq!(api.post(&id, message).await, Outcome::Delivered);
}

async fn post_sdk(client: &aws_sdk_apigatewaymanagement::Client, message: Bytes) {
    client.post_to_connection().connection_id(ID).data(Blob::new(message)).send().await.unwrap();
}

/// An endpoint that takes everything.
struct Endpoint {
    process: Child,
    url: String,
}

impl Endpoint {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg("--serve")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the endpoint starts");
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned() }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(async |_: Bytes| StatusCode::OK);
    axum::serve(listener, app).await.unwrap();
}
