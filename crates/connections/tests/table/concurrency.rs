//! Messages of one connection that change different subscriptions, or the same one, at the same time.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant, Table, TableError};
use entity_stream_protocol::{Filter, Position, Since, Subscription};
use proptest::prelude::*;
use tokio::task::JoinSet;

use crate::support::{
    Steps, TestTable, by_ids, config, connection, filter, id, named, names, now, session, subscription_name,
    with_pattern,
};

/// Runs one operation, and another one at this step of the first.
async fn at_step<A, B>(
    t: &TestTable,
    step: usize,
    one: impl AsyncFnOnce(&Table) -> A,
    other: impl Future<Output = B>,
) -> (A, B) {
    let steps = Steps::default();
    let watched = t.through(config().interceptor(steps.clone()));
    let one = async {
        let result = one(&watched).await;
        steps.over();
        result
    };
    let other = async {
        steps.reached(step).await;
        other.await
    };
    tokio::join!(one, other)
}

async fn subscribe(table: &Table, wanted: &Subscription) -> Connection {
    table.subscribe(&id("alice"), std::slice::from_ref(wanted), None, now()).await.unwrap().after
}

/// A read and a transaction are two requests. A cancelled transaction is followed by another of each.
const STEPS: std::ops::RangeInclusive<usize> = 0..=8;

#[tokio::test]
async fn that_change_different_subscriptions_both_succeed() {
    for (one, other) in [
        (named("a", filter(["Room"])), named("b", filter(["Room"]))),
        (named("a", by_ids(["urn:1"])), Filter::default().into()),
        (named("a", filter(names("New", 24))), named("b", by_ids(names("urn:", 24)))),
    ] {
        for step in STEPS {
            let t = TestTable::create().await;
            t.register([&connection("alice", filter(["Old"]))]).await;
            let (_, _) =
                at_step(&t, step, async |table| subscribe(table, &one).await, subscribe(&t.table, &other)).await;
            let alice = t.table.find(&id("alice"), now()).await.unwrap().unwrap();
            for wanted in [&one, &other] {
                assert_eq!(alice.subscription(&wanted.name), Some(wanted), "step {step}");
            }
            t.assert_holds([&alice], &format!("step {step}")).await;
        }
    }
}

#[tokio::test]
async fn that_change_the_same_subscription_end_with_one_of_them() {
    let [one, other] = [with_pattern(&["Room", "Car"], "^one"), by_ids(["urn:1"])].map(|filter| named("map", filter));
    for step in STEPS {
        let t = TestTable::create().await;
        t.register([&connection("alice", filter(["Old"]))]).await;
        let (first, second) =
            at_step(&t, step, async |table| subscribe(table, &one).await, subscribe(&t.table, &other)).await;
        for (result, wanted) in [(&first, &one), (&second, &other)] {
            assert_eq!(result.subscription(&wanted.name), Some(wanted), "step {step}");
        }
        let alice = t.table.find(&id("alice"), now()).await.unwrap().unwrap();
        assert!(alice == first || alice == second, "step {step}: {alice:?}");
        t.assert_holds([&alice], &format!("step {step}")).await;
    }
}

#[tokio::test]
async fn a_removal_and_an_addition_of_other_names_both_succeed() {
    for step in STEPS {
        let t = TestTable::create().await;
        let subscriptions = vec![named("a", filter(["Room"])), named("b", filter(["Room", "Car"]))];
        t.register([&Connection { subscriptions, ..connection("alice", None) }]).await;
        let (removed, name) = (subscription_name("b"), id("alice"));
        let wanted = named("c", by_ids(["urn:1"]));
        let remove = async |table: &Table| table.unsubscribe(&name, &removed, now()).await;
        let (result, _) = at_step(&t, step, remove, subscribe(&t.table, &wanted)).await;
        result.unwrap();
        let alice = t.table.find(&name, now()).await.unwrap().unwrap();
        assert_eq!(alice.subscriptions, [named("a", filter(["Room"])), wanted], "step {step}");
        t.assert_holds([&alice], &format!("step {step}")).await;
    }
}

