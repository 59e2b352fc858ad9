//! The broadcast function dies in the middle of an event, and Lambda retries the event.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::harness::{Functions, Hands, System, envelope, room};
use crate::receivers::{Receivers, connection, ids, register};

#[tokio::test]
async fn a_crash_during_an_event_loses_nothing() {
    let (system, hands) = (System::start().await, Hands::default());
    let started = hands.clock().now();
    for killed_after in [1, 10, 30, 59] {
        let (accepted, reached) = (AtomicUsize::new(0), Arc::new(Notify::new()));
        let notify = Arc::clone(&reached);
        let receivers = Receivers::with(move |_| {
            if accepted.fetch_add(1, Ordering::SeqCst) + 1 == killed_after {
                notify.notify_one();
            }
            None
        })
        .await;
        let url = system.local.dynamodb_url();
        let settings = &[("BROADCAST_SPLIT_AT", "20"), ("BROADCAST_CONCURRENCY", "4")];
        let (functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, settings).await;
        let all = ids("c", 60);
        register(&functions.table, all.iter().map(|id| connection(id, started, None))).await;

        let event = envelope(&format!("e{killed_after}"), &room("demo", "r1"));
        // The first invocation is killed before its end: the test drops its future. The continuations that it has sent by then
        // are on the bus.
        tokio::select! {
            _ = functions.broadcast(&event, 60) => {}
            () = reached.notified() => {}
        }
        let handed_on = bus.take();
        let ran = bus.run(&functions, handed_on.into_iter().chain([event]).collect(), 60).await;

        assert!(ran.dead.is_empty());
        let received = receivers.received();
        assert_eq!(received.len(), 60, "killed after {killed_after} deliveries: each connection has the event");
    }
}
