use std::time::Instant;

use entity_stream_protocol::EntityChange;

use crate::harness::{listen, run, start, system};
use crate::server::EventBus;

#[tokio::test]
async fn publishes_the_count_and_every_event_arrives() {
    let system = system().await;
    let mut listener = listen(&system, "city", &["--count", "60"]).await;
    let args = ["simulate", "city", "--rate", "300", "--count", "60", "--endpoint-url", &system.http_url()];
    let ended = run(&args).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.starts_with("60 events published, "), "{ended:?}");
    assert_eq!(listener.exit().await.code(), Some(0));
}

#[tokio::test]
async fn holds_a_high_rate_in_full_batches() {
    let bus = EventBus::start(|_| None).await;
    let started = Instant::now();
    let args = ["simulate", "city", "--rate", "1000", "--count", "2000", "--endpoint-url", &bus.url];
    let ended = run(&args).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(started.elapsed().as_secs_f64() > 1.9, "not faster than it should be");
    let requests = bus.requests.lock().unwrap();
    assert_eq!(requests.iter().map(Vec::len).sum::<usize>(), 2000);
    assert_eq!(requests.len(), 200, "ten events each");
    assert!(requests.iter().flatten().all(|detail| EntityChange::parse(&detail.to_string()).is_ok()));
}

#[tokio::test]
async fn ends_with_a_count_when_it_is_interrupted() {
    let bus = EventBus::start(|_| None).await;
    let system = system().await;
    let mut listener = listen(&system, "city", &[]).await;
    let mut simulation = start(&["simulate", "city", "--rate", "50", "--endpoint-url", &system.http_url()]);
    listener.prints("urn:ngsi-ld:").await;
    simulation.signal("INT").await;
    simulation.says("published, ").await;
    assert_eq!(simulation.exit().await.code(), Some(0));
    assert!(bus.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_rejection_is_told_and_counts() {
    let bus = EventBus::start(|_| Some("AccessDeniedException")).await;
    let ended = run(&["simulate", "city", "--rate", "100", "--count", "20", "--endpoint-url", &bus.url]).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr.matches("rejected: AccessDeniedException: as the test says").count(), 5, "{ended:?}");
    assert!(ended.stderr.contains("0 events published, 20 rejected"), "{ended:?}");
}
