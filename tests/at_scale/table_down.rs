//! A table that throttles, or hangs, at each call of the broadcast function.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use entity_stream_connections::{Authorisation, Connection, Grant};

use crate::harness::proxy::{Fate, proxy_by_operation};
use crate::harness::{Functions, Hands, Reply, System, envelope, room};
use crate::receivers::{Receivers, connection, id_of, register};

/// The operations that the function uses: to read an audience, to look at a record, and to forget a connection.
const OPERATIONS: [&str; 4] = ["Query", "GetItem", "DeleteItem", "BatchWriteItem"];

/// A table that throttles every request. Returns its URL, and the number of requests.
async fn throttled_table(system: &System) -> (String, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let throttle = move |_: &str| {
        counter.fetch_add(1, Ordering::SeqCst);
        Fate::Throttled
    };
    (proxy_by_operation(system.local.dynamodb_url(), throttle).await, requests)
}

#[tokio::test]
async fn a_throttled_table_fails_an_attempt_after_a_few_requests() {
    let (system, receivers, hands) = (System::start().await, Receivers::start().await, Hands::default());
    let (table, requests) = throttled_table(&system).await;
    let (functions, _bus) = Functions::with_bus(&system, &table, &receivers.endpoint, &hands, &[]).await;
    register(&system.table(), [connection("alice", hands.clock().now(), None)]).await;

    let failure = functions.broadcast(&envelope("e1", &room("demo", "r1")), 60).await.unwrap_err();

    assert_eq!(failure.kind, "TableUnavailable", "{failure}");
    let requests = requests.load(Ordering::SeqCst);
    // The three partitions are read at the same time, and each read is repeated for five seconds.
    assert!(requests < 40, "{requests} requests");
    assert_eq!(receivers.count(), 0);
}

/// A continuation can have a thousand ranges, which are read a few at a time.
#[tokio::test]
async fn the_first_read_that_fails_ends_the_others() {
    let (system, receivers, hands) = (System::start().await, Receivers::start().await, Hands::default());
    let (table, requests) = throttled_table(&system).await;
    let (functions, _bus) = Functions::with_bus(&system, &table, &receivers.endpoint, &hands, &[]).await;
    let event: serde_json::Value = serde_json::from_str(&envelope("e1", &room("demo", "r1"))).unwrap();
    let ranges: Vec<_> = (0..500).map(|n| format!("{:x}-{:x}", 2 * n, 2 * n)).collect();
    let detail = serde_json::json!({ "type": "entityUpdated", "event": event, "ranges": ranges, "depth": 1 });
    let mut continuation: serde_json::Value = serde_json::from_str(&envelope("c1", &detail)).unwrap();
    continuation["source"] = serde_json::json!("entity-stream");
    continuation["detail-type"] = serde_json::json!("EntityStreamContinuation");

    let failure = functions.broadcast(&continuation.to_string(), 60).await.unwrap_err();

    assert_eq!(failure.kind, "TableUnavailable", "{failure}");
    let requests = requests.load(Ordering::SeqCst);
    // Four ranges are read ahead, each in three partitions.
    assert!(requests < 160, "{requests} requests");
}

/// A connection of each kind that makes the function call the table: healthy, opening, ended, and with an authorisation that
/// seems to have expired.
fn connections(hands: &Hands) -> [Connection; 4] {
    let now = hands.clock().now();
    let old = entity_stream_protocol::EpochMillis::new(now.millis() as i64 - 60_000);
    let until = entity_stream_protocol::EpochMillis::new(now.millis() as i64 - 1_000);
    let grant = Grant { subject: "alice".to_owned(), role: "user".to_owned(), until: Some(until) };
    [
        connection("healthy", now, None),
        connection("opening", now, None),
        connection("ended", old, None),
        Connection { authorisation: Authorisation::Granted(grant), ..connection("expired", old, None) },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_delivered_or_fails_visibly_whatever_call_of_the_table_hangs() {
    for hanging in OPERATIONS {
        let (system, hands) = (System::start().await, Hands::default());
        let receivers = Receivers::with(|asked| match (asked.method.as_str(), id_of(asked).as_str()) {
            ("DELETE", _) => Some(Reply::status(204)),
            (_, "opening" | "ended") => Some(Reply::status(410)),
            _ => None,
        })
        .await;
        let hangs = Arc::new(AtomicBool::new(true));
        let switch = Arc::clone(&hangs);
        let table = proxy_by_operation(system.local.dynamodb_url(), move |operation| {
            if operation == hanging && switch.load(Ordering::SeqCst) { Fate::Never } else { Fate::Pass }
        })
        .await;
        let (functions, mut bus) = Functions::with_bus(&system, &table, &receivers.endpoint, &hands, &[]).await;
        register(&system.table(), connections(&hands)).await;
        let event = envelope("e1", &room("demo", "r1"));

        let result = functions.broadcast_as("r-1", &event, 60).await;

        assert!(bus.take().is_empty(), "{hanging}: nothing is handed on");
        let got = |count| receivers.received().get(&("healthy".to_owned(), "e1".to_owned())) == Some(&count);
        match result {
            // The table was only needed to forget connections. The next event tries again.
            Ok(report) => assert!(report.delivered == 1 && got(1), "{hanging}: {report:?}"),
            Err(failure) => {
                assert_eq!(failure.kind, "TableUnavailable", "{hanging}: {failure}");
                hangs.store(false, Ordering::SeqCst);
                hands.forward(60);
                let report = functions.broadcast_as("r-1", &event, 60).await.unwrap();
                assert_eq!(report.delivered, 1, "{hanging}: Lambda repeats the event: {report:?}");
            }
        }
        assert!(!receivers.received().is_empty(), "{hanging}");
    }
}
