//! Stuck connections among healthy ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity_stream_connections::Table;

use crate::harness::proxy::{Fate, proxy_by_operation};
use crate::harness::{Asked, Functions, Hands, Reply, System, envelope, room};
use crate::receivers::{Receivers, connection, id_of, ids, register};

const HEALTHY: usize = 150;
const STUCK: usize = 150;
/// The time for which a connection that takes nothing is tried, instead of ten seconds.
const PATIENCE: Duration = Duration::from_millis(300);

fn is_stuck(id: &str) -> bool {
    id.starts_with("stuck")
}

/// The answer of an endpoint for which stuck connections take nothing, but can be closed.
fn refuse(asked: &Asked, refusal: &Reply) -> Option<Reply> {
    match asked.method.as_str() {
        "DELETE" => Some(Reply::status(204)),
        _ => is_stuck(&id_of(asked)).then(|| refusal.clone()),
    }
}

/// The ids of the connections that the function closed.
fn closed(receivers: &Receivers) -> Vec<String> {
    let asked = receivers.endpoint.asked();
    let mut ids: Vec<_> = asked.iter().filter(|asked| asked.method == "DELETE").map(id_of).collect();
    ids.sort();
    ids
}

async fn is_registered(table: &Table, hands: &Hands, id: &str) -> bool {
    let id = entity_stream_protocol::ConnectionId::parse(id).unwrap();
    table.find(&id, hands.clock().now()).await.unwrap().is_some()
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

/// They refuse, fail, or do not answer at all. There are as many as slots for calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_connections_cost_one_invocation_and_are_closed_and_forgotten() {
    for refusal in [Reply::status(429), Reply::status(503), Reply::Never] {
        let (system, hands) = (System::start().await, Hands::default());
        let answer = refusal.clone();
        let receivers = Receivers::with(move |asked| refuse(asked, &answer)).await;
        let url = system.local.dynamodb_url();
        let settings = &[("BROADCAST_CONCURRENCY", "4")];
        let (mut functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, settings).await;
        // Longer than the second after which a call is overdue.
        functions.broadcast = functions.broadcast.with_patience(Duration::from_millis(1500));
        let (stuck, healthy, now) = (ids("stuck", 4), ids("ok", 40), hands.clock().now());
        register(&functions.table, stuck.iter().chain(&healthy).map(|id| connection(id, now, None))).await;

        let ran = bus.run(&functions, vec![envelope("e1", &room("demo", "r1"))], 60).await;

        assert_eq!((ran.reports.len(), ran.retries, ran.dead.len()), (1, 0, 0), "{refusal:?}");
        let report = ran.reports[0];
        assert_eq!((report.delivered, report.closed, report.failed, report.continued), (40, 4, 0, 0), "{refusal:?}");
        assert_eq!(closed(&receivers), stuck);
        for id in &stuck {
            assert!(!is_registered(&functions.table, &hands, id).await, "{refusal:?}: {id} is forgotten");
        }
        let later = bus.run(&functions, vec![envelope("e2", &room("demo", "r1"))], 60).await;
        assert_eq!((later.reports.len(), later.reports[0].matched), (1, 40), "the next event does not meet them");
        assert!(receivers.received().values().all(|count| *count == 1), "each healthy connection has each event once");
        assert!(system.dead_letters().await.is_empty());
    }
}

#[tokio::test]
async fn a_healthy_member_gets_every_event_of_its_group() {
    const EVENTS: usize = 10;
    for refusal in [Reply::status(429), Reply::Never] {
        let (system, hands) = (System::start().await, Hands::default());
        let answer = refusal.clone();
        let receivers = Receivers::with(move |asked| refuse(asked, &answer)).await;
        let url = system.local.dynamodb_url();
        let (functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, &[]).await;
        let now = hands.clock().now();
        register(&functions.table, ["stuck", "healthy"].map(|id| connection(id, now, Some("team")))).await;

        let events = (0..EVENTS).map(|n| envelope(&format!("e{n}"), &room("demo", "r1"))).collect();
        let ran = bus.run(&functions, events, 60).await;

        assert_eq!((ran.reports.len(), ran.retries, ran.dead.len()), (EVENTS, 0, 0), "{refusal:?}");
        assert_eq!(ran.sum(|report| report.delivered), EVENTS);
        let received = receivers.received();
        assert!(received.len() == EVENTS && received.values().all(|count| *count == 1), "{refusal:?}: {received:?}");
        let tried = receivers.endpoint.asked().iter().filter(|asked| is_stuck(&id_of(asked))).count();
        assert!(tried <= EVENTS, "{refusal:?}: the stuck member is tried once for an event, not {tried} times");
    }
}

#[tokio::test]
async fn a_group_whose_members_take_nothing_is_closed() {
    let (system, hands) = (System::start().await, Hands::default());
    let receivers = Receivers::with(|asked| refuse(asked, &Reply::status(429))).await;
    let mut functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    functions.broadcast = functions.broadcast.with_patience(PATIENCE);
    let (members, now) = (ids("stuck", 3), hands.clock().now());
    register(&functions.table, members.iter().map(|id| connection(id, now, Some("team")))).await;
    let report = functions.broadcast(&envelope("e1", &room("demo", "r1")), 60).await.unwrap();
    assert_eq!((report.delivered, report.closed, report.failed), (0, 3, 0));
    assert_eq!(closed(&receivers), members);
    assert!(system.items().await.is_empty());
}

