use entity_stream_connections::{Connection, TableError};
use entity_stream_protocol::{Filter, Format, GroupId};

use crate::support::{TestTable, connection, filter, id, ids, names, now, tenant};

fn with_pattern(types: &[&str], pattern: &str) -> Filter {
    Filter::new(types.iter().copied(), Some(pattern)).unwrap()
}

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
        let subscribed = t.table.subscribe(&alice.id, wanted.as_ref(), now()).await.unwrap();
        assert_eq!(subscribed.tenant, tenant("demo"), "step {step}");
        alice.filter = wanted;
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

    t.table.subscribe(&id("alice"), Some(&filter(["Room", "Sensor"])), now()).await.unwrap();

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
    t.table.subscribe(&id("alice"), None, now()).await.unwrap();
    assert_eq!(ids(&t.interests(&["Room"]).await), ["bob"]);
}

/// Fifty items out, fifty in and the connection are one more than a transaction takes.
#[tokio::test]
async fn swaps_fifty_types_for_fifty_others_again_and_again() {
    let [old, new, third] = ["Old", "New", "Third"].map(|prefix| filter(names(prefix, 50)));

    walk(Some(old.clone()), [Some(new.clone()), Some(third), Some(old), Some(new)]).await;
}

#[tokio::test]
async fn swaps_fifty_types_and_the_pattern_too() {
    let old = filter(names("Old", 50));
    let new = Filter::new(names("New", 50), Some("^urn")).unwrap();
    let half: Vec<_> = names("Old", 25).into_iter().chain(names("New", 25)).collect();

    walk(Some(old.clone()), [Some(new.clone()), Some(filter(half)), Some(new), None, Some(old)]).await;
}

#[tokio::test]
async fn goes_from_every_type_to_fifty_and_back() {
    let fifty = filter(names("New", 50));

    walk(Some(Filter::default()), [Some(fifty.clone()), Some(Filter::default()), Some(fifty), None]).await;
}

#[tokio::test]
async fn an_unknown_connection_is_told_so_and_leaves_no_trace() {
    let t = TestTable::create().await;

    for wanted in [Some(filter(["Room"])), Some(Filter::default()), None] {
        let result = t.table.subscribe(&id("nobody"), wanted.as_ref(), now()).await;
        assert!(matches!(result, Err(TableError::NotConnected)), "{wanted:?}: {result:?}");
        t.assert_empty(&format!("{wanted:?}")).await;
    }
}

#[tokio::test]
async fn a_forgotten_connection_cannot_come_back() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room"]))]).await;
    t.table.forget(&id("alice")).await.unwrap();

    let result = t.table.subscribe(&id("alice"), Some(&filter(["Room"])), now()).await;

    assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}");
    t.assert_empty("after the attempt").await;
}
