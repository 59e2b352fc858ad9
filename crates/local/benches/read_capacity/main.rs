//! The read capacity that one event consumes, by the size of its tenant and the share of the connections that want it,
//! beside the design that keeps connections in an index by tenant.
//!
//! `cargo bench -p entity-stream-local --bench read_capacity`; the figures are in `BENCHMARKS.md`.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing to say")]

mod by_tenant;
mod engine;
mod ours;

use aws_sdk_dynamodb::Client;
use entity_stream_local::{Config, Local, aws_config};

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
            ours.register(&tenant, connections, matching).await;
            by_tenant.register(&tenant, connections, matching).await;
            let (found, units) = ours.broadcast(&tenant).await;
            let (found_by_tenant, units_by_tenant) = by_tenant.find(&tenant).await;
            assert_eq!((found, found_by_tenant), (matching, matching));
            let ratio = units_by_tenant / units;
            println!("{connections:>11}   {matching:>8}   {units:>9.1}   {units_by_tenant:>15.1}   {ratio:>5.1}");
        }
    }
}

/// The id of a tenant's connection, in the form that API Gateway gives them.
fn connection_id(tenant: &str, i: usize) -> String {
    let unique: String = tenant.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{unique:A>9}{i:06}=")
}
