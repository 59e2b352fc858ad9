//! A subscription changes while an event's audience is read, at every point of the read. Both its filters match the event. The
//! reader finds the connection, or the change says that it may have hidden it, so that the event is replayed.

use entity_stream_connections::{Change, Connection};
use entity_stream_protocol::{EntityChange, Filter, GroupId, Position, Since, Subscription};
use serde_json::json;

use crate::support::{
    TestTable, by_ids, connection, entity_type, filter, id, named, names, now, session, subscription_name, tenant,
    with_pattern,
};

/// The entity of every event.
const ENTITY: &str = "urn:bus:1";

/// Changes of a subscription. Each happens before the read of the page with its number.
type Changes<'a> = [(usize, &'a Subscription)];

fn event(types: &[&str]) -> EntityChange {
    let detail =
        json!({ "type": "entityUpdated", "tenant": "demo", "entityId": ENTITY, "entityType": types, "data": {} });
    EntityChange::parse(&detail.to_string()).unwrap()
}

async fn change(t: &TestTable, wanted: &Subscription, since: Option<&Since>) -> Change {
    t.table.subscribe(&id("alice"), std::slice::from_ref(wanted), since, now()).await.unwrap()
}

/// Reads the partitions one after the other, in pages of two; `flip` reverses the order. Returns true if this subscription of
/// the connection was found and matched, or if a change says that it may have been hidden, and the number of pages.
async fn read(
    t: &TestTable,
    types: &[&str],
    name: &str,
    changes: &Changes<'_>,
    since: Option<&Since>,
    flip: bool,
) -> (bool, usize) {
    let event = event(types);
    let matches = |filter: &str| filter.is_empty() || serde_json::from_str::<Filter>(filter).unwrap().matches(&event);
    let types: Vec<_> = types.iter().map(|name| entity_type(name)).collect();
    let mut partitions = t.table.clone().with_page_size(2).interests(&tenant("demo"), &types, [ENTITY], now());
    if flip {
        partitions.reverse();
    }
    let (mut met, mut page) = (false, 0);
    for mut pages in partitions {
        while pages.position().is_some() {
            for (_, wanted) in changes.iter().filter(|(at, _)| *at == page) {
                met |= change(t, wanted, since).await.may_have_hidden(&subscription_name(name));
            }
            let interests = pages.next().await.unwrap().unwrap().interests;
            let alice = interests.iter().filter(|interest| interest.connection_id == id("alice"));
            let wants = alice.flat_map(|interest| &interest.wants);
            met |= wants.into_iter().any(|want| want.subscription.as_str() == name && matches(&want.filter));
            page += 1;
        }
    }
    (met, page)
}

/// A table in which other connections fill a page of each partition.
async fn crowded() -> TestTable {
    let t = TestTable::create().await;
    let everywhere = [Filter::default(), filter(["Room"]), filter(["Car"]), by_ids([ENTITY])];
    for (prefix, wanted) in ["e", "r", "c", "i"].iter().zip(everywhere) {
        let others: Vec<_> = names(prefix, 2).iter().map(|name| connection(name, wanted.clone())).collect();
        t.register(&others).await;
    }
    t
}

/// Every change of alice's subscription of this name from one filter to another, before every page.
async fn every_change(types: &[&str], filters: &[Filter], alice: &Connection, name: &str) {
    every_change_of(types, filters, alice, name, None).await;
}

