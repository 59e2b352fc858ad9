//! The hash of a consumer group.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::{Authorisation, Connection, Grant};
use entity_stream_protocol::{Filter, GroupId};

use crate::support::{TestTable, by_ids, connection, filter, id, named, names, now, subscribe, tenant};

/// A member of the group `workers`.
fn member(name: &str, authorisation: Authorisation) -> Connection {
    let group = GroupId::parse("workers").ok();
    Connection { group, authorisation, ..connection(name, filter(["Room"])) }
}

fn of(subject: &str) -> Authorisation {
    Authorisation::Granted(Grant::new(subject, "user", None))
}

/// The hashes of the connections whose names begin with this text.
async fn hashes(t: &TestTable, prefix: &str) -> BTreeSet<u64> {
    let interests = t.interests(&["Room"]).await;
    let members = interests.iter().filter(|interest| interest.connection_id.as_str().starts_with(prefix));
    members.map(|interest| interest.hash()).collect()
}

#[tokio::test]
async fn is_the_same_for_all_members_and_no_client_can_choose_it() {
    let mut all = BTreeSet::new();
    for _ in 0..5 {
        let t = TestTable::create().await;
        let members: Vec<_> = names("m", 5).iter().map(|name| member(name, Authorisation::Open)).collect();
        t.register(&members).await;
        t.assert_holds(&members, "a group").await;
        let hashes = hashes(&t, "m").await;
        assert_eq!(hashes.len(), 1, "{hashes:?}");
        all.extend(hashes);
    }
    assert_eq!(all.len(), 5, "the name of the group does not determine its hash");
}

#[tokio::test]
async fn belongs_to_a_subject() {
    let t = TestTable::create().await;
    let members: Vec<_> = [("a0", "alice"), ("a1", "alice"), ("b0", "bob"), ("b1", "bob")]
        .map(|(name, subject)| member(name, of(subject)))
        .into();
    t.register(&members).await;
    let (alice, bob) = (hashes(&t, "a").await, hashes(&t, "b").await);
    assert_eq!((alice.len(), bob.len()), (1, 1));
    assert_ne!(alice, bob, "two groups of one name");
}

#[tokio::test]
async fn stays_when_the_filter_changes() {
    let t = TestTable::create().await;
    t.register([&member("m0", of("alice"))]).await;
    let before = hashes(&t, "m").await;
    subscribe(&t.table, &id("m0"), Some(&filter(["Car"])), now()).await.unwrap();
    subscribe(&t.table, &id("m0"), Some(&filter(["Room"])), now()).await.unwrap();
    t.table.authorise(&id("m0"), &Grant::new("alice", "user", None), now()).await.unwrap();
    assert_eq!(hashes(&t, "m").await, before);
    t.table.forget(&id("m0")).await.unwrap();
    t.assert_empty("forgotten").await;
}

/// A reader of one member has all of them, by whatever scope it found it.
#[tokio::test]
async fn is_the_same_in_the_scopes_of_all_subscriptions() {
    let t = TestTable::create().await;
    t.register([&member("m0", of("alice")), &member("m1", of("alice"))]).await;
    let wanted = [named("ids", by_ids(["urn:1"])), named("all", Filter::default())];
    let alice = t.table.subscribe(&id("m0"), &wanted, None, now()).await.unwrap().after;
    t.assert_holds([&alice, &member("m1", of("alice"))], "several").await;
    let mut all = hashes(&t, "m").await;
    all.extend(t.watchers(&tenant("demo"), "urn:1").await.iter().map(|interest| interest.hash()));
    assert_eq!(all.len(), 1, "{all:?}");
}

/// The subject decides on the group, so a connection without a subject is in none yet.
#[tokio::test]
async fn is_found_when_the_subject_becomes_known() {
    let t = TestTable::create().await;
    t.register([&member("m0", of("alice")), &member("m1", Authorisation::Pending)]).await;
    let groups: Vec<_> = t.items().await.into_keys().filter(|(_, sk)| sk == "G").map(|(pk, _)| pk).collect();
    assert_eq!(groups, ["G#demo#workers#alice"]);
    let before = hashes(&t, "m").await;
    let authorised = t.table.authorise(&id("m1"), &Grant::new("alice", "user", None), now()).await.unwrap();
    t.assert_holds([&member("m0", of("alice")), &authorised], "authenticated").await;
    assert_eq!((t.interests(&["Room"]).await.len(), hashes(&t, "m").await), (2, before));
}

/// While a member is connected, the item of the group does not expire: another hash would make two groups of one.
#[tokio::test]
async fn lives_longer_than_the_youngest_member() {
    let t = TestTable::create().await;
    t.register([&member("m0", Authorisation::Open)]).await;
    let items = t.items().await;
    let group = items.values().find(|item| item["sk"] == AttributeValue::S("G".to_owned())).unwrap();
    let expires_at: u64 = group["expiresAt"].as_n().unwrap().parse().unwrap();
    assert!(expires_at > member("m0", Authorisation::Open).expires_at().seconds());
    assert!(expires_at < now().seconds() + 3 * 60 * 60, "it expires in the end");
}
