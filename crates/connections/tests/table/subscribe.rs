use entity_stream_connections::{Authorisation, Connection, TableError};
use entity_stream_protocol::{Filter, Format, GroupId};

use crate::support::{
    Requests, TestTable, config, connection, filter, id, ids, names, now, only, subscribe, tenant, with_pattern,
};

/// Subscribes one connection to several filters in sequence. Each time its items are exactly those of the filter.
async fn walk(start: Option<Filter>, filters: impl IntoIterator<Item = Option<Filter>>) {
    let t = TestTable::create().await;
    let bystander = connection("bystander", filter(["Room", "Old0", "New0"]));
    let mut alice = Connection {
        format: Format::CloudEvents,
        group: Some(GroupId::parse("workers").unwrap()),
        ..connection("alice", start)
    };
    t.register([&alice, &bystander]).await;
    for (step, wanted) in filters.into_iter().enumerate() {
        let subscribed = subscribe(&t.table, &alice.id, wanted.as_ref(), now()).await.unwrap();
        assert_eq!(subscribed.tenant, tenant("demo"), "step {step}");
        alice.subscriptions = only(wanted);
        t.assert_holds([&alice, &bystander], &format!("step {step}")).await;
    }
}

#[tokio::test]
async fn replaces_the_whole_filter() {
    walk(
        Some(Filter::default()),
        [
            Some(filter(["Room"])),
            Some(filter(["Sensor", "Vehicle"])),
            Some(filter(["Vehicle", "Room"])),
            Some(with_pattern(&["Room"], "^urn")),
            Some(with_pattern(&[], "^urn")),
            Some(Filter::default()),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_new_pattern_reaches_every_interest_of_the_same_types() {
    walk(
        Some(filter(["Room", "Sensor"])),
        [
            Some(with_pattern(&["Room", "Sensor"], "^urn")),
            Some(with_pattern(&["Room", "Sensor"], "001$")),
            Some(with_pattern(&["Sensor", "Room"], "001$")),
            Some(with_pattern(&["Sensor"], "001$")),
            Some(with_pattern(&["Sensor", "Room"], "001$")),
            Some(filter(["Sensor", "Room"])),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_same_filter_again_changes_nothing() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room", "Sensor"]))]).await;
    let before = t.items().await;

    subscribe(&t.table, &id("alice"), Some(&filter(["Room", "Sensor"])), now()).await.unwrap();

    assert_eq!(t.items().await, before);
}

#[tokio::test]
async fn unsubscribed_connections_are_met_by_no_event() {
    walk(
        Some(filter(["Room", "Sensor"])),
        [None, None, Some(filter(["Room"])), None, Some(Filter::default()), None, Some(filter(["Room", "Sensor"]))],
    )
    .await;

    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room"])), &connection("bob", filter(["Room"]))]).await;
    subscribe(&t.table, &id("alice"), None, now()).await.unwrap();
    assert_eq!(ids(&t.interests(&["Room"]).await), ["bob"]);
}

#[tokio::test]
async fn swaps_all_types_for_others_again_and_again() {
    let [old, new, third] = ["Old", "New", "Third"].map(|prefix| filter(names(prefix, 49)));

    walk(Some(old.clone()), [Some(new.clone()), Some(third), Some(old), Some(new)]).await;
}

#[tokio::test]
async fn swaps_all_types_and_the_pattern_too() {
    let old = filter(names("Old", 49));
    let new = Filter::new(names("New", 49), Some("^urn")).unwrap();
    let half: Vec<_> = names("Old", 25).into_iter().chain(names("New", 24)).collect();

    walk(Some(old.clone()), [Some(new.clone()), Some(filter(half)), Some(new), None, Some(old)]).await;
}

#[tokio::test]
async fn goes_from_every_type_to_many_and_back() {
    let many = filter(names("New", 49));

    walk(Some(Filter::default()), [Some(many.clone()), Some(Filter::default()), Some(many), None]).await;
}

/// A reader never sees a part of a change, and a process that dies leaves none.
#[tokio::test]
async fn every_change_is_one_transaction() {
    let [old, new] = ["Old", "New"].map(|prefix| filter(names(prefix, 49)));
    let every = |pattern| Filter::new([""; 0], Some(pattern)).unwrap();
    let t = TestTable::create().await;
    t.register([&connection("alice", old.clone())]).await;
    let transactions = Requests::of(".TransactWriteItems");
    let table = t.through(config().interceptor(transactions.clone()));
    let filters = [Some(new.clone()), Some(every("^a")), Some(old.clone()), Some(every("^b")), Some(every("^c")), None];
    for (step, wanted) in filters.iter().enumerate() {
        subscribe(&table, &id("alice"), wanted.as_ref(), now()).await.unwrap();
        assert_eq!(transactions.count(), step + 1, "{wanted:?}");
    }
}

/// Each interest repeats the pattern, so a short filter can become large items.
#[tokio::test]
async fn interests_that_are_too_large_are_refused_and_nothing_changes() {
    let pattern = "é".repeat(330);
    let many = names("Type", 49);
    let small = Filter::new(&many[..40], Some(&pattern)).unwrap();
    let large = Filter::new(&many, Some(&pattern)).unwrap();
    let t = TestTable::create().await;
    for authorisation in [Authorisation::Open, Authorisation::Pending] {
        let refused = Connection { authorisation, ..connection("alice", large.clone()) };
        let refused = t.table.register(&refused).await;
        assert!(matches!(refused, Err(TableError::LimitExceeded)), "{refused:?}");
        t.assert_empty("refused").await;
    }

    let alice = connection("alice", small);
    t.register([&alice]).await;
    let refused = subscribe(&t.table, &alice.id, Some(&large), now()).await;
    assert!(matches!(refused, Err(TableError::LimitExceeded)), "{refused:?}");
    t.assert_holds([&alice], "refused").await;
}

#[tokio::test]
async fn an_unknown_connection_is_told_so_and_leaves_no_trace() {
    let t = TestTable::create().await;

    for wanted in [Some(filter(["Room"])), Some(Filter::default()), None] {
        let result = subscribe(&t.table, &id("nobody"), wanted.as_ref(), now()).await;
        assert!(matches!(result, Err(TableError::NotConnected)), "{wanted:?}: {result:?}");
        t.assert_empty(&format!("{wanted:?}")).await;
    }
}

#[tokio::test]
async fn a_forgotten_connection_cannot_come_back() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room"]))]).await;
    t.table.forget(&id("alice")).await.unwrap();

    let result = subscribe(&t.table, &id("alice"), Some(&filter(["Room"])), now()).await;

    assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}");
    t.assert_empty("after the attempt").await;
}
