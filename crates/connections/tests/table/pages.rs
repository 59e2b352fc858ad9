use std::time::Duration;

use entity_stream_connections::{Connection, InterestPage, InterestPages};
use entity_stream_protocol::Filter;
use entity_stream_protocol::limits::CONNECTION_LIFETIME;

use crate::support::{TestTable, by_ids, connection, entity_type, filter, ids, names, now, tenant};

async fn all_pages(mut pages: InterestPages) -> Vec<InterestPage> {
    let mut all = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        all.push(page);
    }
    assert!(pages.next().await.unwrap().is_none(), "the end stays the end");
    all
}

/// The pages of the partition of one type. The partition of every type has to be empty.
async fn room_pages(t: &TestTable, size: i32) -> Vec<InterestPage> {
    let table = t.table.clone().with_page_size(size);
    let mut partitions = table.interests(&tenant("demo"), &[entity_type("Room")], [], now()).into_iter();
    let (Some(every), Some(rooms), None) = (partitions.next(), partitions.next(), partitions.next()) else {
        panic!("two partitions")
    };
    assert!(all_pages(every).await.iter().all(|page| page.interests.is_empty()), "no connection wants every type");
    all_pages(rooms).await
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[tokio::test]
async fn every_connection_is_on_exactly_one_page() {
    let t = TestTable::create().await;
    let everybody: Vec<_> = names("c", 100).iter().map(|name| connection(name, filter(["Room"]))).collect();
    t.register(&everybody).await;
    let everybody = sorted(names("c", 100));

    for size in [7, 10, 99, 100, 1000] {
        let pages = room_pages(&t, size).await;
        let sizes: Vec<_> = pages.iter().map(|page| page.interests.len()).collect();
        assert!(sizes.iter().all(|len| *len <= usize::try_from(size).unwrap()), "{sizes:?} of at most {size}");
        assert!(sizes.len() >= 100_usize.div_ceil(usize::try_from(size).unwrap()), "{sizes:?} of at most {size}");
        let interests: Vec<_> = pages.into_iter().flat_map(|page| page.interests).collect();
        assert_eq!(ids(&interests), everybody, "pages of {size}");
    }
    assert_eq!(ids(&t.interests(&["Room"]).await), everybody, "the engine's own pages");
}

#[tokio::test]
async fn a_page_of_nothing_but_expired_interests_is_not_the_end() {
    let t = TestTable::create().await;
    let everybody: Vec<_> = names("c", 28).iter().map(|name| connection(name, filter(["Room"]))).collect();
    t.register(&everybody).await;
    let second: Vec<_> = room_pages(&t, 7).await[1].interests.iter().map(|i| i.connection_id.clone()).collect();
    for old in everybody.iter().filter(|connection| second.contains(&connection.id)) {
        let connected_at = entity_stream_protocol::EpochMillis::new(0);
        t.register([&Connection { connected_at, ..old.clone() }]).await;
    }

    let pages = room_pages(&t, 7).await;

    let sizes: Vec<_> = pages.iter().map(|page| page.interests.len()).collect();
    assert_eq!(sizes.iter().filter(|len| **len > 0).collect::<Vec<_>>(), [&7, &7, &7], "{sizes:?}");
    assert_eq!(sizes[1], 0, "{sizes:?}");
    let left = everybody.iter().filter(|connection| !second.contains(&connection.id));
    let left = sorted(left.map(|connection| connection.id.to_string()).collect());
    let interests: Vec<_> = pages.into_iter().flat_map(|page| page.interests).collect();
    assert_eq!(ids(&interests), left);
}

#[tokio::test]
async fn expired_connections_give_no_interest() {
    let t = TestTable::create().await;
    t.register(names("c", 10).iter().map(|name| connection(name, filter(["Room"]))).collect::<Vec<_>>().iter()).await;

    let after = now().plus(CONNECTION_LIFETIME + Duration::from_secs(1));

    assert_eq!(ids(&t.interests_at(&tenant("demo"), &[entity_type("Room")], after).await), [""; 0]);
}

#[tokio::test]
async fn one_for_all_one_for_each_type_and_one_for_each_id() {
    let t = TestTable::create().await;
    t.register([&connection("alice", Filter::default())]).await;
    let partitions = |types: &[&str], ids: &[&'static str]| {
        let types: Vec<_> = types.iter().map(|name| entity_type(name)).collect();
        t.table.interests(&tenant("demo"), &types, ids.iter().copied(), now()).len()
    };

    assert_eq!(partitions(&[], &[]), 1);
    assert_eq!(partitions(&["Room"], &["a"]), 3);
    assert_eq!(partitions(&["Room", "Room"], &["a", "a"]), 3);
    assert_eq!(partitions(&["Room", "Sensor", "Room"], &["a"]), 4);
    assert_eq!(partitions(&["Room", "Sensor"], &["a", "b", "a"]), 5);
    assert_eq!(ids(&t.interests(&[]).await), ["alice"]);
}

/// The cost of an event follows its matches and not the connections of the tenant.
#[tokio::test]
async fn connections_that_want_other_types_or_entities_cost_nothing() {
    async fn capacity(t: &TestTable) -> f64 {
        let mut capacity = 0.0;
        let types = [entity_type("Room")];
        for partition in t.table.interests(&tenant("demo"), &types, ["urn:a"], now()) {
            capacity += all_pages(partition).await.iter().map(|page| page.capacity).sum::<f64>();
        }
        capacity
    }
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room"]))]).await;
    let alone = capacity(&t).await;
    assert!(alone > 0.0, "DynamoDB charges for reading {alone}");

    let others: Vec<_> = names("c", 60).iter().map(|name| connection(name, filter(["Sensor"]))).collect();
    t.register(&others).await;
    let watchers: Vec<_> = names("w", 60).iter().map(|name| connection(name, by_ids(["urn:b"]))).collect();
    t.register(&watchers).await;

    assert!((capacity(&t).await - alone).abs() < f64::EPSILON, "{} instead of {alone}", capacity(&t).await);
}
