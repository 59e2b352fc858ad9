//! One event without history, with it, and with entity state as well: write units, time and processor time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::http::StatusCode;
use entity_stream_broadcast::Broadcast;
use entity_stream_clock::Clock;
use entity_stream_connections::{Authorisation, Connection};
use entity_stream_local::{CONNECTIONS_TABLE, HISTORY_TABLE, aws_config};
use entity_stream_protocol::{ConnectionId, Filter, Format, Tenant};
use entity_stream_runtime::{AwsServices, BroadcastConfig, Environment};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::value::RawValue;
use tokio::net::TcpListener;

use crate::setting::{TENANT, detail, dynamodb, local};

/// Events of each measurement, after as many that warm up.
const EVENTS: usize = 2_000;

pub(crate) async fn measure() {
    println!("an event to one connection, {EVENTS} events one after the other");
    println!("data      keeps     write units   time p50   time p99   CPU/event");
    for data in [200, 700, 4_000] {
        for (kept, minutes, state) in [("nothing", "0", "false"), ("history", "60", "false"), ("state", "60", "true")] {
            let local = local(minutes).await;
            let broadcast = function(&local, minutes, state).await;
            let mut times = Vec::with_capacity(EVENTS);
            let mut cpu = Duration::ZERO;
            for number in 0..2 * EVENTS {
                if number == EVENTS {
                    cpu = processor_time();
                }
                let envelope = format!(
                    r#"{{"version":"0","id":"{kept}-{number}","detail-type":"entity.changed","source":"bench","account":"1","time":"2026-01-02T03:04:05Z","region":"us-east-1","resources":[],"detail":{}}}"#,
                    detail(0, data)
                );
                let mut context = Context::default();
                context.deadline = Clock::system().now().plus(Duration::from_secs(60)).millis();
                let payload = RawValue::from_string(envelope).unwrap();
                let started = Instant::now();
                let summary = broadcast.handle(LambdaEvent::new(payload, context)).await.unwrap();
                assert_eq!(summary.delivered, 1);
                times.push(started.elapsed());
            }
            let cpu = (processor_time() - cpu) / u32::try_from(EVENTS).unwrap();
            let mut times = times.split_off(EVENTS);
            times.sort();
            let units = write_units(&local).await.map_or("0".to_owned(), |units| units.to_string());
            println!(
                "{data:>6} B  {:>7}   {units:>11}   {:>5} µs   {:>6} µs   {:>6} µs",
                kept,
                times[EVENTS / 2].as_micros(),
                times[EVENTS * 99 / 100].as_micros(),
                cpu.as_micros(),
            );
        }
    }
}

/// The real function, with an `@connections` endpoint that accepts every message, and one connection.
async fn function(local: &entity_stream_local::Local, minutes: &'static str, state: &'static str) -> Broadcast {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || StatusCode::OK)).await });
    let aws = AwsServices::all(aws_config(&local.dynamodb_url()));
    let environment = Environment::new(move |name| match name {
        "EVENT_STREAMING_ENABLED" => Some("true".to_owned()),
        "WS_CONNECTIONS_TABLE" => Some(CONNECTIONS_TABLE.to_owned()),
        "WS_HISTORY_TABLE" => Some(HISTORY_TABLE.to_owned()),
        "HISTORY_MINUTES" => Some(minutes.to_owned()),
        "ENTITY_STATE" => Some(state.to_owned()),
        "WS_API_ENDPOINT" => Some(endpoint.clone()),
        _ => None,
    });
    let clock = Clock::system();
    let connection = Connection {
        id: ConnectionId::parse("Qw7LqXg9IAMCGqA=").unwrap(),
        tenant: Tenant::parse(TENANT).unwrap(),
        connected_at: clock.now(),
        subscriptions: vec![Filter::new(["Room"], None).unwrap().into()],
        acknowledgement: None,
        format: Format::Json,
        group: None,
        takes_batches: false,
        resumed: None,
        resumed_at: None,
        authorisation: Authorisation::Open,
    };
    aws.connections(CONNECTIONS_TABLE.to_owned()).register(&connection).await.unwrap();
    Broadcast::new(BroadcastConfig::read(&environment).unwrap(), &aws, clock)
}

/// The write units of an event's item and of its entity's item: the size of each in KB, rounded up. `None` without a history.
async fn write_units(local: &entity_stream_local::Local) -> Option<usize> {
    let of_event = largest(local, "H#").await?;
    Some(of_event + largest(local, "S#").await.unwrap_or_default())
}

/// The write units of the largest item whose key begins like this.
async fn largest(local: &entity_stream_local::Local, key: &str) -> Option<usize> {
    let size = |value: &AttributeValue| match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        _ => 1,
    };
    let (mut largest, mut start) = (None, None);
    loop {
        let scan = dynamodb(local).scan().table_name(HISTORY_TABLE).set_exclusive_start_key(start);
        let page = scan.send().await.ok()?;
        let is_wanted = |item: &&HashMap<String, AttributeValue>| {
            item.get("pk").and_then(|pk| pk.as_s().ok()).is_some_and(|pk| pk.starts_with(key))
        };
        let sizes = page.items().iter().filter(is_wanted);
        let sizes = sizes.map(|item| item.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>());
        largest = largest.max(sizes.max());
        start = page.last_evaluated_key;
        if start.is_none() {
            return largest.map(|largest| largest.div_ceil(1024));
        }
    }
}

/// The processor time of this process, which has the table and the endpoint too.
pub(crate) fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the process, in parentheses, may contain blanks.
    // The terminal's group is -1 without a terminal.
    let fields: Vec<i64> =
        stat.rsplit(')').next().unwrap().split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // User and system time in hundredths of a second are fields 14 and 15; state is no number, and ppid is the first that is.
    Duration::from_millis(10 * u64::try_from(fields[10] + fields[11]).unwrap())
}
