use entity_stream_connections::Connection;
use entity_stream_protocol::{EntityType, Filter};
use proptest::prelude::*;

use crate::support::{
    TestTable, by_ids, connection, entity_type, filter, ids, now, only, stored_filter, subscribe, tenant,
};

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
    stored_filter(std::slice::from_ref(entity_type))
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
    let mut alice = connection("alice", stored_filter(some));
    t.register([&alice]).await;

    for wanted in [others, &types, some, &[entity_type("*")], &[]] {
        let wanted = stored_filter(wanted);
        subscribe(&t.table, &alice.id, Some(&wanted), now()).await.unwrap();
        alice.subscriptions = only(wanted);
        t.assert_holds([&alice], "subscribed").await;
    }
    subscribe(&t.table, &alice.id, Some(&stored_filter(&types)), now()).await.unwrap();
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

    subscribe(&t.table, &a.id, Some(&filter(["Sensor"])), now()).await.unwrap();
    t.assert_holds([&Connection { subscriptions: only(filter(["Sensor"])), ..a.clone() }, &b, &c], "one subscribed")
        .await;

    t.table.forget(&a.id).await.unwrap();
    t.assert_holds([&b, &c], "one forgotten").await;
}

/// A type, an id or everything, in one of three tenants with similar names.
type Place = (&'static str, Option<(bool, String)>);

fn places() -> impl Strategy<Value = Vec<Place>> {
    let text = prop_oneof![
        3 => "[#*%/2a]{1,3}",
        2 => "[TI]#(a|a-|b)#[*#a]{1,2}",
        2 => prop::sample::select(vec![" ", "\0", "\u{feff}", "\u{301}", "*", "Room"]).prop_map(str::to_owned),
        1 => "\\PC{1,12}",
    ];
    let place = (prop::sample::select(vec!["a", "a-", "b"]), prop::option::weighted(0.9, (any::<bool>(), text)));
    prop::collection::vec(place, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// One connection in each place. An event finds those in exactly its own tenant, types and id.
    #[test]
    fn no_scope_reaches_another(places in places()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let t = TestTable::create().await;
            let wanted = |scope: &Option<(bool, String)>| match scope {
                None => Filter::default(),
                Some((true, id)) => by_ids([id]),
                Some((false, name)) => filter([name]),
            };
            let all: Vec<_> =
                places.iter().enumerate().map(|(i, (name, scope))| of(name, &format!("c{i}"), wanted(scope))).collect();
            t.register(&all).await;
            t.assert_holds(&all, "registered").await;
            let texts = places.iter().filter_map(|(_, scope)| scope.as_ref()).map(|(_, text)| text.as_str());
            for text in texts.chain(["*", "a", "Unknown"]) {
                for name in ["a", "a-", "b"] {
                    let found_by = |is_id: bool| {
                        let place = |(at, scope): &Place| {
                            let is_here = scope.as_ref().map_or(!is_id, |(id, of)| *id == is_id && of == text);
                            *at == name && is_here
                        };
                        let found = places.iter().enumerate().filter(|(_, each)| place(each));
                        let mut found: Vec<_> = found.map(|(i, _)| format!("c{i}")).collect();
                        found.sort();
                        found
                    };
                    let by_type = t.interests_at(&tenant(name), &[entity_type(text)], now()).await;
                    assert_eq!(ids(&by_type), found_by(false), "the type {text:?} in {name}");
                    let by_id = t.watchers(&tenant(name), text).await;
                    assert_eq!(ids(&by_id), found_by(true), "the id {text:?} in {name}");
                }
            }
        });
    }
}