/// It would go on receiving later events, and miss this one for ever.
#[tokio::test]
async fn a_connection_that_cannot_be_closed_fails_the_attempt_and_gets_the_event_when_lambda_repeats_it() {
    let recovers = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for refusal in [429, 500, 403] {
        recovers.store(false, std::sync::atomic::Ordering::SeqCst);
        let (system, hands, switch) = (System::start().await, Hands::default(), Arc::clone(&recovers));
        let receivers = Receivers::with(move |asked| {
            let is_refused = is_stuck(&id_of(asked)) && !switch.load(std::sync::atomic::Ordering::SeqCst);
            is_refused.then(|| Reply::status(refusal))
        })
        .await;
        let mut functions = Functions::new(&system, &receivers.endpoint, &hands).await;
        functions.broadcast = functions.broadcast.with_patience(PATIENCE);
        let (all, now) = (["stuck", "healthy"], hands.clock().now());
        register(&functions.table, all.map(|id| connection(id, now, None))).await;
        let event = envelope("e1", &room("demo", "r1"));

        let failure = functions.broadcast_as("r-1", &event, 4).await.unwrap_err();

        assert_eq!(failure.kind, "ConnectionNotClosed", "{failure}");
        assert!(!closed(&receivers).is_empty() && is_registered(&functions.table, &hands, "stuck").await);
        recovers.store(true, std::sync::atomic::Ordering::SeqCst);
        let report = functions.broadcast_as("r-1", &event, 60).await.unwrap();
        assert_eq!((report.delivered, report.closed), (2, 0), "{refusal}");
    }
}

#[tokio::test]
async fn a_young_connection_that_answers_410_is_closed_or_fails_the_attempt() {
    for (answer, is_closed) in [(204, true), (410, false)] {
        let (system, hands) = (System::start().await, Hands::default());
        let receivers =
            Receivers::with(move |asked| Some(Reply::status(if asked.method == "DELETE" { answer } else { 410 })))
                .await;
        let mut functions = Functions::new(&system, &receivers.endpoint, &hands).await;
        functions.broadcast = functions.broadcast.with_patience(PATIENCE);
        register(&functions.table, [connection("opening", hands.clock().now(), None)]).await;
        let event = envelope("e1", &room("demo", "r1"));

        let result = functions.broadcast_as("r-1", &event, 4).await;

        assert_eq!(system.items().await.is_empty(), is_closed, "{answer}");
        if is_closed {
            assert_eq!(result.unwrap().closed, 1);
        } else {
            assert_eq!(result.unwrap_err().kind, "ConnectionNotClosed");
            // When Lambda repeats the event, a 410 means that the connection has ended.
            hands.forward(60);
            assert_eq!(functions.broadcast_as("r-1", &event, 60).await.unwrap().gone, 1);
            assert!(system.items().await.is_empty());
        }
    }
}

/// The table is not the connection's fault.
#[tokio::test]
async fn a_connection_is_not_closed_because_the_table_fails() {
    let (system, hands) = (System::start().await, Hands::default());
    let receivers =
        Receivers::with(|asked| Some(Reply::status(if asked.method == "DELETE" { 204 } else { 410 }))).await;
    let table = proxy_by_operation(system.local.dynamodb_url(), |operation| match operation {
        "GetItem" => Fate::Throttled,
        _ => Fate::Pass,
    })
    .await;
    let (functions, _bus) = Functions::with_bus(&system, &table, &receivers.endpoint, &hands, &[]).await;
    register(&system.table(), [connection("opening", hands.clock().now(), None)]).await;
    let failure = functions.broadcast(&envelope("e1", &room("demo", "r1")), 60).await.unwrap_err();
    assert_eq!(failure.kind, "TableUnavailable", "{failure}");
    assert!(closed(&receivers).is_empty());
    assert_eq!(system.items().await.len(), 2);
}

/// Two invocations can give up a connection at the same time. The second close is answered 410.
#[tokio::test]
async fn a_young_connection_that_another_invocation_closed_does_not_fail_the_attempt() {
    let (system, hands) = (System::start().await, Hands::default());
    let closed = std::sync::atomic::AtomicBool::new(false);
    let receivers = Receivers::with(move |asked| {
        let is_first = asked.method == "DELETE" && !closed.swap(true, std::sync::atomic::Ordering::SeqCst);
        Some(Reply::status(match asked.method.as_str() {
            "DELETE" if is_first => 204,
            "DELETE" => 410,
            _ => 503,
        }))
    })
    .await;
    let mut functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    functions.broadcast = functions.broadcast.with_patience(PATIENCE);
    register(&functions.table, [connection("stuck", hands.clock().now(), None)]).await;
    let events = ["e1", "e2"].map(|id| envelope(id, &room("demo", "r1")));
    let (first, second) = tokio::join!(functions.broadcast(&events[0], 60), functions.broadcast(&events[1], 60));
    assert_eq!((first.unwrap().closed, second.unwrap().closed), (1, 1));
    assert!(system.items().await.is_empty());
}
