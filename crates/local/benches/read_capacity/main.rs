//! The read capacity that one event consumes, by the size of its tenant and the share of the connections that want it,
//! beside the design that keeps connections in an index by tenant. And the same for connections that each watch one entity, beside
//! the design that finds them by type and evaluates the pattern of each.
//!
//! `cargo bench -p entity-stream-local --bench read_capacity`; the figures are in `BENCHMARKS.md`.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing to say")]

mod by_tenant;
mod engine;
mod ours;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use entity_stream_local::{Config, Local, aws_config};
use entity_stream_protocol::Filter;

use crate::by_tenant::ByTenant;
use crate::ours::Ours;

/// The type of the event, and of the connections that want it; the others want another.
const WANTED: &str = "Room";
const OTHER: &str = "Sensor";
/// Registrations under way at once.
const CONCURRENCY: usize = 32;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let free = "127.0.0.1:0".parse().unwrap();
    let local = Local::start(Config { listen: free, dynamodb: free, ..Config::default() }).await.unwrap();
    let client = Client::new(&aws_config(&local.dynamodb_url()));
    engine::check(&client).await;
    let (ours, by_tenant) = (Ours::new(&local).await, ByTenant::create(client).await);
    println!(
        "read capacity units for one event: ours reads with strong consistency, which an index cannot (half the price)"
    );
    println!("connections   matching        ours   index by tenant   ratio");
    for connections in [100, 1_000, 10_000] {
        for percent in [1, 10, 100] {
            let matching = connections * percent / 100;
            let tenant = format!("of-{connections}-{percent}");
            ours.register(&tenant, connections, |i| of_type(if i < matching { WANTED } else { OTHER })).await;
            by_tenant.register(&tenant, connections, matching).await;
            let (found, units, _) = ours.broadcast(&tenant, "urn:1").await;
            let (found_by_tenant, units_by_tenant) = by_tenant.find(&tenant).await;
            assert_eq!((found, found_by_tenant), (matching, matching));
            let ratio = units_by_tenant / units;
            println!("{connections:>11}   {matching:>8}   {units:>9.1}   {units_by_tenant:>15.1}   {ratio:>5.1}");
        }
    }
    watchers(&ours, &by_tenant).await;
}

/// The number of entities that connections watch.
const ENTITIES: usize = 5_000;
/// Events for each median.
const EVENTS: usize = 5;

/// Connections that each watch one of 5,000 entities; an event of one of these.
async fn watchers(ours: &Ours, by_tenant: &ByTenant) {
    println!();
    println!("each connection watches one of {ENTITIES} entities; median of {EVENTS} events of one of them");
    println!("                          ours             by type and pattern      index by tenant");
    println!("connections   matching    units     time      units      time            units");
    for connections in [100_usize, 10_000, 100_000] {
        let [by_id, by_pattern] = ["ids", "patterns"].map(|design| format!("{design}-{connections}"));
        let matching = connections.div_ceil(ENTITIES);
        // The second pattern does not spell out the id, so the connection is found by its type.
        ours.register(&by_id, connections, |i| pattern(&format!("^{}$", entity(i % ENTITIES)))).await;
        ours.register(&by_pattern, connections, |i| pattern(&format!("^{}.?$", entity(i % ENTITIES)))).await;
        by_tenant.register(&by_id, connections, matching).await;
        let (units, time) = median(ours, &by_id, matching).await;
        let (units_by_pattern, time_by_pattern) = median(ours, &by_pattern, matching).await;
        let (_, units_by_tenant) = by_tenant.find(&by_id).await;
        println!(
            "{connections:>11}   {matching:>8}   {units:>6.1} {:>6.1} ms   {units_by_pattern:>8.1} {:>6.1} ms   {units_by_tenant:>14.1}",
            millis(time),
            millis(time_by_pattern)
        );
    }
}

/// The median units and time of events of the first entity. The first event warms the instance up and does not count.
async fn median(ours: &Ours, tenant: &str, matching: usize) -> (f64, Duration) {
    let (mut units, mut times) = (0.0, Vec::new());
    for event in 0..=EVENTS {
        let (found, consumed, time) = ours.broadcast(tenant, &entity(0)).await;
        assert_eq!(found, matching);
        if event > 0 {
            times.push(time);
        }
        units = consumed;
    }
    times.sort();
    (units, times[EVENTS / 2])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn entity(i: usize) -> String {
    format!("urn:ngsi-ld:Bus:{i:05}")
}

fn of_type(name: &str) -> Filter {
    Filter::new([name], None).unwrap()
}

fn pattern(pattern: &str) -> Filter {
    Filter::new([WANTED], Some(pattern)).unwrap()
}

/// The id of a tenant's connection, in the form that API Gateway gives them.
fn connection_id(tenant: &str, i: usize) -> String {
    let unique: String = tenant.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{unique:A>9}{i:06}=")
}
