//! Proofs of possession that were used, and connections that wait for one.

use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant, TableError, UnprovedGrant};
use entity_stream_protocol::EpochMillis;
use entity_stream_protocol::limits::PROOF_TIME;
use tokio::task::JoinSet;

use crate::support::{TestTable, connection, filter, id, now, subscribe, subscription_name};

fn later(seconds: u64) -> EpochMillis {
    now().plus(Duration::from_secs(seconds))
}

fn grant(subject: &str) -> Grant {
    Grant::new(subject, "user", Some(later(60)))
}

fn unproved(name: &str) -> Connection {
    let (key, token) = ("K".repeat(43), "T".repeat(43));
    let authorisation = Authorisation::Unproved(UnprovedGrant { grant: grant(name), key, token });
    Connection { authorisation, ..connection(name, filter(["A", "B"])) }
}

#[tokio::test]
async fn one_of_many_requests_uses_a_proof() {
    let t = TestTable::create().await;
    for round in 0..10 {
        let id = format!("proof-{round}");
        let mut uses = JoinSet::new();
        for request in 0..8 {
            let (table, id, request) = (t.table.clone(), id.clone(), format!("request-{request}"));
            uses.spawn(async move { (table.use_proof(&id, &request, now()).await.unwrap(), request) });
        }
        let winners: Vec<_> = uses.join_all().await.into_iter().filter(|(used, _)| *used).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert!(t.table.use_proof(&id, &winners[0].1, now()).await.unwrap(), "the SDK repeats its write");
        assert!(!t.table.use_proof(&id, "later", later(119)).await.unwrap());
    }
    assert!(t.table.use_proof("another", "later", now()).await.unwrap());
}

#[tokio::test]
async fn the_item_of_a_proof_lives_as_long_as_the_proof_may_be_accepted() {
    let t = TestTable::create().await;
    t.table.use_proof("proof", "request", now()).await.unwrap();
    let items = t.items().await;
    let expires_at: u64 = items.values().next().unwrap()["expiresAt"].as_n().unwrap().parse().unwrap();
    let rest = expires_at - now().seconds();
    assert!((120..=121).contains(&rest), "{rest} s");
}

#[tokio::test]
async fn an_unproved_connection_has_interests_that_deliver_nothing() {
    let t = TestTable::create().await;
    let alice = unproved("alice");
    t.register([&alice]).await;
    assert_eq!(t.table.find(&alice.id, now()).await.unwrap(), Some(alice.clone()));
    let interests = t.interests(&["A", "B"]).await;
    assert_eq!(interests.len(), 2);
    for interest in interests {
        assert!(interest.awaits_proof);
        assert_eq!(interest.authorised_until, Some(alice.connected_at), "no function takes it for authorised");
        assert!(interest.may_be_proved(alice.connected_at));
        assert!(interest.may_be_proved(alice.connected_at.plus(PROOF_TIME - Duration::from_millis(1))));
        assert!(!interest.may_be_proved(alice.connected_at.plus(PROOF_TIME)));
    }
    assert_eq!(alice.slot(), None, "it takes no slot");
    let refused = subscribe(&t.table, &alice.id, Some(&filter(["C"])), now()).await;
    assert!(matches!(refused, Err(TableError::ProofRequired)), "{refused:?}");
    let refused = t.table.unsubscribe(&alice.id, &subscription_name(""), now()).await;
    assert!(matches!(refused, Err(TableError::ProofRequired)), "{refused:?}");

    let proved = t.table.authorise(&alice.id, &grant("alice"), now()).await.unwrap();

    assert_eq!(proved.authorisation, Authorisation::Granted(grant("alice")));
    t.assert_holds([&proved], "proved").await;
    assert!(t.interests(&["A", "B"]).await.iter().all(|interest| !interest.awaits_proof));
    t.table.forget(&id("alice")).await.unwrap();
    t.assert_empty("forgotten").await;
}

#[tokio::test]
async fn an_unproved_connection_that_ends_leaves_nothing() {
    let t = TestTable::create().await;
    let alice = unproved("alice");
    t.register([&alice]).await;
    t.table.forget(&alice.id).await.unwrap();
    t.assert_empty("forgotten").await;
}
