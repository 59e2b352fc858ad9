//! The scopes that a subscription keeps when its filter becomes wider: those that an event reads after the new ones.

use entity_stream_connections::Connection;
use entity_stream_protocol::Filter;

use crate::support::{
    Kept, TestTable, by_ids, connection, filter, id, ids, named, names, now, subscription_name, tenant, with_pattern,
};

fn kept(of: &[(&str, &str, &str)]) -> Kept {
    of.iter().map(|(name, kind, of)| ((*name).to_owned(), (*kind).to_owned(), (*of).to_owned())).collect()
}

/// Gives alice's subscription `name` another filter, and holds the scopes that she keeps against the expectation.
async fn change(t: &TestTable, name: &str, wanted: Filter, expected: &Kept) -> Connection {
    let context = format!("{name:?} becomes {wanted:?}");
    let alice = t.table.subscribe(&id("alice"), &[named(name, wanted)], now()).await.unwrap();
    t.assert_holds([&alice], &context).await;
    assert_eq!(&t.kept("alice").await, expected, "{context}");
    alice
}

async fn with(name: &str, wanted: Filter) -> TestTable {
    let t = TestTable::create().await;
    t.register([&Connection { subscriptions: vec![named(name, wanted)], ..connection("alice", None) }]).await;
    t
}

#[tokio::test]
async fn are_ids_for_types_and_both_for_everything() {
    for name in ["", "map"] {
        let t = with(name, by_ids(["urn:1", "urn:2"])).await;
        let both = kept(&[(name, "I", "urn:1"), (name, "I", "urn:2")]);
        change(&t, name, filter(["Room", "Car"]), &both).await;
        change(&t, name, filter(["Sensor"]), &both).await;
        let all: Kept = both.iter().cloned().chain(kept(&[(name, "T", "Sensor")])).collect();
        change(&t, name, Filter::default(), &all).await;
        change(&t, name, with_pattern(&[], "^urn"), &all).await;
        change(&t, name, filter(["Room"]), &both).await;
        change(&t, name, by_ids(["urn:2"]), &Kept::new()).await;
        change(&t, name, Filter::default(), &kept(&[(name, "I", "urn:2")])).await;
        change(&t, name, with_pattern(&["Room"], "^(urn:3|urn:4)$"), &Kept::new()).await;
        change(&t, name, filter(["Room"]), &kept(&[(name, "I", "urn:3"), (name, "I", "urn:4")])).await;
    }
}

#[tokio::test]
async fn are_none_of_a_narrower_or_equal_filter() {
    let [every, one, two] = [Filter::default(), filter(["Room"]), filter(["Room", "Car"])];
    let [bus, tram] = ["urn:bus:1", "urn:tram:1"].map(|id| by_ids([id]));
    for (old, new) in [
        (&every, &one),
        (&every, &bus),
        (&one, &two),
        (&two, &one),
        (&one, &bus),
        (&bus, &tram),
        (&every, &every),
        (&bus, &bus),
    ] {
        change(&with("map", old.clone()).await, "map", new.clone(), &Kept::new()).await;
    }
}

#[tokio::test]
async fn hold_the_present_filter_whole() {
    let t = with("map", by_ids(["urn:1"])).await;
    change(&t, "map", with_pattern(&["Room"], "^urn"), &kept(&[("map", "I", "urn:1")])).await;
    let interests = t.watchers(&tenant("demo"), "urn:1").await;
    assert_eq!(interests[0].wants[0].filter, r#"{"entityTypes":["Room"],"idPattern":"^urn"}"#);
    assert_eq!(t.interests(&["Room"]).await[0].wants[0].filter, r#"{"idPattern":"^urn"}"#);
}

/// One item holds both, each with its own filter.
#[tokio::test]
async fn can_be_the_present_scopes_of_another_subscription() {
    let t = with("a", filter(["Room"])).await;
    change(&t, "b", filter(["Room"]), &Kept::new()).await;
    change(&t, "a", with_pattern(&[], "^urn"), &kept(&[("a", "T", "Room")])).await;
    let interests = t.interests(&["Room"]).await;
    assert_eq!(ids(&interests), ["alice", "alice"], "under every type, and under this one");
    let wants = interests.iter().find(|interest| interest.wants.len() == 2).map(|interest| &interest.wants[..]);
    let Some([a, b]) = wants else { panic!("{interests:?}") };
    assert_eq!((a.subscription.as_str(), a.filter.as_str()), ("a", r#"{"idPattern":"^urn"}"#));
    assert_eq!((b.subscription.as_str(), b.filter.as_str()), ("b", ""));
    change(&t, "b", filter(["Car"]), &kept(&[("a", "T", "Room")])).await;
    change(&t, "b", Filter::default(), &kept(&[("a", "T", "Room"), ("b", "T", "Car")])).await;
}

#[tokio::test]
async fn go_with_their_subscription() {
    let t = with("a", filter(["Room"])).await;
    change(&t, "b", by_ids(["urn:1"]), &Kept::new()).await;
    change(&t, "a", Filter::default(), &kept(&[("a", "T", "Room")])).await;
    change(&t, "b", Filter::default(), &kept(&[("a", "T", "Room"), ("b", "I", "urn:1")])).await;
    let alice = t.table.unsubscribe(&id("alice"), &subscription_name("a"), now()).await.unwrap();
    t.assert_holds([&alice], "a is gone").await;
    assert_eq!(t.kept("alice").await, kept(&[("b", "I", "urn:1")]));
    change(&t, "a", Filter::default(), &kept(&[("b", "I", "urn:1")])).await;
}

/// A connection has at most 50 scopes with those that it keeps, so that each change is one transaction.
#[tokio::test]
async fn are_as_many_as_fifty_scopes_leave_room_for() {
    for (old, new, expected) in [
        (by_ids(names("urn:", 49)), Filter::default(), 49),
        (by_ids(names("urn:", 49)), filter(["Room"]), 49),
        (by_ids(names("urn:", 49)), filter(["Room", "Car"]), 48),
        (by_ids(names("urn:", 49)), filter(names("Type", 49)), 1),
        (filter(names("Type", 49)), Filter::default(), 49),
    ] {
        let t = with("map", old).await;
        let alice = t.table.subscribe(&id("alice"), &[named("map", new.clone())], now()).await.unwrap();
        t.assert_holds([&alice], &format!("{new:?}")).await;
        assert_eq!(t.kept("alice").await.len(), expected, "{new:?}");
        // One more scope of another subscription leaves room for one less.
        let alice = t.table.subscribe(&id("alice"), &[named("list", by_ids(["another"]))], now()).await;
        if let Ok(alice) = alice {
            t.assert_holds([&alice], &format!("{new:?}, and another")).await;
            let own = 1 + new.entity_types().len().max(1);
            assert_eq!(t.kept("alice").await.len(), expected.min(50 - own), "{new:?}, and another");
        }
        t.table.forget(&id("alice")).await.unwrap();
        t.assert_empty("forgotten").await;
    }
}
