//! The slots of a subject.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::{Authorisation, Connection, Grant, Slot, TableError};
use entity_stream_protocol::EpochMillis;

use crate::support::{TestTable, connection, filter, names, now, tenant};

/// A connection of this subject.
fn of(subject: &str, name: &str) -> Connection {
    let authorisation = Authorisation::Granted(Grant::new(subject, "user", None));
    Connection { authorisation, ..connection(name, filter(["Room"])) }
}

fn slot(subject: &str, name: &str) -> Slot {
    of(subject, name).slot().unwrap()
}

fn later(seconds: u64) -> EpochMillis {
    now().plus(Duration::from_secs(seconds))
}

async fn take(t: &TestTable, slot: &Slot, most: usize, now: EpochMillis) -> bool {
    match t.table.take_slot(slot, most, now).await {
        Ok(()) => true,
        Err(TableError::TooManyConnections) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_subject_has_as_many_as_it_may_and_no_more() {
    let t = TestTable::create().await;
    for name in names("c", 3) {
        assert!(take(&t, &slot("alice", &name), 3, now()).await, "{name}");
    }
    assert!(!take(&t, &slot("alice", "c3"), 3, now()).await);
    assert!(take(&t, &slot("alice", "c2"), 3, now()).await, "a repeated request takes no second slot");
    assert!(take(&t, &slot("bob", "c3"), 3, now()).await, "another subject");
    let elsewhere = Connection { tenant: tenant("other"), ..of("alice", "c3") };
    assert!(take(&t, &elsewhere.slot().unwrap(), 3, now()).await, "another tenant");

    for _ in 0..2 {
        t.table.free_slot(&slot("alice", "c1")).await.unwrap();
    }
    assert!(take(&t, &slot("alice", "c3"), 3, now()).await);
    assert!(!take(&t, &slot("alice", "c4"), 3, now()).await, "one slot was freed once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_at_the_same_time_do_not_exceed_the_limit() {
    let t = Arc::new(TestTable::create().await);
    let start = |name: String| {
        let t = Arc::clone(&t);
        tokio::spawn(async move { take(&t, &slot("alice", &name), 5, now()).await })
    };
    let takes: Vec<_> = names("c", 20).into_iter().map(start).collect();
    let mut taken = 0;
    for take in takes {
        taken += usize::from(take.await.unwrap());
    }
    assert_eq!(taken, 5);
}

#[tokio::test]
async fn only_a_known_subject_is_counted() {
    for authorisation in [Authorisation::Open, Authorisation::Pending] {
        assert_eq!(Connection { authorisation, ..connection("c", None) }.slot(), None);
    }
}

#[tokio::test]
async fn the_end_of_a_connection_frees_its_slot() {
    let t = TestTable::create().await;
    let alice = of("alice", "c0");
    assert!(take(&t, &alice.slot().unwrap(), 1, now()).await);
    t.register([&alice]).await;
    assert!(!take(&t, &slot("alice", "c1"), 1, later(60)).await, "the connection is open");
    t.table.forget(&alice.id).await.unwrap();
    assert!(take(&t, &slot("alice", "c1"), 1, now()).await);
}

/// No `$disconnect` came, and the connection was removed in another way, or its handshake died before it was written.
#[tokio::test]
async fn a_slot_without_a_connection_is_freed_when_it_is_missed() {
    let t = TestTable::create().await;
    let open = of("alice", "open");
    t.register([&open]).await;
    assert!(take(&t, &open.slot().unwrap(), 2, now()).await);
    assert!(take(&t, &slot("alice", "lost"), 2, now()).await);

    assert!(!take(&t, &slot("alice", "next"), 2, later(29)).await, "the handshake may still be under way");
    let mut next = of("alice", "next");
    next.connected_at = later(31);
    assert!(take(&t, &next.slot().unwrap(), 2, later(31)).await, "nothing registered it");
    assert!(!take(&t, &slot("alice", "third"), 2, later(31)).await, "the others are open");
    assert!(take(&t, &slot("alice", "third"), 2, later(2 * 60 * 60)).await, "a connection lives two hours");
}

#[tokio::test]
async fn many_lost_slots_are_freed_at_once() {
    let t = TestTable::create().await;
    let (most, open) = (130, [of("alice", "c7"), of("alice", "c107")]);
    t.register(&open).await;
    for name in names("c", most) {
        assert!(take(&t, &slot("alice", &name), most, now()).await);
    }
    for name in names("d", most) {
        let mut next = of("alice", &name);
        next.connected_at = later(60);
        let expected = name.strip_prefix('d').unwrap().parse::<usize>().unwrap() < most - open.len();
        assert_eq!(take(&t, &next.slot().unwrap(), most, later(60)).await, expected, "{name}");
    }
}

#[tokio::test]
async fn the_item_expires_and_a_slot_that_is_freed_late_creates_none() {
    let t = TestTable::create().await;
    t.table.free_slot(&slot("alice", "c0")).await.unwrap();
    assert!(t.items().await.is_empty());
    assert!(take(&t, &slot("alice", "c0"), 1, now()).await);
    let items = t.items().await;
    let item = &items[&("S#demo#alice".to_owned(), "S".to_owned())];
    assert_eq!(item["expiresAt"], AttributeValue::N((now().seconds() + 7200).to_string()));
}
