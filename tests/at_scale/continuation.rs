//! Audiences that are too large or too slow for one invocation.

use std::time::Duration;

use entity_stream_connections::Connection;
use entity_stream_protocol::Filter;
use serde_json::{Value, json};

use crate::harness::{Functions, Hands, Reply, System, config, envelope, room};
use crate::receivers::{Receivers, connection, id_of, ids, multiply, multiply_at, register};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_connections_get_an_event_exactly_once() {
    const CONNECTIONS: usize = 50_000;
    let (system, receivers, hands) = (System::start().await, Receivers::start().await, Hands::default());
    let url = system.local.dynamodb_url();
    let (mut functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, &[]).await;
    // All invocations read from one engine in this process. Pages take seconds on a busy machine.
    functions.broadcast = functions.broadcast.with_table_time(Duration::from_secs(120));
    let all = ids("c", CONNECTIONS);
    register(&functions.table, [connection(&all[0], hands.clock().now(), None)]).await;
    multiply(&system, &all).await;

    let ran = bus.run(&functions, vec![envelope("e1", &room("demo", "r1"))], 600).await;

    assert!(ran.dead.is_empty() && ran.retries == 0, "{:?}", ran.dead);
    assert_eq!(ran.sum(|report| report.delivered), CONNECTIONS);
    let received = receivers.received();
    assert_eq!(received.len(), CONNECTIONS);
    assert!(received.values().all(|count| *count == 1), "each exactly once");
    assert!(ran.reports.len() >= 9, "{} invocations shared 50,000 connections, 5,000 each", ran.reports.len());
    let most = ran.reports.iter().map(|report| report.matched).max().unwrap();
    assert!(most <= 7_500, "an invocation served {most}");
}

#[tokio::test]
async fn a_split_audience_is_served_once_for_all_sizes_of_parts() {
    for (connections, split_at) in [(10, "1"), (100, "7"), (100, "99"), (100, "100"), (300, "10")] {
        let (system, receivers, hands) = (System::start().await, Receivers::start().await, Hands::default());
        let settings: &'static [(&'static str, &'static str)] = match split_at {
            "1" => &[("BROADCAST_SPLIT_AT", "1")],
            "7" => &[("BROADCAST_SPLIT_AT", "7")],
            "10" => &[("BROADCAST_SPLIT_AT", "10")],
            "99" => &[("BROADCAST_SPLIT_AT", "99")],
            _ => &[("BROADCAST_SPLIT_AT", "100")],
        };
        let url = system.local.dynamodb_url();
        let (functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, settings).await;
        let started = hands.clock().now();
        register(&functions.table, ids("c", connections).iter().map(|id| connection(id, started, None))).await;

        let mut ran = bus.run(&functions, vec![envelope("e1", &room("demo", "r1"))], 60).await;
        // A group stays in one part of the audience, and one of its members gets the event.
        let members = ids("g", 30);
        register(&functions.table, members.iter().map(|id| connection(id, started, Some("team")))).await;
        ran.reports.extend(bus.run(&functions, vec![envelope("e2", &room("demo", "r1"))], 60).await.reports);

        let received = receivers.received();
        let singles = received.iter().filter(|((id, _), _)| id.starts_with('c'));
        assert_eq!(singles.clone().count(), 2 * connections, "{connections} split at {split_at}");
        assert!(singles.map(|(_, count)| count).all(|count| *count == 1), "{connections} split at {split_at}");
        let group: Vec<_> = received.iter().filter(|((id, _), _)| id.starts_with('g')).collect();
        assert!(group.len() == 1 && *group[0].1 == 1, "one member, once: {group:?}");
        let split = connections + members.len() > split_at.parse().unwrap();
        assert_eq!(ran.sum(|report| report.continued) > 0, split, "{connections} split at {split_at}");
    }
}

