//! A connection whose filter changes from types to every type keeps the interests of these types, with the present filter,
//! until its filter names types again.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::{Authorisation, Connection, Grant};
use entity_stream_protocol::{Filter, GroupId};

use crate::support::{
    Steps, TestTable, config, connection, default_filter, filter, id, ids, names, now, only, patterns, subscribe,
    with_pattern,
};

fn every(pattern: &str) -> Filter {
    with_pattern(&[], pattern)
}

/// A connection with a filter for every type, and an earlier filter with these types.
async fn widened(t: &TestTable, types: &[String]) -> Connection {
    t.register([&connection("alice", filter(types))]).await;
    change(t, Filter::default(), types).await
}

/// The connection with another filter, which keeps these types.
async fn change(t: &TestTable, wanted: impl Into<Option<Filter>>, kept: &[String]) -> Connection {
    let wanted = wanted.into();
    let alice = subscribe(&t.table, &id("alice"), wanted.as_ref(), now()).await.unwrap();
    assert_eq!(alice.subscriptions, only(wanted.clone()));
    t.assert_holds([&alice], &format!("{wanted:?}")).await;
    let kept = kept.iter().map(|name| (String::new(), "T".to_owned(), name.clone())).collect();
    assert_eq!(t.kept("alice").await, kept, "{wanted:?}");
    alice
}

#[tokio::test]
async fn until_it_names_types_again() {
    let t = TestTable::create().await;
    let both = names("Type", 2);
    widened(&t, &both).await;
    assert_eq!(ids(&t.interests(&["Type1"]).await), ["alice", "alice"], "under every type, and under this one");
    change(&t, every("^urn"), &both).await;
    change(&t, every("001$"), &both).await;
    change(&t, filter(["Type1", "New"]), &[]).await;
    change(&t, Filter::default(), &["Type1", "New"].map(str::to_owned)).await;
    change(&t, None, &[]).await;
    change(&t, Filter::default(), &[]).await;
}

#[tokio::test]
async fn with_the_pattern_of_what_it_wants_now() {
    let t = TestTable::create().await;
    t.register([&connection("alice", with_pattern(&["Room"], "^old"))]).await;
    for pattern in ["^urn", "001$"] {
        change(&t, every(pattern), &["Room".to_owned()]).await;
        for interest in t.interests(&["Room"]).await {
            assert_eq!(patterns(&interest), [Some(pattern.to_owned())]);
        }
    }
}

#[tokio::test]
async fn with_a_renewed_authorisation() {
    let t = TestTable::create().await;
    let grant = |seconds| Grant {
        subject: "alice".to_owned(),
        role: "user".to_owned(),
        until: Some(now().plus(Duration::from_secs(seconds))),
    };
    let rooms = connection("alice", filter(["Room"]));
    t.register([&Connection { authorisation: Authorisation::Granted(grant(60)), ..rooms }]).await;
    change(&t, Filter::default(), &["Room".to_owned()]).await;

    let renewed = t.table.authorise(&id("alice"), &grant(600), now()).await.unwrap();

    t.assert_holds([&renewed], "renewed").await;
    let interests = t.interests(&["Room"]).await;
    assert_eq!(interests.len(), 2);
    assert!(interests.iter().all(|interest| interest.authorised_until == grant(600).until), "{interests:?}");
}

#[tokio::test]
async fn in_its_group() {
    let t = TestTable::create().await;
    let group = Some(GroupId::parse("workers").unwrap());
    t.register([&Connection { group: group.clone(), ..connection("alice", filter(["Room"])) }]).await;
    change(&t, Filter::default(), &["Room".to_owned()]).await;
    let interests = t.interests(&["Room"]).await;
    assert_eq!(ids(&interests), ["alice", "alice"]);
    assert!(interests.iter().all(|interest| interest.group == group && interest.hash() == interests[0].hash()));
}

#[tokio::test]
async fn the_same_filter_again_changes_nothing() {
    let t = TestTable::create().await;
    widened(&t, &names("Type", 3)).await;
    let before = t.items().await;
    subscribe(&t.table, &id("alice"), Some(&Filter::default()), now()).await.unwrap();
    assert_eq!(t.items().await, before);
}

/// The types kept, as many new ones, `*` and the connection are the 100 items of a transaction.
#[tokio::test]
async fn forty_nine_types_again_and_again() {
    let t = TestTable::create().await;
    let [old, new] = ["Old", "New"].map(|prefix| names(prefix, 49));
    widened(&t, &old).await;
    change(&t, every("^urn"), &old).await;
    for types in [&new, &old, &new] {
        change(&t, filter(types), &[]).await;
        change(&t, every("^urn"), types).await;
        change(&t, Filter::default(), types).await;
    }
    t.table.forget(&id("alice")).await.unwrap();
    t.assert_empty("forgotten").await;
}

#[tokio::test]
async fn not_when_it_is_forgotten() {
    for gone in [false, true] {
        let t = TestTable::create().await;
        widened(&t, &names("Type", 30)).await;
        if gone {
            let interests = t.interests(&["Type7"]).await;
            t.table.forget_gone(&interests[1]).await.unwrap();
        } else {
            t.table.forget(&id("alice")).await.unwrap();
        }
        t.assert_empty(&format!("found gone: {gone}")).await;
    }
}

/// Items of a process that died during a change from every type to other types.
#[tokio::test]
async fn a_change_after_the_death_of_a_process_is_complete() {
    let (old, new) = (names("Old", 49), names("New", 49));
    for step in 0..=8 {
        for wanted in [Some(filter(names("Next", 49))), Some(filter(["Old0", "New0"])), Some(every("^urn")), None] {
            let t = TestTable::create().await;
            widened(&t, &old).await;
            let steps = Steps::default();
            let doomed = t.through(config().interceptor(steps.clone()));
            let (alice, others) = (id("alice"), filter(&new));
            tokio::select! {
                biased;
                () = steps.reached(step) => {}
                _ = subscribe(&doomed, &alice, Some(&others), now()) => {}
            }
            let found = t.table.find(&id("alice"), now()).await.unwrap().unwrap();
            let types = default_filter(&found).unwrap().entity_types().len();
            let kept = match wanted.as_ref() {
                Some(every) if every.entity_types().is_empty() && types == 0 => old.clone(),
                Some(every) if every.entity_types().is_empty() => new.clone(),
                _ => Vec::new(),
            };
            change(&t, wanted, &kept).await;
            t.table.forget(&id("alice")).await.unwrap();
            t.assert_empty(&format!("step {step}")).await;
        }
    }
}

/// Items of an older version of this table: `*` alone, without the list `kept`.
#[tokio::test]
async fn nothing_if_nothing_is_listed() {
    let t = TestTable::create().await;
    widened(&t, &names("Type", 2)).await;
    for ((pk, sk), _) in t.items().await.into_iter().filter(|((pk, _), _)| pk.starts_with("T#demo#Type")) {
        let delete = t.client.delete_item().table_name(t.table.name()).key("pk", AttributeValue::S(pk));
        delete.key("sk", AttributeValue::S(sk)).send().await.unwrap();
    }
    let update = t.client.update_item().table_name(t.table.name()).key("pk", AttributeValue::S("C#alice".to_owned()));
    let update = update.key("sk", AttributeValue::S("C".to_owned()));
    update.update_expression("REMOVE kept").send().await.unwrap();

    change(&t, every("^urn"), &[]).await;
    change(&t, filter(["Type0"]), &[]).await;
}
