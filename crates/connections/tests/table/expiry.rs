use std::time::Duration;

use entity_stream_connections::{Connection, TableError};
use entity_stream_protocol::limits::CONNECTION_LIFETIME;
use entity_stream_protocol::{EpochMillis, Filter};

use crate::support::{
    TestTable, by_ids, connection, entity_type, filter, ids, named, now, only, subscribe, subscription_name, tenant,
};

/// The expiry of connections that are opened at `now`, and one second before it.
fn around_expiry() -> (EpochMillis, EpochMillis) {
    (now().plus(CONNECTION_LIFETIME - Duration::from_secs(1)), now().plus(CONNECTION_LIFETIME))
}

#[tokio::test]
async fn an_expired_connection_is_not_found() {
    let t = TestTable::create().await;
    let alice = connection("alice", filter(["Room"]));
    t.register([&alice]).await;
    let (before, after) = around_expiry();

    assert_eq!(t.table.find(&alice.id, before).await.unwrap(), Some(alice.clone()));
    assert_eq!(t.table.find(&alice.id, after).await.unwrap(), None);
}

#[tokio::test]
async fn an_expired_connection_is_of_no_interest() {
    let t = TestTable::create().await;
    let young =
        Connection { connected_at: now().plus(Duration::from_secs(1)), ..connection("young", filter(["Room"])) };
    t.register([&connection("typed", filter(["Room"])), &connection("every", Filter::default()), &young]).await;
    let (before, after) = around_expiry();
    let rooms = [entity_type("Room")];

    assert_eq!(ids(&t.interests_at(&tenant("demo"), &rooms, before).await), ["every", "typed", "young"]);
    assert_eq!(ids(&t.interests_at(&tenant("demo"), &rooms, after).await), ["young"]);
}

#[tokio::test]
async fn an_expired_connection_cannot_subscribe() {
    let t = TestTable::create().await;
    let alice = connection("alice", filter(["Room"]));
    t.register([&alice]).await;
    let (before, after) = around_expiry();
    let untouched = t.items().await;

    for wanted in [Some(filter(["Sensor"])), Some(filter(["Room"])), None] {
        let result = subscribe(&t.table, &alice.id, wanted.as_ref(), after).await;
        assert!(matches!(result, Err(TableError::NotConnected)), "{wanted:?}: {result:?}");
        assert_eq!(t.items().await, untouched, "{wanted:?} changed something");
    }
    subscribe(&t.table, &alice.id, Some(&filter(["Sensor"])), before).await.unwrap();
    t.assert_holds([&Connection { subscriptions: only(filter(["Sensor"])), ..alice }], "a second earlier it can").await;
}

#[tokio::test]
async fn an_expired_connection_can_be_forgotten() {
    let t = TestTable::create().await;
    let long_gone = Connection { connected_at: EpochMillis::new(0), ..connection("alice", filter(["Room"])) };
    // DynamoDB has not deleted these expired items yet.
    t.register([&long_gone]).await;

    assert_eq!(t.table.forget(&long_gone.id).await.unwrap(), Some(tenant("demo")));

    t.assert_empty("forgotten").await;
}

#[tokio::test]
async fn an_expired_connection_keeps_its_subscriptions_as_they_are() {
    let t = TestTable::create().await;
    let subscriptions = vec![named("ids", by_ids(["urn:1"])), named("map", filter(["Room"]))];
    let alice = Connection { subscriptions, ..connection("alice", None) };
    t.register([&alice]).await;
    let (before, after) = around_expiry();
    for name in ["", "ids", "unknown"] {
        let result = t.table.unsubscribe(&alice.id, &subscription_name(name), after).await;
        assert!(matches!(result, Err(TableError::NotConnected)), "{name:?}: {result:?}");
    }
    let result = t.table.subscribe(&alice.id, &[named("new", filter(["Car"]))], None, after).await;
    assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}");
    t.assert_holds([&alice], "unchanged").await;
    for (at, found) in [(before, 1), (after, 0)] {
        let mut pages = t.table.interests(&tenant("demo"), [], ["urn:1"], at).pop().unwrap();
        assert_eq!(pages.next().await.unwrap().unwrap().interests.len(), found);
    }
    t.table.forget(&alice.id).await.unwrap();
    t.assert_empty("forgotten").await;
}
