//! Scopes by id: a subscription that names entities has its interests there, and costs no other event anything.

use entity_stream_connections::Connection;
use entity_stream_protocol::{Filter, FilterFields};

use crate::support::{
    TestTable, by_ids, connection, filter, id, id_partition, ids, names, now, subscribe, tenant, with_pattern,
};

/// The partitions of alice's interests.
async fn partitions(t: &TestTable) -> Vec<String> {
    t.items().await.into_keys().map(|(pk, _)| pk).filter(|pk| !pk.starts_with("C#")).collect()
}

fn of_ids(ids: &[String]) -> Vec<String> {
    let mut partitions: Vec<_> = ids.iter().map(|id| id_partition("demo", id)).collect();
    partitions.sort();
    partitions
}

#[tokio::test]
async fn are_the_ids_of_the_filter_whatever_else_it_has() {
    let buses = names("urn:bus:", 3);
    let fields = || FilterFields { entity_ids: buses.clone(), ..FilterFields::default() };
    for fields in [
        fields(),
        FilterFields { entity_types: vec!["Bus".into(), "Tram".into()], ..fields() },
        FilterFields { id_pattern: Some("^urn:tram:1$".into()), ..fields() },
        FilterFields { entity_types: vec!["Bus".into()], id_pattern: Some("^urn".into()), ..fields() },
    ] {
        let t = TestTable::create().await;
        let alice = connection("alice", fields.check().unwrap());
        t.register([&alice]).await;
        t.assert_holds([&alice], "registered").await;
        assert_eq!(partitions(&t).await, of_ids(&buses));
        for bus in &buses {
            assert_eq!(ids(&t.watchers(&tenant("demo"), bus).await), ["alice"]);
        }
        assert!(t.watchers(&tenant("demo"), "urn:bus:9").await.is_empty());
        assert!(t.watchers(&tenant("other"), "urn:bus:0").await.is_empty());
        assert!(t.interests(&["Bus"]).await.is_empty());
        t.table.forget(&alice.id).await.unwrap();
        t.assert_empty("forgotten").await;
    }
}

#[tokio::test]
async fn are_the_ids_that_a_pattern_spells_out_up_to_sixteen() {
    let alternation = |n: usize| format!("^({})$", names("bus:", n).join("|"));
    for (pattern, expected) in [
        ("^urn:ngsi-ld:Bus:042$".to_owned(), Some(vec!["urn:ngsi-ld:Bus:042".to_owned()])),
        (alternation(2), Some(names("bus:", 2))),
        (alternation(16), Some(names("bus:", 16))),
        (alternation(17), None),
        ("^urn:bus".to_owned(), None),
        ("urn:bus$".to_owned(), None),
    ] {
        for types in [&[][..], &["Bus"]] {
            let t = TestTable::create().await;
            let alice = connection("alice", with_pattern(types, &pattern));
            t.register([&alice]).await;
            t.assert_holds([&alice], &pattern).await;
            let wide = if types.is_empty() { "T#demo#*" } else { "T#demo#Bus" };
            let expected = expected.as_deref().map_or_else(|| vec![wide.to_owned()], of_ids);
            assert_eq!(partitions(&t).await, expected, "{pattern}");
        }
    }
}

#[tokio::test]
async fn follow_each_change_of_the_filter() {
    let t = TestTable::create().await;
    let alice = connection("alice", by_ids(names("a", 49)));
    let bystander = connection("bystander", by_ids(["a0", "b0"]));
    t.register([&alice, &bystander]).await;
    let filters = [
        by_ids(names("b", 49)),
        by_ids(["a0", "b0"]),
        with_pattern(&[], "^(a0|b1)$"),
        filter(["Room"]),
        by_ids(["a0"]),
        Filter::default(),
        by_ids(names("a", 49)),
    ];
    for (step, wanted) in filters.iter().enumerate() {
        let alice = subscribe(&t.table, &id("alice"), Some(wanted), now()).await.unwrap();
        t.assert_holds([&alice, &bystander], &format!("step {step}")).await;
    }
    let gone = subscribe(&t.table, &id("alice"), None, now()).await.unwrap();
    t.assert_holds([&gone, &bystander], "unsubscribed").await;
}

/// An id is a text like any other, and can be as long as the contract allows.
#[tokio::test]
async fn of_any_text_are_found() {
    let t = TestTable::create().await;
    let longest = "\u{10ffff}".repeat(512);
    let texts = ["*", "#", "I#demo#x", "T#demo#*", "%23", " ", "\0", "\u{feff}", "caf\u{e9}", "cafe\u{301}", &longest];
    let all: Vec<_> = texts.iter().zip(names("c", 20)).map(|(text, name)| connection(&name, by_ids([text]))).collect();
    t.register(&all).await;
    t.assert_holds(&all, "registered").await;
    for (text, connection) in texts.iter().zip(&all) {
        assert_eq!(ids(&t.watchers(&tenant("demo"), text).await), [connection.id.as_str()], "{text:?}");
    }
}

/// Equal scopes of several connections are one partition.
#[tokio::test]
async fn have_as_many_watchers_as_want_them() {
    let t = TestTable::create().await;
    let all: Vec<Connection> = names("c", 30).iter().map(|name| connection(name, by_ids(["urn:1"]))).collect();
    t.register(&all).await;
    let mut expected = names("c", 30);
    expected.sort();
    assert_eq!(ids(&t.watchers(&tenant("demo"), "urn:1").await), expected);
}
