use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity_stream_connections::{Connection, TableError};
use entity_stream_protocol::Filter;

use crate::support::{
    Requests, Steps, TestTable, config, connection, default_filter, filter, id, ids, names, now, only, subscribe,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_subscribes_at_once_end_with_one_of_them() {
    let filters: Vec<_> = (0..20_usize)
        .map(|i| {
            let types = (0..=i % 4).map(|j| format!("Type{}", (i + 7 * j) % 10));
            Filter::new(types, (i % 3 == 0).then(|| format!("^urn:{i}")).as_deref()).unwrap()
        })
        .collect();
    let t = Arc::new(TestTable::create().await);
    let alice = connection("alice", Filter::default());
    t.register([&alice]).await;

    let start = |wanted: &Filter| {
        let (t, wanted) = (Arc::clone(&t), wanted.clone());
        tokio::spawn(async move { subscribe(&t.table, &id("alice"), Some(&wanted), now()).await })
    };
    let subscribes: Vec<_> = filters.iter().map(start).collect();
    for (i, subscribe) in subscribes.into_iter().enumerate() {
        let result = subscribe.await.unwrap();
        assert!(matches!(result, Ok(_) | Err(TableError::Contended)), "subscribe {i}: {result:?}");
    }

    let last = t.table.find(&alice.id, now()).await.unwrap().and_then(|found| default_filter(&found)).unwrap();
    assert!(filters.contains(&last), "no subscribe asked for {last:?}");
    t.assert_holds([&Connection { subscriptions: only(last), ..alice }], "in the end").await;
}

/// Each attempt of one message fails the attempts of the others. Messages that do not get through give up and change nothing, so
/// that one connection cannot keep the table busy.
///
/// The filters are small. All attempts wait in one queue of the engine, and with large transactions in a slow engine the last
/// one would wait longer than a change may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_subscribes_at_once_cost_a_bounded_number_of_transactions() {
    const MESSAGES: usize = 32;
    const ATTEMPTS: usize = 10;
    let t = TestTable::create().await;
    let alice = connection("alice", filter(names("Old", 3)));
    t.register([&alice]).await;
    let transactions = Requests::of(".TransactWriteItems");
    let table = t.through(config().interceptor(transactions.clone()));
    let filters: Vec<_> = (0..MESSAGES).map(|i| filter(names(&format!("New{i}x"), 3))).collect();

    let start = |wanted: &Filter| {
        let (table, wanted) = (table.clone(), wanted.clone());
        tokio::spawn(async move { subscribe(&table, &id("alice"), Some(&wanted), now()).await })
    };
    let subscribes: Vec<_> = filters.iter().map(start).collect();
    let mut successful = Vec::new();
    for (subscribe, wanted) in subscribes.into_iter().zip(&filters) {
        match subscribe.await.unwrap() {
            Ok(connection) => successful.push(default_filter(&connection).unwrap()),
            Err(TableError::Contended) => {}
            Err(error) => panic!("{wanted:?}: {error}"),
        }
    }

    let last = t.table.find(&alice.id, now()).await.unwrap().and_then(|found| default_filter(&found)).unwrap();
    assert!(successful.contains(&last), "a refused message changed the filter to {last:?}");
    t.assert_holds([&Connection { subscriptions: only(last), ..alice }], "in the end").await;
    assert!(transactions.count() <= MESSAGES * ATTEMPTS, "{} transactions", transactions.count());
}

/// In every order and at every point of interleaving, an ended connection leaves no item behind.
async fn subscribe_against_forget(from: Option<Filter>, to: Option<Filter>, rounds: usize) {
    let t = TestTable::create().await;
    let steps = Steps::default();
    let watched = t.through(config().interceptor(steps.clone()));
    let alice = connection("alice", from);
    let (mut subscribed, mut refused) = (0, 0);
    for round in 0..rounds {
        // A read and a transaction are two requests. A cancelled transaction is followed by another read.
        for step in 0..=6 {
            t.register([&alice]).await;
            steps.restart();
            let subscribe = async {
                let result = subscribe(&watched, &alice.id, to.as_ref(), now()).await;
                steps.over();
                result
            };
            let forget = async {
                steps.reached(step).await;
                t.table.forget(&alice.id).await
            };
            let (result, forgotten) = tokio::join!(subscribe, forget);
            assert!(matches!(forgotten, Ok(Some(_))), "round {round}, step {step}: {forgotten:?}");
            match result {
                Ok(_) => subscribed += 1,
                Err(TableError::NotConnected) => refused += 1,
                Err(error) => panic!("round {round}, step {step}: {error}"),
            }
            t.assert_empty(&format!("round {round}, step {step}")).await;
        }
    }
    assert!(subscribed > 0 && refused > 0, "either came first at times: {subscribed} and {refused}");
}

#[tokio::test]
async fn a_subscribe_against_forget_leaves_nothing() {
    subscribe_against_forget(Some(filter(["A", "B"])), Some(filter(["B", "C"])), 15).await;
}

#[tokio::test]
async fn a_first_subscribe_against_forget_leaves_nothing() {
    subscribe_against_forget(Some(Filter::default()), Some(filter(["A"])), 10).await;
}

#[tokio::test]
async fn an_unsubscribe_against_forget_leaves_nothing() {
    subscribe_against_forget(Some(filter(["A", "B"])), None, 10).await;
}

#[tokio::test]
async fn a_swap_of_all_types_against_forget_leaves_nothing() {
    subscribe_against_forget(Some(filter(names("Old", 49))), Some(filter(names("New", 49))), 2).await;
}

/// The old and the new filter share a type. No reader may miss the connection during the change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_stays_is_never_missed() {
    let t = Arc::new(TestTable::create().await);
    t.register([&connection("alice", filter(["Room", "A"]))]).await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (t, done) = (Arc::clone(&t), Arc::clone(&done));
        async move {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(ids(&t.interests(&["Room"]).await), ["alice"], "read {reads}");
                reads += 1;
            }
        }
    });

    for round in 0..40 {
        let wanted = Filter::new(["Room", ["A", "B"][round % 2]], Some(&format!("^urn:{round}"))).unwrap();
        subscribe(&t.table, &id("alice"), Some(&wanted), now()).await.unwrap();
    }

    done.store(true, Ordering::Relaxed);
    reader.await.unwrap();
}