async fn every_change_of(types: &[&str], filters: &[Filter], alice: &Connection, name: &str, since: Option<&Since>) {
    let t = crowded().await;
    let pairs = filters.iter().flat_map(|old| filters.iter().map(move |new| (old, new)));
    for (old, new) in pairs.filter(|(old, new)| since.is_some() || old != new) {
        let (old, new) = (named(name, old.clone()), named(name, new.clone()));
        let mut subscriptions = alice.subscriptions.clone();
        subscriptions.push(old.clone());
        subscriptions.sort_by(|a, b| a.name.cmp(&b.name));
        let alice = Connection { subscriptions, ..alice.clone() };
        for flip in [false, true] {
            for at in 0.. {
                t.register([&alice]).await;
                let (met, pages) = read(&t, types, name, &[(at, &new)], since, flip).await;
                assert!(met, "from {old:?} to {new:?} before page {at} of {pages}, the other way round: {flip}");
                t.table.forget(&id("alice")).await.unwrap();
                if at >= pages {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn of_one_type() {
    let filters = [Filter::default(), filter(["Room"]), filter(["Room", "Other"]), with_pattern(&[], "^urn")];
    every_change(&["Room"], &filters, &connection("alice", None), "").await;
}

#[tokio::test]
async fn of_one_type_or_id() {
    let bus = with_pattern(&["Room"], "^(urn:bus:1|urn:bus:2)$");
    let filters = [Filter::default(), filter(["Room"]), by_ids([ENTITY, "urn:bus:3"]), bus];
    every_change(&["Room"], &filters, &connection("alice", None), "").await;
}

#[tokio::test]
async fn of_several_types() {
    let filters = [Filter::default(), filter(["Room"]), with_pattern(&["Car"], "^urn")];
    every_change(&["Room", "Car"], &filters, &connection("alice", None), "").await;
}

#[tokio::test]
async fn of_several_types_or_an_id() {
    let filters = [filter(["Room"]), filter(["Car"]), by_ids([ENTITY])];
    every_change(&["Room", "Car"], &filters, &connection("alice", None), "").await;
}

#[tokio::test]
async fn of_the_member_of_a_group() {
    let group = Some(GroupId::parse("workers").unwrap());
    let alice = Connection { group, ..connection("alice", None) };
    every_change(&["Room"], &[Filter::default(), filter(["Room"]), by_ids([ENTITY])], &alice, "").await;
}

/// With the hash of another session, an item is before or after the place that the reader has reached.
#[tokio::test]
async fn of_a_connection_that_takes_the_place_of_another() {
    for name in names("earlier", 2) {
        let since = Since::Position { position: Position::new(now(), 1), session: session(&name) };
        let filters = [filter(["Room"]), by_ids([ENTITY])];
        every_change_of(&["Room"], &filters, &connection("alice", None), "map", Some(&since)).await;
    }
}

/// The other subscriptions have the same scopes as the one that changes.
#[tokio::test]
async fn of_one_of_several_subscriptions() {
    let subscriptions = vec![named("ids", with_pattern(&[], "^urn:bus:1$")), named("types", filter(["Room"]))];
    let alice = Connection { subscriptions, ..connection("alice", None) };
    every_change(&["Room"], &[Filter::default(), filter(["Room"]), by_ids([ENTITY])], &alice, "moves").await;
}

#[tokio::test]
async fn again_and_again() {
    let t = crowded().await;
    let [every, one, two, bus] = [Filter::default(), filter(["Room"]), filter(["Room", "Car"]), by_ids([ENTITY])]
        .map(|filter| named("map", filter));
    let chains = [
        [&every, &one, &every, &two],
        [&one, &every, &two, &every],
        [&bus, &one, &every, &bus],
        [&one, &bus, &every, &one],
        [&bus, &every, &one, &bus],
    ];
    for chain in chains {
        let pages = 6;
        for (a, b, c) in (0..pages).flat_map(|a| (a..pages).flat_map(move |b| (b..pages).map(move |c| (a, b, c)))) {
            t.register([&Connection { subscriptions: vec![chain[0].clone()], ..connection("alice", None) }]).await;
            let changes = [(a, chain[1]), (b, chain[2]), (c, chain[3])];
            let (met, _) = read(&t, &["Room"], "map", &changes, None, false).await;
            assert!(met, "{chain:?}, before the pages {a}, {b} and {c}");
            t.table.forget(&id("alice")).await.unwrap();
        }
    }
}
