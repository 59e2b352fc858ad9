use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::Connection;
use entity_stream_protocol::{Filter, Format, GroupId};

use crate::support::{
    TestTable, connection, entity_type, filter, id, ids, names, now, patterns, stored_filter, with_pattern,
};

#[tokio::test]
async fn no_types_are_one_interest_in_every_type() {
    let t = TestTable::create().await;
    let alice = connection("alice", Filter::default());

    t.register([&alice]).await;

    t.assert_holds([&alice], "registered").await;
    let pks: Vec<_> = t.items().await.into_keys().map(|(pk, _)| pk).collect();
    assert_eq!(pks, ["C#alice", "T#demo#*"]);
    assert_eq!(ids(&t.interests(&["Room"]).await), ["alice"]);
    assert_eq!(ids(&t.interests(&["Room", "Sensor"]).await), ["alice"], "once, whatever the event's types");
}

#[tokio::test]
async fn types_are_one_interest_each() {
    let t = TestTable::create().await;
    let alice = connection("alice", filter(["Room", "Sensor"]));

    t.register([&alice]).await;

    t.assert_holds([&alice], "registered").await;
    let pks: Vec<_> = t.items().await.into_keys().map(|(pk, _)| pk).collect();
    assert_eq!(pks, ["C#alice", "T#demo#Room", "T#demo#Sensor"]);
    assert_eq!(ids(&t.interests(&["Room"]).await), ["alice"]);
    assert_eq!(ids(&t.interests(&["Vehicle"]).await), [""; 0]);
    assert_eq!(ids(&t.interests(&["Room", "Sensor"]).await), ["alice", "alice"], "in both partitions");
    assert_eq!(ids(&t.interests(&["Room", "Room"]).await), ["alice"], "a repeated type is read once");
}

#[tokio::test]
async fn unsubscribed_is_no_interest_at_all() {
    let t = TestTable::create().await;
    let alice = connection("alice", None);

    t.register([&alice]).await;

    t.assert_holds([&alice], "registered").await;
    assert_eq!(t.items().await.len(), 1);
}

#[tokio::test]
async fn forty_nine_types_take_two_batches() {
    let t = TestTable::create().await;
    let alice = connection("alice", filter(names("Type", 49)));

    t.register([&alice]).await;

    t.assert_holds([&alice], "registered").await;
    assert_eq!(t.items().await.len(), 50);
    assert_eq!(ids(&t.interests(&["Type48"]).await), ["alice"]);
}

/// More types than the contract allows.
#[tokio::test]
async fn no_number_of_writes_is_too_many() {
    let t = TestTable::create().await;
    let types: Vec<_> = names("Type", 63).iter().map(|name| entity_type(name)).collect();
    let alice = connection("alice", stored_filter(&types));

    t.register([&alice]).await;
    t.assert_holds([&alice], "registered").await;
    assert_eq!(t.items().await.len(), 64);

    t.table.forget(&alice.id).await.unwrap();
    t.assert_empty("forgotten").await;
}

#[tokio::test]
async fn can_be_repeated() {
    let t = TestTable::create().await;
    let alice = connection("alice", filter(["Room"]));

    t.register([&alice, &alice]).await;

    t.assert_holds([&alice], "registered twice").await;
}

#[tokio::test]
async fn an_interest_carries_what_a_delivery_needs() {
    let t = TestTable::create().await;
    let alice = Connection {
        format: Format::CloudEvents,
        group: Some(GroupId::parse("workers.1").unwrap()),
        ..connection("XyZ12cdeIAMCJ1g=", with_pattern(&["Room"], "^urn:.*é$"))
    };

    t.register([&alice]).await;

    t.assert_holds([&alice], "registered").await;
    let interests = t.interests(&["Room"]).await;
    let [interest] = interests.as_slice() else { panic!("one interest, not {interests:?}") };
    assert_eq!(interest.connection_id, alice.id);
    assert_eq!(patterns(interest), [Some("^urn:.*é$".to_owned())]);
    assert_eq!(interest.format, Format::CloudEvents);
    assert_eq!(interest.group, alice.group);
    assert_eq!(interest.connected_at, now());
}

#[tokio::test]
async fn finds_what_was_registered_and_nothing_else() {
    let t = TestTable::create().await;
    let alice = connection("alice", filter(["Room"]));
    t.register([&alice]).await;

    assert_eq!(t.table.find(&alice.id, now()).await.unwrap(), Some(alice));
    assert_eq!(t.table.find(&id("bob"), now()).await.unwrap(), None);
}

/// DynamoDB's TTL needs a number of seconds. It silently ignores other values, and the item would never expire.
#[tokio::test]
async fn every_item_expires() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room"]))]).await;

    let two_hours_later = AttributeValue::N((now().seconds() + 7200).to_string());
    for (key, item) in t.items().await {
        assert_eq!(item.get("expiresAt"), Some(&two_hours_later), "{key:?}");
    }
}
