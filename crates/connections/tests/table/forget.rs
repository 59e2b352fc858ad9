use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::Filter;

use crate::support::{TestTable, connection, filter, id, ids, names, now, subscribe, tenant};

#[tokio::test]
async fn removes_everything_of_one_connection() {
    for wanted in [None, Some(Filter::default()), Some(filter(["Room"])), Some(filter(names("Type", 49)))] {
        let t = TestTable::create().await;
        let bob = connection("bob", filter(["Room", "Type0"]));
        t.register([&connection("alice", wanted.clone()), &bob]).await;

        assert_eq!(t.table.forget(&id("alice")).await.unwrap(), Some(tenant("demo")), "{wanted:?}");

        t.assert_holds([&bob], &format!("{wanted:?}")).await;
    }
}

#[tokio::test]
async fn can_be_repeated() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room"]))]).await;

    assert_eq!(t.table.forget(&id("alice")).await.unwrap(), Some(tenant("demo")));
    assert_eq!(t.table.forget(&id("alice")).await.unwrap(), None);
    assert_eq!(t.table.forget(&id("never-there")).await.unwrap(), None);

    t.assert_empty("forgotten twice").await;
}

#[tokio::test]
async fn by_two_at_once_is_done_by_one() {
    let t = TestTable::create().await;
    let alice = id("alice");
    for round in 0..20 {
        t.register([&connection("alice", filter(["Room", "Sensor"]))]).await;
        let (one, other) = tokio::join!(t.table.forget(&alice), t.table.forget(&alice));
        let mut tenants = [one.unwrap(), other.unwrap()];
        tenants.sort();
        assert_eq!(tenants, [None, Some(tenant("demo"))], "round {round}");
        t.assert_empty(&format!("round {round}")).await;
    }
}

#[tokio::test]
async fn removes_what_was_subscribed_to_last() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(names("Old", 49)))]).await;
    subscribe(&t.table, &id("alice"), Some(&filter(names("New", 49))), now()).await.unwrap();

    t.table.forget(&id("alice")).await.unwrap();

    t.assert_empty("forgotten").await;
}

#[tokio::test]
async fn a_gone_connection_is_removed_with_all_its_interests() {
    let t = TestTable::create().await;
    let bob = connection("bob", filter(["Room"]));
    t.register([&connection("alice", filter(["Room", "Sensor"])), &bob]).await;
    let interests = t.interests(&["Room"]).await;
    let interest = interests.iter().find(|interest| interest.connection_id == id("alice")).unwrap();

    t.table.forget_gone(interest).await.unwrap();
    t.assert_holds([&bob], "gone").await;

    t.table.forget_gone(interest).await.unwrap();
    t.assert_holds([&bob], "gone again").await;
}

/// A removal was interrupted after the connection item, or a registration continued after it. No item lists these interests any
/// more, but an event that reads one can remove it.
#[tokio::test]
async fn an_interest_without_a_connection_is_removed_by_the_event_that_reads_it() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room", "Sensor"]))]).await;
    let delete = t.client.delete_item().table_name(t.table.name());
    let delete = delete.key("pk", AttributeValue::S("C#alice".to_owned()));
    delete.key("sk", AttributeValue::S("C".to_owned())).send().await.unwrap();
    assert_eq!(t.table.forget(&id("alice")).await.unwrap(), None, "no item lists the interests");

    for (entity_type, left) in [("Room", 1), ("Sensor", 0)] {
        let interests = t.interests(&[entity_type]).await;
        assert_eq!(ids(&interests), ["alice"]);
        t.table.forget_gone(&interests[0]).await.unwrap();
        assert_eq!(ids(&t.interests(&[entity_type]).await), [""; 0]);
        assert_eq!(t.items().await.len(), left, "after {entity_type}");
    }
}
