//! A filter changes while an event's audience is read, at every point of the read. The reader finds a connection whose old and
//! new filters match.

use entity_stream_connections::{Connection, InterestPages};
use entity_stream_protocol::{Filter, GroupId};

use crate::support::{TestTable, connection, entity_type, filter, id, names, now, tenant};

/// Changes of the filter. Each happens before the read of the page with its number.
type Changes<'a> = [(usize, &'a Filter)];

/// The rounds of an event of these types, in pages of two.
fn rounds(t: &TestTable, types: &[&str]) -> Vec<Vec<InterestPages>> {
    let types: Vec<_> = types.iter().map(|name| entity_type(name)).collect();
    t.table.clone().with_page_size(2).interests(&tenant("demo"), &types, now())
}

/// The patterns of the connection in a page.
async fn next(pages: &mut InterestPages) -> Vec<Option<String>> {
    let page = pages.next().await.unwrap().unwrap();
    let alice = page.interests.into_iter().filter(|interest| interest.connection_id == id("alice"));
    alice.map(|interest| interest.id_pattern.map(|pattern| pattern.as_str().to_owned())).collect()
}

async fn subscribe(t: &TestTable, wanted: &Filter) {
    t.table.subscribe(&id("alice"), Some(wanted), now()).await.unwrap();
}

/// Reads a round's partitions one after the other; `flip` reverses the order. Returns true if the connection was found, and the
/// number of pages.
async fn read(t: &TestTable, types: &[&str], changes: &Changes<'_>, flip: bool) -> (bool, usize) {
    let (mut met, mut page) = (false, 0);
    for mut round in rounds(t, types) {
        if flip {
            round.reverse();
        }
        for mut pages in round {
            while pages.position().is_some() {
                for (_, wanted) in changes.iter().filter(|(at, _)| *at == page) {
                    subscribe(t, wanted).await;
                }
                met |= !next(&mut pages).await.is_empty();
                page += 1;
            }
        }
    }
    (met, page)
}

/// A table in which other connections fill a page of each partition.
async fn crowded() -> TestTable {
    let t = TestTable::create().await;
    for (prefix, wanted) in [("e", Filter::default()), ("r", filter(["Room"])), ("c", filter(["Car"]))] {
        let others: Vec<_> = names(prefix, 2).iter().map(|name| connection(name, wanted.clone())).collect();
        t.register(&others).await;
    }
    t
}

/// Every change from one filter to another, before every page.
async fn every_change(types: &[&str], filters: &[Filter], group: Option<&str>) {
    let t = crowded().await;
    let group = group.map(|name| GroupId::parse(name).unwrap());
    let pairs =
        filters.iter().flat_map(|old| filters.iter().map(move |new| (old, new))).filter(|(old, new)| old != new);
    for (old, new) in pairs {
        for flip in [false, true] {
            for at in 0.. {
                t.register([&Connection { group: group.clone(), ..connection("alice", old.clone()) }]).await;
                let (met, pages) = read(&t, types, &[(at, new)], flip).await;
                assert!(met, "from {old:?} to {new:?} before page {at} of {pages}, the other way round: {flip}");
                t.table.forget(&id("alice")).await.unwrap();
                if at >= pages {
                    break;
                }
            }
        }
    }
}

fn with_pattern(types: &[&str], pattern: &str) -> Filter {
    Filter::new(types.iter().copied(), Some(pattern)).unwrap()
}

#[tokio::test]
async fn of_one_type() {
    let filters = [Filter::default(), filter(["Room"]), filter(["Room", "Other"]), with_pattern(&[], "^urn")];
    every_change(&["Room"], &filters, None).await;
}

#[tokio::test]
async fn of_several_types() {
    every_change(&["Room", "Car"], &[Filter::default(), filter(["Room"]), with_pattern(&["Car"], "^urn")], None).await;
}

#[tokio::test]
async fn of_the_member_of_a_group() {
    every_change(&["Room"], &[Filter::default(), filter(["Room"])], Some("workers")).await;
}

/// For an entity of one type, any number of changes is allowed.
#[tokio::test]
async fn again_and_again() {
    let t = crowded().await;
    let [every, one, two] = [Filter::default(), filter(["Room"]), filter(["Room", "Car"])];
    for chain in [[&every, &one, &every, &two], [&one, &every, &two, &every]] {
        let pages = 6;
        for (a, b, c) in (0..pages).flat_map(|a| (a..pages).flat_map(move |b| (b..pages).map(move |c| (a, b, c)))) {
            t.register([&connection("alice", chain[0].clone())]).await;
            let (met, _) = read(&t, &["Room"], &[(a, chain[1]), (b, chain[2]), (c, chain[3])], false).await;
            assert!(met, "{chain:?}, before the pages {a}, {b} and {c}");
            t.table.forget(&id("alice")).await.unwrap();
        }
    }
}

/// Items that are read later contain the later filter.
#[tokio::test]
async fn to_another_pattern() {
    for (old, new) in [(&["Room"][..], &[][..]), (&[], &["Room"])] {
        let t = TestTable::create().await;
        t.register([&connection("alice", with_pattern(old, "^old"))]).await;
        let mut met = Vec::new();
        for (round, partitions) in rounds(&t, &["Room"]).into_iter().enumerate() {
            if round == 1 {
                subscribe(&t, &with_pattern(new, "^new")).await;
            }
            for mut pages in partitions {
                while pages.position().is_some() {
                    met.extend(next(&mut pages).await.into_iter().flatten());
                }
            }
        }
        let wanted: &[&str] = if old.is_empty() { &["^old", "^new"] } else { &["^new"] };
        assert_eq!(met, wanted, "from {old:?} to {new:?}");
    }
}
