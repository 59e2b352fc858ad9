use entity_stream_connections::Connection;
use entity_stream_protocol::{EntityType, Filter};

use crate::support::{TestTable, connection, entity_type, filter, ids, now, tenant};

/// Types that look like separators, escapes, other partitions or each other.
fn hostile_types() -> Vec<EntityType> {
    let names = [
        "*",
        "a#b",
        "a%23b",
        "a",
        "b",
        "#",
        "##",
        "%",
        "%2A",
        "%252A",
        "%2a",
        "Room",
        "room",
        "Room ",
        " Room",
        "Room#*",
        "Room#",
        "T#demo#Room",
        "C#c0",
        "T#other#*",
        "caf\u{e9}",
        "cafe\u{301}",
        "\0",
        "a\0b",
        "\u{feff}",
        "\u{10ffff}",
        "'; --",
        "\"",
        "\\",
        "\u{1f600}",
    ];
    let long = [
        "\u{10ffff}".repeat(256),
        format!("{}\u{10fffe}", "\u{10ffff}".repeat(255)),
        "#".repeat(256),
        "#".repeat(255),
        "%23".repeat(85),
    ];
    names.into_iter().map(entity_type).chain(long.iter().map(|name| entity_type(name))).collect()
}

fn of(tenant_name: &str, name: &str, filter: Filter) -> Connection {
    Connection { tenant: tenant(tenant_name), ..connection(name, filter) }
}

fn by_type(entity_type: &EntityType) -> Filter {
    Filter::from_stored(vec![entity_type.clone()], None)
}

#[tokio::test]
async fn no_type_and_no_tenant_reaches_another() {
    let t = TestTable::create().await;
    let types = hostile_types();
    let tenants = ["demo", "demo-", "other"];
    let mut all = Vec::new();
    for name in tenants {
        for (i, entity_type) in types.iter().enumerate() {
            all.push(of(name, &format!("{name}={i}"), by_type(entity_type)));
        }
    }
    t.register(&all).await;

    t.assert_holds(&all, "registered").await;
    for name in tenants {
        for (i, entity_type) in types.iter().enumerate() {
            let interests = t.interests_at(&tenant(name), std::slice::from_ref(entity_type), now()).await;
            assert_eq!(ids(&interests), [format!("{name}={i}")], "{name}, {entity_type:?}");
        }
    }
}

#[tokio::test]
async fn hostile_types_can_be_swapped_and_forgotten() {
    let t = TestTable::create().await;
    let types = hostile_types();
    let (some, others) = types.split_at(types.len() / 2);
    let mut alice = connection("alice", Filter::from_stored(some.to_vec(), None));
    t.register([&alice]).await;

    for wanted in [others, &types, some, &[entity_type("*")], &[]] {
        let wanted = Filter::from_stored(wanted.to_vec(), None);
        t.table.subscribe(&alice.id, Some(&wanted), now()).await.unwrap();
        alice.filter = Some(wanted);
        t.assert_holds([&alice], "subscribed").await;
    }
    t.table.subscribe(&alice.id, Some(&Filter::from_stored(types, None)), now()).await.unwrap();
    t.table.forget(&alice.id).await.unwrap();
    t.assert_empty("forgotten").await;
}

#[tokio::test]
async fn a_type_named_star_is_not_every_type() {
    let t = TestTable::create().await;
    t.register([&connection("every", Filter::default()), &connection("star", filter(["*"]))]).await;

    assert_eq!(ids(&t.interests(&["Room"]).await), ["every"]);
    assert_eq!(ids(&t.interests(&["*"]).await), ["every", "star"]);
}

#[tokio::test]
async fn every_type_ends_at_the_tenant() {
    let t = TestTable::create().await;
    t.register([&of("demo", "a", Filter::default()), &of("demo2", "b", Filter::default())]).await;

    for (name, who) in [("demo", vec!["a"]), ("demo2", vec!["b"]), ("dem", vec![])] {
        let interests = t.interests_at(&tenant(name), &[entity_type("Room")], now()).await;
        assert_eq!(ids(&interests), who, "{name}");
    }
}

#[tokio::test]
async fn tenants_meet_in_any_case() {
    let t = TestTable::create().await;
    t.register([&of("SmartCity", "a", filter(["Room"]))]).await;

    assert_eq!(ids(&t.interests_at(&tenant("smartcity"), &[entity_type("Room")], now()).await), ["a"]);
}

/// One id that starts with another's, and one that is case-sensitively different.
#[tokio::test]
async fn connections_with_similar_ids_are_different() {
    let t = TestTable::create().await;
    let [a, b, c] = ["alice", "alice=", "Alice"].map(|name| connection(name, filter(["Room"])));
    t.register([&a, &b, &c]).await;

    t.table.subscribe(&a.id, Some(&filter(["Sensor"])), now()).await.unwrap();
    t.assert_holds([&Connection { filter: Some(filter(["Sensor"])), ..a.clone() }, &b, &c], "one subscribed").await;

    t.table.forget(&a.id).await.unwrap();
    t.assert_holds([&b, &c], "one forgotten").await;
}
