//! Stuck connections among healthy ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Functions, Hands, Reply, System, envelope, room};
use crate::receivers::{Receivers, connection, id_of, ids, register};

const HEALTHY: usize = 150;
const STUCK: usize = 150;

fn is_stuck(id: &str) -> bool {
    id.starts_with("stuck")
}

/// Stuck connections could occupy all slots of the concurrent calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_connections_do_not_delay_healthy_ones() {
    for status in [429, 503] {
        let (system, hands) = (System::start().await, Hands::default());
        // The attempts at each stuck connection, and their maximum when a healthy one was served.
        let tried: Arc<Mutex<(HashMap<String, usize>, usize)>> = Arc::default();
        let counts = Arc::clone(&tried);
        let receivers = Receivers::with(move |asked| {
            let (mut counts, id) = (counts.lock().unwrap(), id_of(asked));
            if is_stuck(&id) {
                *counts.0.entry(id).or_default() += 1;
                return Some(Reply::status(status));
            }
            counts.1 = counts.0.values().copied().max().unwrap_or_default();
            None
        })
        .await;
        let functions = Functions::new(&system, &receivers.endpoint, &hands).await;
        let (stuck, healthy, now) = (ids("stuck", STUCK), ids("ok", HEALTHY), hands.clock().now());
        register(&system.table(), stuck.iter().chain(&healthy).map(|id| connection(id, now, None))).await;

        let failure = functions.broadcast(&envelope("e", &room("demo", "r1")), 8).await.unwrap_err();

        assert!(failure.message.contains("150 of 300 connections did not receive the event"), "{failure:?}");
        assert_eq!(receivers.count(), HEALTHY, "{status}: each healthy connection received the event once");
        let (counts, most) = tried.lock().unwrap().clone();
        assert!(counts.values().all(|count| *count > 1), "{status}: the stuck connections were tried again");
        assert!(most <= 2, "{status}: a healthy connection waited for {most} attempts at a stuck one");
    }
}

/// One connection does not prolong an invocation, and it loses no event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_connection_is_handed_on_when_the_others_have_the_event() {
    const TAKES: usize = 12;
    let (system, hands) = (System::start().await, Hands::default());
    let tried = Mutex::new(0);
    let receivers = Receivers::with(move |asked| {
        let mut tried = tried.lock().unwrap();
        *tried += usize::from(is_stuck(&id_of(asked)));
        (is_stuck(&id_of(asked)) && *tried < TAKES).then(|| Reply::status(503))
    })
    .await;
    let url = system.local.dynamodb_url();
    let (mut functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, &[]).await;
    functions.broadcast = functions.broadcast.with_patience(Duration::from_millis(100));
    let now = hands.clock().now();
    let all = ids("stuck", 1).into_iter().chain(ids("ok", 5));
    register(&system.table(), all.map(|id| connection(&id, now, None))).await;

    let first = functions.broadcast(&envelope("e", &room("demo", "r1")), 60).await.unwrap();

    assert_eq!((first.delivered, first.failed, first.continued), (5, 1, 1), "{first:?}");
    let continuations = bus.take();
    let ran = bus.run(&functions, continuations, 60).await;
    assert!(ran.dead.is_empty(), "{:?}", ran.dead);
    assert_eq!(
        (ran.sum(|report| report.delivered), receivers.count()),
        (1, 6),
        "each connection received the event once"
    );
}
