//! Tenants share an instance of the broadcast function.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use entity_stream_connections::Connection;
use entity_stream_protocol::{Filter, Representation, Subscription, SubscriptionName, Tenant, View};
use serde_json::json;
use tokio::sync::Notify;

use crate::harness::{Functions, Hands, Reply, System, envelope, room};
use crate::receivers::{Receivers, connection, id_of, ids, register};

/// The number of slow patterns, of which each is another.
const SLOW: usize = 24;
/// The number of different views.
const VIEWS: usize = 60;

/// A connection of a tenant, with a pattern that is among the slowest and matches no id of the test.
fn with_slow_pattern((n, id): (u8, &String), tenant: &str, hands: &Hands) -> Connection {
    let pattern = format!("(?:[a-z]?[b-{}]?){{40}}[^a-z0-9]", char::from(b'c' + n));
    Connection {
        tenant: Tenant::parse(tenant).unwrap(),
        subscriptions: vec![Filter::new(Vec::<&str>::new(), Some(&pattern)).unwrap().into()],
        ..connection(id, hands.clock().now(), None)
    }
}

fn plain(id: &str, tenant: &str, hands: &Hands) -> Connection {
    Connection { tenant: Tenant::parse(tenant).unwrap(), ..connection(id, hands.clock().now(), None) }
}

/// The order in which connections received messages.
async fn in_order() -> (Receivers, Arc<Mutex<Vec<String>>>) {
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&order);
    let receivers = Receivers::with(move |asked| {
        log.lock().unwrap().push(id_of(asked));
        None
    })
    .await;
    (receivers, order)
}

/// The function has one thread on Lambda, as this test has.
#[tokio::test]
async fn slow_patterns_of_a_tenant_keep_no_event_of_another_waiting() {
    let (system, hands) = (System::start().await, Hands::default());
    let (receivers, order) = in_order().await;
    let functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    let slow = ids("Slow", SLOW);
    register(&functions.table, (0..).zip(&slow).map(|each| with_slow_pattern(each, "hostile", &hands))).await;
    register(&functions.table, [plain("hostile", "hostile", &hands), plain("other", "other", &hands)]).await;
    let id = "abcdefghij".repeat(25);

    // In one array: the hostile tenant's events come first.
    let mut events: Vec<_> =
        (0..5).map(|n| envelope(&format!("h{n}"), &room("hostile", &format!("{id}{n}")))).collect();
    events.push(envelope("o1", &room("other", "r1")));
    let report = functions.broadcast(&format!("[{}]", events.join(",")), 60).await.unwrap();

    assert_eq!(report.delivered, 6, "{report:?}");
    assert_eq!(order.lock().unwrap()[0], "other", "its event did not wait for the patterns of the other tenant");

    // In concurrent invocations.
    order.lock().unwrap().clear();
    let hostile: Vec<_> = (5..10).map(|n| envelope(&format!("h{n}"), &room("hostile", &format!("{id}{n}")))).collect();
    let other = envelope("o2", &room("other", "r1"));
    let hostile = futures_util::future::join_all(hostile.iter().map(|event| functions.broadcast(event, 60)));
    tokio::join!(hostile, functions.broadcast(&other, 60)).1.unwrap();
    let order = order.lock().unwrap();
    assert_eq!(order.iter().position(|id| id == "other"), Some(0), "{order:?}");
}

/// Every connection of one tenant wants another view of a large event.
#[tokio::test]
async fn views_of_a_tenant_keep_no_event_of_another_waiting() {
    let (system, hands) = (System::start().await, Hands::default());
    let (delivered, before) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, at_delivery) = (Arc::clone(&delivered), Arc::clone(&before));
    let begun = Arc::new(Notify::new());
    let begin = Arc::clone(&begun);
    let receivers = Receivers::with(move |asked| {
        if id_of(asked) == "other" {
            at_delivery.store(counter.load(Ordering::SeqCst), Ordering::SeqCst);
        } else {
            counter.fetch_add(1, Ordering::SeqCst);
            begin.notify_one();
        }
        None
    })
    .await;
    let functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    let viewers = ids("View", VIEWS);
    let with_view = |(n, id): (usize, &String)| {
        let view = View::new([format!("a{n}")], Representation::KeyValues).unwrap();
        let subscription = Subscription::new(SubscriptionName::DEFAULT, Filter::default(), view).unwrap();
        Connection { subscriptions: vec![subscription], ..plain(id, "hostile", &hands) }
    };
    register(&functions.table, viewers.iter().enumerate().map(with_view)).await;
    register(&functions.table, [plain("other", "other", &hands)]).await;
    let mut large = room("hostile", "r1");
    large["data"] = (0..20_000).map(|n| (format!("a{n}"), json!({ "type": "Property", "value": n }))).collect();

    // The other event is published when the first view is delivered.
    let (hostile, event) = (envelope("h", &large), envelope("o", &room("other", "r1")));
    let other = async {
        begun.notified().await;
        functions.broadcast(&event, 60).await.unwrap()
    };
    let (report, other) = tokio::join!(functions.broadcast(&hostile, 60), other);

    assert_eq!((report.unwrap().delivered, other.delivered), (VIEWS, 1));
    assert_eq!(delivered.load(Ordering::SeqCst), VIEWS);
    let before = before.load(Ordering::SeqCst);
    assert!(before <= VIEWS / 2, "the event waited for {before} views of the other tenant");
}

#[tokio::test]
async fn stuck_connections_of_a_tenant_keep_no_event_of_another_waiting() {
    let (system, hands) = (System::start().await, Hands::default());
    let (refused, before) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
    let (counter, at_delivery) = (Arc::clone(&refused), Arc::clone(&before));
    let receivers = Receivers::with(move |asked| {
        if asked.method == "DELETE" {
            return Some(Reply::status(204));
        }
        if id_of(asked).starts_with("stuck") {
            counter.fetch_add(1, Ordering::SeqCst);
            return Some(Reply::status(429));
        }
        *at_delivery.lock().unwrap() = Some(counter.load(Ordering::SeqCst));
        None
    })
    .await;
    let mut functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    functions.broadcast = functions.broadcast.with_patience(std::time::Duration::from_secs(1));
    let stuck = ids("stuck", 20);
    register(&functions.table, stuck.iter().map(|id| plain(id, "hostile", &hands))).await;
    register(&functions.table, [plain("other", "other", &hands)]).await;
    let events = [envelope("h", &room("hostile", "r1")), envelope("o", &room("other", "r1"))];

    let report = functions.broadcast(&format!("[{}]", events.join(",")), 60).await.unwrap();

    assert_eq!((report.delivered, report.closed), (1, 20), "{report:?}");
    let before = before.lock().unwrap().unwrap();
    assert!(before <= 2 * stuck.len(), "the event waited for {before} attempts at connections of the other tenant");
}
