//! The subject and the end of a connection's authorisation.

use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant, TableError};
use entity_stream_protocol::{EpochMillis, Filter};

use crate::support::{
    TestTable, by_ids, connection, default_filter, filter, id, named, names, now, only, subscribe, subscription_name,
    tenant,
};

fn later(seconds: u64) -> EpochMillis {
    now().plus(Duration::from_secs(seconds))
}

fn grant(subject: &str, until: impl Into<Option<EpochMillis>>) -> Grant {
    Grant { subject: subject.to_owned(), role: "user".to_owned(), until: until.into() }
}

fn granted(name: &str, filter: impl Into<Option<Filter>>, grant: Grant) -> Connection {
    Connection { authorisation: Authorisation::Granted(grant), ..connection(name, filter) }
}

#[tokio::test]
async fn a_grant_stands_in_the_connection_and_in_each_interest() {
    let t = TestTable::create().await;
    let alice = granted("alice", filter(["A", "B"]), grant("alice@example.com", later(60)));
    t.register([&alice]).await;
    t.assert_holds([&alice], "registered").await;
    assert_eq!(t.table.find(&alice.id, now()).await.unwrap(), Some(alice));
    for interest in t.interests(&["A", "B"]).await {
        assert_eq!(interest.authorised_until, Some(later(60)));
    }
    let endless = granted("key", filter(["C"]), grant("key:robot", None));
    t.register([&endless]).await;
    assert_eq!(t.table.find(&endless.id, now()).await.unwrap(), Some(endless));
    assert_eq!(t.interests(&["C"]).await[0].authorised_until, None);
}

#[tokio::test]
async fn a_renewal_reaches_every_interest_and_keeps_the_filter() {
    let t = TestTable::create().await;
    let wanted = filter(names("Type", 49));
    t.register([&granted("alice", wanted.clone(), grant("alice", later(60)))]).await;
    let renewed = granted("alice", wanted, grant("alice", later(600)));
    let returned = t.table.authorise(&id("alice"), &grant("alice", later(600)), later(59)).await.unwrap();
    assert_eq!(returned, renewed);
    t.assert_holds([&renewed], "renewed").await;
    let types = names("Type", 49);
    let interests = t.interests(&types.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(interests.len(), 49);
    assert!(interests.iter().all(|interest| interest.authorised_until == Some(later(600))), "each of them is renewed");
    let moved = Connection { subscriptions: only(filter(["Other"])), ..renewed };
    subscribe(&t.table, &id("alice"), default_filter(&moved).as_ref(), later(599)).await.unwrap();
    t.assert_holds([&moved], "a later filter has the renewed authorisation").await;
}

#[tokio::test]
async fn an_expired_or_foreign_authorisation_cannot_be_renewed() {
    let t = TestTable::create().await;
    let alice = granted("alice", filter(["A"]), grant("alice", later(60)));
    t.register([&alice]).await;
    let foreign = t.table.authorise(&id("alice"), &grant("mallory", later(600)), now()).await;
    assert!(matches!(foreign, Err(TableError::AnotherSubject)), "{foreign:?}");
    for late in [later(60), later(61)] {
        let renewal = t.table.authorise(&id("alice"), &grant("alice", later(600)), late).await;
        assert!(matches!(renewal, Err(TableError::NotAuthorised)), "{renewal:?}");
        let subscribe = subscribe(&t.table, &id("alice"), None, late).await;
        assert!(matches!(subscribe, Err(TableError::NotAuthorised)), "{subscribe:?}");
    }
    let unknown = t.table.authorise(&id("nobody"), &grant("alice", later(600)), now()).await;
    assert!(matches!(unknown, Err(TableError::NotConnected)), "{unknown:?}");
    t.assert_holds([&alice], "nothing was changed").await;
}

#[tokio::test]
async fn a_pending_connection_has_no_interests_until_it_is_authorised() {
    let t = TestTable::create().await;
    let pending = Connection { authorisation: Authorisation::Pending, ..connection("alice", filter(["A", "B"])) };
    t.register([&pending]).await;
    assert_eq!(t.items().await.len(), 1, "the connection alone");
    assert_eq!(t.table.find(&pending.id, now()).await.unwrap(), Some(pending.clone()));
    let subscribe = subscribe(&t.table, &pending.id, Some(&filter(["C"])), now()).await;
    assert!(matches!(subscribe, Err(TableError::NotAuthorised)), "{subscribe:?}");
    t.table.authorise(&pending.id, &grant("alice", later(60)), now()).await.unwrap();
    t.assert_holds([&granted("alice", filter(["A", "B"]), grant("alice", later(60)))], "authorised").await;
    t.table.forget(&pending.id).await.unwrap();
    t.assert_empty("forgotten").await;
}

#[tokio::test]
async fn a_renewal_and_a_subscribe_at_the_same_time_both_hold() {
    for _ in 0..20 {
        let t = TestTable::create().await;
        t.register([&granted("alice", filter(["A"]), grant("alice", later(60)))]).await;
        let (name, renewal, wanted) = (id("alice"), grant("alice", later(600)), filter(["B", "C"]));
        let (renewed, subscribed) =
            tokio::join!(t.table.authorise(&name, &renewal, now()), subscribe(&t.table, &name, Some(&wanted), now()));
        renewed.unwrap();
        subscribed.unwrap();
        t.assert_holds([&granted("alice", wanted, renewal)], "neither undid the other").await;
    }
}

#[tokio::test]
async fn a_renewal_reaches_the_interests_of_every_subscription() {
    let t = TestTable::create().await;
    let mut alice = granted("alice", filter(["A"]), grant("alice", later(60)));
    alice.subscriptions.extend([named("ids", by_ids(["urn:1", "urn:2"])), named("map", filter(["B"]))]);
    t.register([&alice]).await;
    t.table.subscribe(&alice.id, &[named("map", Filter::default())], None, now()).await.unwrap();

    let renewed = t.table.authorise(&alice.id, &grant("alice", later(600)), later(59)).await.unwrap();

    t.assert_holds([&renewed], "renewed").await;
    let mut interests = t.interests(&["A", "B"]).await;
    interests.extend(t.watchers(&tenant("demo"), "urn:1").await);
    interests.extend(t.watchers(&tenant("demo"), "urn:2").await);
    assert_eq!(interests.len(), 4);
    assert!(interests.iter().all(|interest| interest.authorised_until == Some(later(600))));
}

#[tokio::test]
async fn an_unsubscribe_needs_a_valid_authorisation_too() {
    let t = TestTable::create().await;
    let mut alice = granted("alice", filter(["A"]), grant("alice", later(60)));
    alice.subscriptions.push(named("map", by_ids(["urn:1"])));
    let pending = Connection { id: id("bob"), authorisation: Authorisation::Pending, ..alice.clone() };
    t.register([&alice, &pending]).await;
    for name in ["", "map", "unknown"] {
        for (connection, at) in [(&alice, later(60)), (&pending, now())] {
            let result = t.table.unsubscribe(&connection.id, &subscription_name(name), at).await;
            assert!(matches!(result, Err(TableError::NotAuthorised)), "{name:?}: {result:?}");
        }
    }
    t.assert_holds([&alice, &pending], "nothing was changed").await;
    t.table.authorise(&pending.id, &grant("bob", None), now()).await.unwrap();
    assert_eq!(t.watchers(&tenant("demo"), "urn:1").await.len(), 2, "authenticated");
}
