use entity_stream_connections::{Connection, HashRange, Interest};
use entity_stream_protocol::GroupId;

use crate::support::{TestTable, connection, entity_type, filter, ids, names, now, tenant};

async fn within(t: &TestTable, range: HashRange, page_size: i32) -> Vec<Interest> {
    let table = t.table.clone().with_page_size(page_size);
    let types = [entity_type("Room"), entity_type("Sensor")];
    let mut interests = Vec::new();
    for mut pages in table.interests_in(&tenant("demo"), &types, [], range, now()) {
        let mut position = pages.position();
        assert_eq!(position, Some(range.first()), "at the beginning");
        while let Some(page) = pages.next().await.unwrap() {
            for interest in &page.interests {
                assert!(range.contains(interest.hash()), "{range}: {interest:?}");
                assert!(position.is_some_and(|position| position <= interest.hash()), "pages follow one another");
                assert!(pages.position().is_none_or(|position| position >= interest.hash()));
            }
            position = pages.position();
            interests.extend(page.interests);
        }
        assert_eq!(position, None, "at the end");
    }
    interests
}

#[tokio::test]
async fn together_hold_each_connection_exactly_once() {
    let t = TestTable::create().await;
    let filters = [filter(["Room"]), filter(["Sensor", "Room"]), filter([""; 0])];
    let everybody: Vec<_> =
        names("c", 60).iter().enumerate().map(|(n, name)| connection(name, filters[n % 3].clone())).collect();
    t.register(&everybody).await;
    let whole = within(&t, HashRange::ALL, 1000).await;
    assert_eq!(whole.len(), 80, "a connection that wants both types is in both partitions");

    for (parts, page_size) in [(2, 1000), (7, 3), (64, 1)] {
        let mut together = Vec::new();
        for part in HashRange::ALL.parts(parts) {
            together.extend(within(&t, part, page_size).await);
        }
        assert_eq!(ids(&together), ids(&whole), "{parts} parts");
    }
    let one = &whole[0];
    let found = within(&t, HashRange::only(one.hash()), 1000).await;
    assert!(found.iter().all(|interest| interest.connection_id == one.connection_id), "{found:?}");
}

#[tokio::test]
async fn never_separate_the_members_of_a_group() {
    let t = TestTable::create().await;
    let in_group = |name: &String, group: &str| Connection {
        group: Some(GroupId::parse(group).unwrap()),
        ..connection(name, filter(["Room", "Sensor"]))
    };
    let red: Vec<_> = names("r", 12).iter().map(|name| in_group(name, "red")).collect();
    let blue: Vec<_> = names("b", 12).iter().map(|name| in_group(name, "blue")).collect();
    t.register(red.iter().chain(&blue)).await;
    t.assert_holds(red.iter().chain(&blue), "two groups").await;

    let members = |group: &str, interests: &[Interest]| {
        interests.iter().filter(|interest| interest.group.as_ref().is_some_and(|id| id.as_str() == group)).count()
    };
    for part in HashRange::ALL.parts(256) {
        let interests = within(&t, part, 5).await;
        for group in ["red", "blue"] {
            assert!([0, 24].contains(&members(group, &interests)), "{group}: {part}");
        }
    }
    for member in &red {
        t.table.forget(&member.id).await.unwrap();
    }
    t.assert_holds(&blue, "one group left").await;
}
