//! Several subscriptions on one connection.

use entity_stream_connections::{Connection, Interest, TableError};
use entity_stream_protocol::{Acknowledgement, Filter, FilterFields, Representation, Subscription, View};

use crate::support::{
    Requests, TestTable, by_ids, config, connection, filter, id, ids, named, now, subscription_name, tenant,
    with_pattern,
};

/// Adds these to alice's subscriptions, and holds the table against the result.
async fn add(t: &TestTable, alice: &mut Connection, wanted: &[Subscription]) {
    alice.subscriptions.retain(|each| wanted.iter().all(|new| new.name != each.name));
    alice.subscriptions.extend_from_slice(wanted);
    alice.subscriptions.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(&t.table.subscribe(&alice.id, wanted, None, now()).await.unwrap().after, alice);
    t.assert_holds([&*alice], &format!("with {wanted:?}")).await;
}

async fn remove(t: &TestTable, alice: &mut Connection, name: &str) {
    alice.subscriptions.retain(|each| each.name.as_str() != name);
    assert_eq!(&t.table.unsubscribe(&alice.id, &subscription_name(name), now()).await.unwrap(), alice);
    t.assert_holds([&*alice], &format!("without {name:?}")).await;
}

/// The names and the filters of what is wanted of the only interest.
fn wants(interests: &[Interest]) -> Vec<(&str, &str)> {
    let [interest] = interests else { panic!("one interest, not {interests:?}") };
    interest.wants.iter().map(|want| (want.subscription.as_str(), want.filter.as_str())).collect()
}

#[tokio::test]
async fn are_added_replaced_and_removed_by_name() {
    let t = TestTable::create().await;
    let mut alice = connection("alice", Filter::default());
    t.register([&alice]).await;

    add(&t, &mut alice, &[named("map", filter(["Vehicle", "Room"]))]).await;
    add(&t, &mut alice, &[named("list", with_pattern(&["Vehicle"], "^urn"))]).await;
    add(&t, &mut alice, &[named("bus", by_ids(["urn:bus:1"]))]).await;
    add(&t, &mut alice, &[named("map", filter(["Room", "Sensor"]))]).await;
    add(&t, &mut alice, &[filter(["Room"]).into()]).await;
    remove(&t, &mut alice, "map").await;
    remove(&t, &mut alice, "").await;
    add(&t, &mut alice, &[named("map", Filter::default())]).await;
    remove(&t, &mut alice, "list").await;
    remove(&t, &mut alice, "bus").await;
    remove(&t, &mut alice, "map").await;
    assert_eq!(t.items().await.len(), 1, "the connection alone");
}

#[tokio::test]
async fn of_one_message_are_one_transaction() {
    let t = TestTable::create().await;
    let alice = connection("alice", Filter::default());
    t.register([&alice]).await;
    let transactions = Requests::of(".TransactWriteItems");
    let table = t.through(config().interceptor(transactions.clone()));
    let wanted = [filter(["Room"]).into(), named("a", by_ids(["urn:1", "urn:2"])), named("b", filter(["Car", "Room"]))];

    let returned = table.subscribe(&alice.id, &wanted, None, now()).await.unwrap().after;

    assert_eq!(transactions.count(), 1);
    assert_eq!(returned.subscriptions, wanted);
    t.assert_holds([&returned], "three at once").await;
}

/// The last of them wins, as if they had been sent one after the other.
#[tokio::test]
async fn of_one_name_in_one_message_are_the_last() {
    let t = TestTable::create().await;
    t.register([&connection("alice", None)]).await;
    let [first, last] = [filter(["Room"]), filter(["Car"])].map(|filter| named("map", filter));

    let returned = t.table.subscribe(&id("alice"), &[first, last.clone()], None, now()).await.unwrap().after;

    assert_eq!(returned.subscriptions, [last]);
    t.assert_holds([&returned], "the last").await;
}