#[tokio::test]
async fn the_local_system_serves_its_own_continuations() {
    let environment =
        entity_stream_runtime::Environment::new(|name| (name == "BROADCAST_SPLIT_AT").then(|| "5".to_owned()));
    let system = System::start_with(entity_stream_local::Config { environment, ..config() }).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(system.connect("tenant=demo").await);
    }
    let published = json!({
        "type": "entityUpdated", "tenant": "demo", "entityId": "r1", "entityType": "Room",
        "data": { "exact": { "type": "Number", "value": 1 } }, "timestamp": "2026-01-02T03:04:05Z",
    });
    let text = published.to_string().replace("\"value\":1", "\"value\":1.10000000000000000001e400");
    let id = system.publish_text(&text).await;
    for client in &mut clients {
        let text = client.text().await;
        assert!(text.contains("1.10000000000000000001e400"), "each digit arrives: {text}");
        let event: Value = serde_json::from_str(&text.replace("1.10000000000000000001e400", "1")).unwrap();
        assert_eq!(event["id"], json!(id), "the id is the event's, not the continuation's");
    }
    for client in &mut clients {
        client.nothing_more(&system).await;
    }
    assert!(system.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_continuation_finishes_the_rest_of_an_invocation() {
    let hands = Hands::default();
    let system = System::start().await;
    let receivers =
        Receivers::with(|_| Some(Reply::After(Duration::from_millis(40), Box::new(Reply::status(200))))).await;
    let url = system.local.dynamodb_url();
    let settings = &[("BROADCAST_CONCURRENCY", "1")];
    let (functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, settings).await;
    let started = hands.clock().now();
    register(&functions.table, ids("c", 60).iter().map(|id| connection(id, started, None))).await;

    let ran = bus.run(&functions, vec![envelope("e1", &room("demo", "r1"))], 2).await;

    assert!(ran.dead.is_empty() && ran.reports.len() > 1, "one invocation has too little time for all");
    let received = receivers.received();
    assert_eq!(received.len(), 60);
    let repeated = received.values().filter(|count| **count > 1).count();
    assert!(repeated < ran.reports.len(), "at most the message in flight at a deadline is repeated: {repeated}");
}

#[tokio::test]
async fn after_eight_continuations_the_rest_is_a_dead_letter_that_can_be_invoked_with() {
    let (system, hands) = (System::start().await, Hands::default());
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = std::sync::Arc::clone(&broken);
    let receivers = Receivers::with(move |asked| {
        (id_of(asked).starts_with("slow") && switch.load(std::sync::atomic::Ordering::SeqCst))
            .then(|| Reply::status(503))
    })
    .await;
    let url = system.local.dynamodb_url();
    let (functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, &[]).await;
    let started = hands.clock().now();
    let all = ids("fine", 5).into_iter().chain(ids("slow", 1));
    register(&functions.table, all.map(|id| connection(&id, started, None))).await;

    let ran = bus.run(&functions, vec![envelope("e1", &room("demo", "r1"))], 1).await;

    assert_eq!((ran.reports.len(), ran.dead.len()), (9, 0), "the event, and eight continuations");
    let letters = system.dead_letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["errorCode"], json!("DeliveryIncomplete"));
    assert!(letters[0]["errorMessage"].as_str().unwrap().contains("1 of 1"), "{letters:?}");
    assert_eq!(receivers.received().len(), 5);

    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    bus.run(&functions, vec![letters[0]["event"].to_string()], 5).await;
    let received = receivers.received();
    assert_eq!(received.len(), 6);
    assert!(received.values().all(|count| *count == 1), "the others did not receive it again");
}

#[tokio::test]
async fn an_event_that_was_just_delivered_is_not_delivered_again() {
    let (system, receivers, hands) = (System::start().await, Receivers::start().await, Hands::default());
    let functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    register(&functions.table, [connection("alice", hands.clock().now(), None)]).await;
    let event = envelope("e1", &room("demo", "r1"));
    let first = functions.broadcast(&event, 5).await.unwrap();
    let second = functions.broadcast(&event, 5).await.unwrap();
    assert_eq!((first.delivered, first.duplicates), (1, 0));
    assert_eq!((second.delivered, second.duplicates), (0, 1));
    // A different event with the same id is another event.
    let other = functions.broadcast(&envelope("e1", &room("demo", "r2")), 5).await.unwrap();
    assert_eq!(other.delivered, 1);
    hands.forward(61);
    assert_eq!(functions.broadcast(&event, 5).await.unwrap().delivered, 1, "a minute later it is delivered again");
}