/// A message that cannot get through is answered with an error, and has changed nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_of_different_names_all_hold_unless_they_were_refused() {
    let t = TestTable::create().await;
    t.register([&connection("alice", filter(["Room"]))]).await;
    let mut messages = JoinSet::new();
    for name in names("s", 16) {
        let table = t.table.clone();
        messages.spawn(async move {
            let wanted = named(&name, filter(["Room", &format!("Type{name}")]));
            (name, table.subscribe(&id("alice"), &[wanted], None, now()).await)
        });
    }
    let mut expected = BTreeSet::from([String::new()]);
    for (name, result) in messages.join_all().await {
        match result {
            Ok(_) => assert!(expected.insert(name)),
            Err(TableError::Contended) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(expected.len() > 1, "the first of each attempt gets through");
    let alice = t.table.find(&id("alice"), now()).await.unwrap().unwrap();
    let held: BTreeSet<_> = alice.subscriptions.iter().map(|each| each.name.as_str().to_owned()).collect();
    assert_eq!(held, expected);
    t.assert_holds([&alice], "in the end").await;
}

#[derive(Clone, Debug)]
enum Message {
    Subscribe(Vec<Subscription>),
    Resume(&'static str),
    Unsubscribe(&'static str),
    Authorise(u64),
    Disconnect,
}

const NAMES: [&str; 3] = ["", "a", "b"];

fn subscriptions() -> impl Strategy<Value = Vec<Subscription>> {
    let filters = vec![
        Filter::default(),
        filter(["Room"]),
        filter(["Room", "Car"]),
        by_ids(["urn:1"]),
        by_ids(["urn:1", "urn:2"]),
        with_pattern(&["Room"], "^(urn:2|urn:3)$"),
        with_pattern(&[], "^urn"),
    ];
    let one = (prop::sample::select(NAMES.to_vec()), prop::sample::select(filters));
    prop::collection::vec(one.prop_map(|(name, filter)| named(name, filter)), 1..3)
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        8 => subscriptions().prop_map(Message::Subscribe),
        3 => prop::sample::select(vec!["alice", "earlier", "another"]).prop_map(Message::Resume),
        3 => prop::sample::select(NAMES.to_vec()).prop_map(Message::Unsubscribe),
        2 => (60..600_u64).prop_map(Message::Authorise),
        1 => Just(Message::Disconnect),
    ]
}

async fn handle(table: Table, message: Message) -> bool {
    let alice = id("alice");
    let result = match message {
        Message::Subscribe(wanted) => table.subscribe(&alice, &wanted, None, now()).await.map(|change| change.after),
        Message::Resume(name) => {
            let since = Since::Position { position: Position::new(now(), 1), session: session(name) };
            table.subscribe(&alice, &[], Some(&since), now()).await.map(|change| change.after)
        }
        Message::Unsubscribe(name) => table.unsubscribe(&alice, &subscription_name(name), now()).await,
        Message::Authorise(seconds) => {
            let until = Some(now().plus(Duration::from_secs(seconds)));
            table.authorise(&alice, &Grant::new("alice", "user", until), now()).await
        }
        Message::Disconnect => return table.forget(&alice).await.unwrap().is_some(),
    };
    let is_expected = match &result {
        Ok(_) => true,
        Err(error) => matches!(
            error,
            TableError::Contended
                | TableError::NotConnected
                | TableError::NotSubscribed
                | TableError::ResumedRecently
                | TableError::AnotherSession
        ),
    };
    assert!(is_expected, "{result:?}");
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the messages of a connection overlap, the items in the end are those of its last state.
    #[test]
    fn messages_at_the_same_time_leave_the_items_of_the_last_state(
        rounds in prop::collection::vec(prop::collection::vec(messages(), 1..6), 1..4)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let t = TestTable::create().await;
            let authorisation = Authorisation::Granted(Grant::new("alice", "user", None));
            t.register([&Connection { authorisation, ..connection("alice", Filter::default()) }]).await;
            let mut is_gone = false;
            for round in rounds {
                let context = format!("{round:?}");
                let handled = round.into_iter().map(|message| handle(t.table.clone(), message)).collect::<JoinSet<_>>();
                is_gone |= handled.join_all().await.contains(&true);
                let alice = t.table.find(&id("alice"), now()).await.unwrap();
                assert_eq!(alice.is_none(), is_gone, "{context}");
                t.assert_holds(&alice, &context).await;
            }
        });
    }
}
