//! `bench` measures, and names missing events.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{interval, timeout};

use crate::harness::{PATIENCE, run, run_with, start, system};
use crate::server::EventBus;

#[tokio::test]
async fn each_message_is_counted_and_timed() {
    let system = system().await;
    let url = system.http_url();
    let args = ["bench", "demo", "--connections", "3", "--rate", "50", "--duration", "1s", "--target", &url];
    let ended = run(&[&args[..], &["--output", "json"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    for (field, expected) in
        [("connections", 3), ("published", 50), ("rejected", 0), ("expected", 150), ("delivered", 150)]
    {
        assert_eq!(report[field], expected, "{field}: {report}");
    }
    let times = ["p50", "p90", "p99", "p99.9", "max"].map(|name| report["latencyMilliseconds"][name].as_f64().unwrap());
    assert!(times[0] > 0.0 && times.is_sorted(), "{report}");
    assert!(ended.stderr.contains("3 connections to ws://"), "{ended:?}");
    assert!(!ended.stderr.contains("AWS"), "{ended:?}");
    // Its entities do not stay.
    let mut look = interval(Duration::from_millis(100));
    let deleted = async {
        while !run(&["state", "list", "--tenant", "demo", "--target", &url]).await.stderr.contains("no entities found")
        {
            look.tick().await;
        }
    };
    timeout(PATIENCE, deleted).await.expect("the entities are deleted");
    let table = run(&args).await.stdout;
    for expected in [
        "connections  3\n",
        "published    50 events in ",
        "delivered    150 of 150 messages in ",
        "latency      p50 ",
        " ms\n",
        "max",
    ] {
        assert!(table.contains(expected), "{table}");
    }
}

#[tokio::test]
async fn a_bus_of_another_system_delivers_nothing() {
    let (stream, bus) = (system().await, system().await);
    let (url, endpoint) = (stream.websocket_url(), bus.http_url());
    let args = [
        "bench",
        "demo",
        "--connections",
        "2",
        "--rate",
        "10",
        "--duration",
        "1s",
        "--url",
        &url,
        "--endpoint-url",
        &endpoint,
    ];
    let ended = run(&args).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("error: 20 of 20 messages did not arrive"), "{ended:?}");
    assert!(ended.stdout.contains("p50              -\n"), "{ended:?}");
}

#[tokio::test]
async fn entities_that_stay_are_told() {
    let stream = system().await;
    let bus = EventBus::start(|detail| (detail["type"] == "entityDeleted").then_some("Broken")).await;
    let (url, endpoint) = (stream.websocket_url(), ["--endpoint-url", &bus.url]);
    let args = ["bench", "demo", "--connections", "1", "--rate", "50", "--duration", "1h", "--url", &url];
    let mut bench = start(&[&args[..], &endpoint].concat());
    bench.says("publishing").await;
    bus.until(|requests| !requests.is_empty()).await;
    bench.signal("INT").await;
    let said = bench.says("could not be deleted: Broken: as the test says").await;
    assert!(said.starts_with("100 entities with ids that begin with urn:entity-stream:bench:"), "{said}");
    bench.says("error: interrupted").await;
    assert_eq!(bench.exit().await.code(), Some(1));
}

#[tokio::test]
async fn mistakes_and_costs_are_told() {
    let system = system().await;
    let url = system.http_url();
    let stream = system.websocket_url();
    let aws = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "eu-west-1")];
    let bus = [
        "bench",
        "demo",
        "--connections",
        "2",
        "--rate",
        "10",
        "--duration",
        "1s",
        "--url",
        &stream,
        "--event-bus",
        "city",
    ];
    let ended = run_with(&[&bus[..], &["--endpoint-url", "http://127.0.0.1:9"]].concat(), &aws, "").await;
    let costs = "warning: AWS bills this benchmark: 20 events, 40 messages to clients, 20 invocations of the function";
    assert!(ended.stderr.contains(costs), "{ended:?}");
    assert!(ended.code == Some(1) && ended.stderr.contains("cannot publish to the event bus city"), "{ended:?}");
    for (args, code, expected) in [
        (&["--connections", "0"][..], 2, "--connections"),
        (&["--rate", "0"], 2, "from 0.001 to 10000"),
        (&["--rate", "10000", "--duration", "100h"], 1, "--rate and --duration are more than 100 million changes"),
        (&["--url", "wss://stream.example.com"], 1, "nothing names the bus to publish to"),
        (&["--url", "ws://127.0.0.1:9", "--endpoint-url", &url], 1, "cannot listen at ws://127.0.0.1:9"),
    ] {
        let ended = run(&[&["bench", "demo"], args].concat()).await;
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{args:?}: {ended:?}");
    }
    let mut bench = start(&["bench", "demo", "--duration", "1h", "--target", &url]);
    bench.says("publishing").await;
    bench.signal("INT").await;
    bench.says("error: interrupted").await;
    assert_eq!(bench.exit().await.code(), Some(1));
}
