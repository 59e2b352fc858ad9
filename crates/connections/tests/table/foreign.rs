//! Foreign items in the table, written by hand or by a later release.

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::TableError;
use entity_stream_protocol::Filter;

use crate::support::{Item, TestTable, by_ids, connection, filter, id, ids, now, subscribe, tenant};

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Alice's item in a partition, and malformed variants of it.
fn malformed(interest: &Item) -> Vec<Item> {
    let named = Item::from([("n".to_owned(), text("not a name"))]);
    let changes = [
        ("format", Some(AttributeValue::N("1".to_owned()))),
        ("format", Some(text("xml"))),
        ("group", Some(text("not a group"))),
        ("connectedAt", None),
        ("connectedAt", Some(text("yesterday"))),
        ("connectedAt", Some(AttributeValue::N("-1".to_owned()))),
        ("connectedAt", Some(AttributeValue::N("1.5".to_owned()))),
        ("subscriptions", Some(text("everything"))),
        ("subscriptions", Some(AttributeValue::L(Vec::new()))),
        ("subscriptions", Some(AttributeValue::L(vec![text("map")]))),
        ("subscriptions", Some(AttributeValue::L(vec![AttributeValue::M(named)]))),
        // A text is not greater than any number for DynamoDB; moto fails to compare the two.
        ("expiresAt", None),
    ];
    let change = |(i, (name, value)): (usize, (&str, Option<AttributeValue>))| {
        let mut item = interest.clone();
        // Some foreign items sort before the genuine ones, some after them.
        item.insert("sk".to_owned(), text(&format!("{}#{i}", ["0".repeat(16), "f".repeat(16)][i % 2])));
        match value {
            Some(value) => item.insert(name.to_owned(), value),
            None => item.remove(name),
        };
        item
    };
    let mut items: Vec<_> = changes.into_iter().enumerate().map(change).collect();
    for bare in ["bare", "0000000000000000", "!", "~"] {
        items.push(Item::from([("pk".to_owned(), interest["pk"].clone()), ("sk".to_owned(), text(bare))]));
    }
    for unnamed in ["0000000000000000#", "0000000000000000#not an id", "000000000000000x#carol"] {
        let mut item = interest.clone();
        item.insert("sk".to_owned(), text(unnamed));
        items.push(item);
    }
    items
}

#[tokio::test]
async fn do_not_stop_an_event_for_other_connections() {
    let everywhere =
        [(filter(["Room"]), "T#demo#Room"), (Filter::default(), "T#demo#*"), (by_ids(["urn:1"]), "I#demo#")];
    for (wanted, partition) in everywhere {
        let t = TestTable::create().await;
        t.register([&connection("alice", wanted.clone()), &connection("bob", wanted)]).await;
        let items = t.items().await;
        let interest = items.iter().find(|((pk, _), _)| pk.starts_with(partition)).map(|(_, item)| item).unwrap();
        for item in malformed(interest) {
            t.put(item).await;
        }

        let mut interests = t.interests(&["Room"]).await;
        interests.extend(t.watchers(&tenant("demo"), "urn:1").await);
        assert_eq!(ids(&interests), ["alice", "bob"], "{partition}");
    }
}

#[tokio::test]
async fn with_attributes_of_a_later_release_are_read() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room"]))]).await;
    for mut item in t.items().await.into_values() {
        item.insert("later".to_owned(), AttributeValue::Bool(true));
        t.put(item).await;
    }

    assert_eq!(ids(&t.interests(&["Room"]).await), ["alice"]);
    assert!(t.table.find(&id("alice"), now()).await.unwrap().is_some());
}

#[tokio::test]
async fn under_a_connections_key_are_no_connection() {
    let key = || [("pk".to_owned(), text("C#alice")), ("sk".to_owned(), text("C"))];
    let subscribed = ("subscriptions".to_owned(), AttributeValue::L(Vec::new()));
    for item in [Item::from(key()), Item::from_iter(key().into_iter().chain([subscribed]))] {
        let t = TestTable::create().await;
        t.put(item).await;

        assert_eq!(t.table.find(&id("alice"), now()).await.unwrap(), None);
        let result = subscribe(&t.table, &id("alice"), Some(&filter(["Room"])), now()).await;
        assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}");
        assert_eq!(t.table.forget(&id("alice")).await.unwrap(), None);
        t.assert_empty("forgotten all the same").await;
    }
}

/// The interests of a connection follow from its subscriptions and its session. If one of these cannot be read, the interests
/// cannot be found, so the item is no connection.
#[tokio::test]
async fn with_malformed_subscriptions_or_sessions_are_no_connection() {
    for (name, value) in [
        ("subscriptions", text("everything")),
        ("subscriptions", AttributeValue::L(vec![text("map")])),
        ("subscriptions", AttributeValue::L(vec![AttributeValue::M(Item::from([("f".to_owned(), text("{"))]))])),
        ("subscriptions", AttributeValue::L(vec![AttributeValue::M(Item::from([("v".to_owned(), text("[]"))]))])),
        ("ack", text("never")),
        ("session", text("")),
        ("session", text("not a session")),
        ("session", text(&"s".repeat(129))),
    ] {
        let t = TestTable::create().await;
        t.register([&connection("alice", None)]).await;
        let mut item = t.items().await.into_values().next().unwrap();
        item.insert(name.to_owned(), value.clone());
        t.put(item).await;
        assert_eq!(t.table.find(&id("alice"), now()).await.unwrap(), None, "{name}: {value:?}");
    }
}