#[tokio::test]
async fn stand_in_each_interest_that_they_want_with_the_rest_of_their_filter() {
    let t = TestTable::create().await;
    let both = FilterFields {
        entity_types: vec!["Bus".into(), "Room".into()],
        entity_ids: vec!["urn:1".into()],
        q: Some("speed>50".into()),
        ..FilterFields::default()
    };
    let view = View::new(["speed"], Representation::KeyValues).unwrap();
    let alice = Connection {
        subscriptions: vec![
            filter(["Bus", "Room"]).into(),
            named("ids", both.check().unwrap()),
            Subscription { view, ..named("map", with_pattern(&["Bus"], "^urn")) },
            named("tram", with_pattern(&["Tram"], "^(urn:1|urn:2)$")),
        ],
        ..connection("alice", None)
    };
    t.register([&alice]).await;

    let buses = t.interests(&["Bus"]).await;
    assert_eq!(wants(&buses), [("", ""), ("map", r#"{"idPattern":"^urn"}"#)]);
    assert_eq!(buses[0].wants[0].view, "");
    assert_eq!(buses[0].wants[1].view, r#"{"attributes":["speed"],"representation":"keyValues"}"#);
    assert_eq!(wants(&t.interests(&["Room"]).await), [("", "")]);
    assert!(t.interests(&["Tram"]).await.is_empty(), "its ids are narrower");
    let tram = r#"{"entityTypes":["Tram"],"idPattern":"^(urn:1|urn:2)$"}"#;
    let first = t.watchers(&tenant("demo"), "urn:1").await;
    assert_eq!(wants(&first), [("ids", r#"{"entityTypes":["Bus","Room"],"q":"speed>50"}"#), ("tram", tram)]);
    assert_eq!(wants(&t.watchers(&tenant("demo"), "urn:2").await), [("tram", tram)]);
    t.assert_holds([&alice], "registered").await;
}

/// An event says which subscriptions it matches if one of them has a name, so every interest knows.
#[tokio::test]
async fn are_said_to_exist_in_every_interest() {
    let t = TestTable::create().await;
    let mut alice = connection("alice", filter(["Room", "Car"]));
    t.register([&alice]).await;
    let is_named = async || {
        let interests = t.interests(&["Room", "Car"]).await;
        assert_eq!(ids(&interests), ["alice", "alice"]);
        interests.iter().map(|interest| interest.is_named).collect::<Vec<_>>()
    };
    assert_eq!(is_named().await, [false, false]);
    add(&t, &mut alice, &[named("bus", by_ids(["urn:1"]))]).await;
    assert_eq!(is_named().await, [true, true]);
    assert!(t.watchers(&tenant("demo"), "urn:1").await[0].is_named);
    add(&t, &mut alice, &[named("car", filter(["Car"]))]).await;
    remove(&t, &mut alice, "bus").await;
    assert_eq!(is_named().await, [true, true]);
    remove(&t, &mut alice, "car").await;
    assert_eq!(is_named().await, [false, false]);
}

#[tokio::test]
async fn that_do_not_exist_cannot_be_removed() {
    let t = TestTable::create().await;
    let mut alice = connection("alice", filter(["Room"]));
    t.register([&alice]).await;
    let result = t.table.unsubscribe(&alice.id, &subscription_name("map"), now()).await;
    assert!(matches!(result, Err(TableError::NotSubscribed)), "{result:?}");
    t.assert_holds([&alice], "no such subscription").await;
    add(&t, &mut alice, &[named("map", filter(["Room"]))]).await;
    remove(&t, &mut alice, "map").await;
    let result = t.table.unsubscribe(&alice.id, &subscription_name("map"), now()).await;
    assert!(matches!(result, Err(TableError::NotSubscribed)), "{result:?}");
    // The original contract allows to unsubscribe at any time.
    remove(&t, &mut alice, "").await;
    let before = t.items().await;
    remove(&t, &mut alice, "").await;
    assert_eq!(t.items().await, before, "an absent default subscription is removed without a write");
}

#[tokio::test]
async fn that_are_already_so_are_not_written_again() {
    let t = TestTable::create().await;
    let mut alice = connection("alice", filter(["Room"]));
    t.register([&alice]).await;
    let wanted = [named("a", filter(["Room"])), named("b", by_ids(["urn:1"]))];
    add(&t, &mut alice, &wanted).await;
    let before = t.items().await;
    add(&t, &mut alice, &wanted).await;
    add(&t, &mut alice, &wanted[1..]).await;
    add(&t, &mut alice, &[]).await;
    assert_eq!(t.items().await, before);
}

#[tokio::test]
async fn are_forgotten_with_their_connection() {
    for gone in [false, true] {
        let t = TestTable::create().await;
        let bob = connection("bob", by_ids(["urn:1"]));
        let mut alice = connection("alice", Filter::default());
        t.register([&alice, &bob]).await;
        let wanted = [named("a", by_ids(["urn:1", "urn:2"])), named("b", filter(["Room", "Car"]))];
        alice = t.table.subscribe(&alice.id, &wanted, None, now()).await.unwrap().after;
        if gone {
            let interests = t.watchers(&tenant("demo"), "urn:1").await;
            let interest = interests.iter().find(|interest| interest.connection_id == alice.id).unwrap();
            t.table.forget_gone(interest).await.unwrap();
        } else {
            t.table.forget(&alice.id).await.unwrap();
        }
        t.assert_holds([&bob], &format!("found gone: {gone}")).await;
    }
}

#[tokio::test]
async fn the_wish_to_be_answered_stays_with_the_connection() {
    let mut all = [None, Some(Acknowledgement::Always), Some(Acknowledgement::Request)]
        .map(|acknowledgement| Connection { acknowledgement, ..connection("alice", filter(["Room"])) });
    for alice in &mut all {
        let t = TestTable::create().await;
        t.register([&*alice]).await;
        add(&t, alice, &[named("a", filter(["Car"]))]).await;
        remove(&t, alice, "").await;
    }
}