#[tokio::test]
async fn a_continuation_reaches_no_other_tenant_and_nothing_that_the_event_does_not_match() {
    let (system, receivers, hands) = (System::start().await, Receivers::start().await, Hands::default());
    let functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    let started = hands.clock().now();
    let stranger = entity_stream_connections::Connection {
        tenant: entity_stream_protocol::Tenant::parse("other").unwrap(),
        ..connection("stranger", started, None)
    };
    let elsewhere = entity_stream_connections::Connection {
        subscriptions: vec![entity_stream_protocol::Filter::new(["Car"], None).unwrap().into()],
        ..connection("elsewhere", started, None)
    };
    register(&functions.table, [connection("alice", started, None), stranger, elsewhere]).await;
    let forged = |continuation: Value| {
        let mut event: Value = serde_json::from_str(&envelope("c1", &continuation)).unwrap();
        event["source"] = json!("entity-stream");
        event["detail-type"] = json!("EntityStreamContinuation");
        event.to_string()
    };
    let event: Value = serde_json::from_str(&envelope("e1", &room("demo", "r1"))).unwrap();
    let everything = json!({ "type": "entityUpdated", "event": event, "ranges": ["0-ffffffffffffffff"], "depth": 1 });
    let report = functions.broadcast(&forged(everything.clone()), 5).await.unwrap();
    assert_eq!((report.matched, report.delivered), (1, 1));
    assert_eq!(receivers.received().into_keys().map(|(id, _)| id).collect::<Vec<_>>(), ["alice"]);

    // Ranges that repeat or overlap count once.
    for ranges in
        [vec!["0-ffffffffffffffff"; 1600], vec!["0-ffffffffffffffff", "0-7fffffffffffffff", "1-fffffffffffffffe"]]
    {
        let mut repeated = everything.clone();
        repeated["ranges"] = json!(ranges);
        let before = receivers.count();
        assert_eq!(functions.broadcast(&forged(repeated), 5).await.unwrap().delivered, 1);
        assert_eq!(receivers.count(), before + 1);
    }
    let before = receivers.count();

    // A malformed continuation becomes one dead letter.
    let many: Vec<_> = (0..1001).map(|n| format!("{:x}-{:x}", 2 * n, 2 * n)).collect();
    let mut nested = everything.clone();
    nested["event"] = serde_json::from_str(&forged(everything.clone())).unwrap();
    for (field, value) in [
        ("ranges", json!([])),
        ("ranges", json!(many)),
        ("ranges", json!(["ffff-0"])),
        ("ranges", json!(["zebra"])),
        ("ranges", json!("0-1")),
        ("depth", json!(-1)),
        ("event", json!({})),
        ("event", nested["event"].clone()),
    ] {
        let mut bad = everything.clone();
        bad[field] = value;
        let report = functions.broadcast(&forged(bad.clone()), 5).await.unwrap();
        assert_eq!(report.undeliverable, 1, "{bad}");
    }
    assert_eq!(receivers.count(), before);
}

/// Clients that could choose their hashes would make a sample of the table misleading.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn low_hashes_do_not_multiply_the_invocations_of_an_event() {
    const CONNECTIONS: usize = 1_200;
    let (system, receivers, hands) = (System::start().await, Receivers::start().await, Hands::default());
    let url = system.local.dynamodb_url();
    let (functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, &[]).await;
    // With long patterns, these connections do not fit into the first page.
    let wide = Connection {
        subscriptions: vec![
            Filter::new(["Room"], Some(&format!("^r1(?:{})?.?$", "\u{10ffff}".repeat(240)))).unwrap().into(),
        ],
        ..connection("template", hands.clock().now(), None)
    };
    register(&functions.table, [wide]).await;
    let all = ids("c", CONNECTIONS - 1);
    multiply_at(&system, &all, |n, _| n as u64).await;

    let ran = bus.run(&functions, vec![envelope("e1", &room("demo", "r1"))], 60).await;

    assert!(ran.dead.is_empty() && ran.retries == 0, "{:?}", ran.dead);
    assert!(ran.reports.len() <= 10, "{} invocations", ran.reports.len());
    let received = receivers.received();
    assert!(received.len() == CONNECTIONS && received.values().all(|count| *count == 1), "{}", received.len());
}
