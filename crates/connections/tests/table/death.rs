//! A process dies in the middle of an operation, at each of its requests to DynamoDB.

use entity_stream_connections::Connection;
use entity_stream_protocol::Filter;

use crate::support::{Steps, TestTable, config, connection, filter, names, now, only, subscribe};

/// Starts a swap of 49 types for 49 others, and drops it at this step.
async fn die_while_subscribing(t: &TestTable, alice: &Connection, step: usize) {
    let steps = Steps::default();
    let doomed = t.through(config().interceptor(steps.clone()));
    let wanted = filter(names("New", 49));
    tokio::select! {
        biased;
        () = steps.reached(step) => {}
        _ = subscribe(&doomed, &alice.id, Some(&wanted), now()) => {}
    }
}

#[tokio::test]
async fn the_next_subscribe_finds_its_way() {
    for (step, wanted) in
        (0..=8).zip([filter(names("Next", 49)), filter(["Old0", "New0"]), Filter::default()].iter().cycle())
    {
        let t = TestTable::create().await;
        let alice = connection("alice", filter(names("Old", 49)));
        t.register([&alice]).await;
        die_while_subscribing(&t, &alice, step).await;

        subscribe(&t.table, &alice.id, Some(wanted), now()).await.unwrap();

        t.assert_holds([&Connection { subscriptions: only(wanted.clone()), ..alice }], &format!("step {step}")).await;
    }
}

#[tokio::test]
async fn forget_forgets_all_the_same() {
    let t = TestTable::create().await;
    for step in 0..=8 {
        let alice = connection("alice", filter(names("Old", 49)));
        t.register([&alice]).await;
        die_while_subscribing(&t, &alice, step).await;

        t.table.forget(&alice.id).await.unwrap();

        t.assert_empty(&format!("step {step}")).await;
    }
}

/// Events remove the interests that an interrupted removal left behind.
#[tokio::test]
async fn a_forget_that_died_is_finished_by_events() {
    let types = names("Type", 30);
    for step in 0..=6 {
        let t = TestTable::create().await;
        let alice = connection("alice", filter(&types));
        t.register([&alice]).await;
        let steps = Steps::default();
        let doomed = t.through(config().interceptor(steps.clone()));
        tokio::select! {
            biased;
            () = steps.reached(step) => {}
            _ = doomed.forget(&alice.id) => {}
        }

        for name in &types {
            for interest in t.interests(&[name]).await {
                t.table.forget_gone(&interest).await.unwrap();
            }
        }
        t.assert_empty(&format!("step {step}")).await;
    }
}
