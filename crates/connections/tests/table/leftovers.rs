//! A swap of fifty types for fifty others takes two transactions. These tests end the process between them.

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::Connection;
use entity_stream_protocol::Filter;

use crate::support::{TestTable, connection, filter, id, ids, names, now};

/// A connection with fifty new types, and the interests of earlier filters in `leftovers`; `*` is the interest in every type.
async fn interrupted(t: &TestTable, leftovers: &[&str]) -> Connection {
    let alice = connection("alice", filter(names("New", 50)));
    t.register([&alice]).await;
    let items = t.items().await;
    let interest = items.iter().find(|((pk, _), _)| pk == "T#demo#New0").map(|(_, item)| item).unwrap();
    for name in leftovers {
        let mut leftover = interest.clone();
        leftover.insert("pk".to_owned(), AttributeValue::S(format!("T#demo#{name}")));
        leftover.insert("idPattern".to_owned(), AttributeValue::S("^of-an-earlier-filter".to_owned()));
        t.put(leftover).await;
    }
    let list = leftovers.iter().map(|name| match *name {
        "*" => AttributeValue::Bool(true),
        name => AttributeValue::S(name.to_owned()),
    });
    t.client
        .update_item()
        .table_name(t.table.name())
        .key("pk", AttributeValue::S("C#alice".to_owned()))
        .key("sk", AttributeValue::S("C".to_owned()))
        .update_expression("SET leftovers = :list")
        .expression_attribute_values(":list", AttributeValue::L(list.collect()))
        .send()
        .await
        .unwrap();
    assert_eq!(t.items().await.len(), 51 + leftovers.len(), "what this test starts from");
    alice
}

#[tokio::test]
async fn are_removed_by_the_next_subscribe() {
    let next = [
        ("the same filter", Some(filter(names("New", 50)))),
        ("another pattern", Some(Filter::new(names("New", 50), Some("^urn")).unwrap())),
        ("fifty other types", Some(filter(names("Next", 50)))),
        ("every type", Some(Filter::default())),
        ("nothing", None),
    ];
    for (name, wanted) in next {
        let t = TestTable::create().await;
        let alice = interrupted(&t, &["Old49", "*"]).await;
        t.table.subscribe(&alice.id, wanted.as_ref(), now()).await.unwrap();
        t.assert_holds([&Connection { filter: wanted, ..alice }], name).await;
    }
}

/// The pattern of a leftover differs from the pattern of the present filter.
#[tokio::test]
async fn may_be_wanted_again() {
    for pattern in [None, Some("^urn")] {
        let t = TestTable::create().await;
        let alice = interrupted(&t, &["Old48", "Old49"]).await;
        let wanted = Filter::new(["Old49", "New0"], pattern).unwrap();
        t.table.subscribe(&alice.id, Some(&wanted), now()).await.unwrap();
        t.assert_holds([&Connection { filter: Some(wanted), ..alice }], &format!("{pattern:?}")).await;
    }
}

/// Repeated deaths of processes leave more items than one transaction can remove.
#[tokio::test]
async fn may_be_many() {
    let old = names("Old", 120);
    let old: Vec<_> = old.iter().map(String::as_str).collect();
    for wanted in [Some(filter(names("Next", 50))), Some(filter(["Room"])), None] {
        let t = TestTable::create().await;
        let alice = interrupted(&t, &old).await;
        t.table.subscribe(&alice.id, wanted.as_ref(), now()).await.unwrap();
        t.assert_holds([&Connection { filter: wanted, ..alice }], "subscribed").await;
    }
}

#[tokio::test]
async fn are_removed_by_forget() {
    let t = TestTable::create().await;
    let alice = interrupted(&t, &["Old48", "Old49", "*"]).await;

    t.table.forget(&alice.id).await.unwrap();

    t.assert_empty("forgotten").await;
}

#[tokio::test]
async fn are_removed_by_the_event_that_finds_the_connection_gone() {
    let t = TestTable::create().await;
    interrupted(&t, &["Old49"]).await;
    let interests = t.interests(&["Old49"]).await;
    assert_eq!(ids(&interests), [id("alice").as_str()]);

    t.table.forget_gone(&interests[0]).await.unwrap();

    t.assert_empty("forgotten").await;
}
