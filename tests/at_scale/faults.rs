//! Every kind of fault of DynamoDB and of `@connections`, at several rates, alone and together.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;

use crate::harness::proxy::{Fate, proxy};
use crate::harness::{Asked, Functions, Hands, Reply, System, envelope, room};
use crate::receivers::{Receivers, connection, id_of, ids, register};

const LIVE: usize = 40;
const GONE: usize = 10;
const EVENTS: usize = 6;

/// A fault of an `@connections` endpoint, instead of accepting a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Throttled,
    Forbidden,
    Broken,
    TooLarge,
    Slow,
    Reset,
}

const FAULTS: [Fault; 6] =
    [Fault::Throttled, Fault::Forbidden, Fault::Broken, Fault::TooLarge, Fault::Slow, Fault::Reset];

impl Fault {
    fn reply(self, asked: &Asked) -> Option<Reply> {
        let refusal = |status, kind| Some(Reply::Status(status, kind, "{}".to_owned()));
        match self {
            Self::Throttled => refusal(429, &[("x-amzn-errortype", "LimitExceededException")]),
            Self::Forbidden => refusal(403, &[("x-amzn-errortype", "ForbiddenException")]),
            Self::Broken => refusal(500, &[]),
            Self::Reset => Some(Reply::Reset),
            Self::Slow => {
                Some(Reply::After(Duration::from_millis(fastrand::u64(1..200)), Box::new(Reply::status(200))))
            }
            // The truncated form is accepted.
            Self::TooLarge if String::from_utf8_lossy(&asked.body).contains("truncated") => None,
            Self::TooLarge => refusal(413, &[("x-amzn-errortype", "PayloadTooLargeException")]),
        }
    }
}

/// Delivers some events through faults, and checks the result of every connection.
async fn survives(faults: &'static [Fault], percent: u32, dynamodb: fn() -> Fate) {
    let context = format!("{faults:?} at {percent} %");
    let (system, hands) = (System::start().await, Hands::default());
    let receivers = Receivers::with(move |asked| {
        if id_of(asked).starts_with("gone") {
            return Some(Reply::Status(410, &[("x-amzn-errortype", "GoneException")], "{}".to_owned()));
        }
        let is_faulty = !faults.is_empty() && fastrand::u32(..100) < percent;
        is_faulty.then(|| faults[fastrand::usize(..faults.len())].reply(asked)).flatten()
    })
    .await;
    let url = proxy(system.local.dynamodb_url(), dynamodb).await;
    let (mut functions, mut bus) = Functions::with_bus(&system, &url, &receivers.endpoint, &hands, &[]).await;
    // At these rates a connection can refuse for ten seconds by chance.
    functions.broadcast = functions.broadcast.with_patience(Duration::from_secs(60));
    let (live, gone, started) = (ids("live", LIVE), ids("gone", GONE), hands.clock().now());
    let all = live.iter().chain(&gone).map(|id| connection(id, started, None));
    register(&system.table(), all).await;
    hands.forward(31);

    for event in 0..EVENTS {
        let ran = bus.run(&functions, vec![envelope(&format!("e{event}"), &room("demo", "r1"))], 30).await;
        assert!(ran.dead.is_empty(), "{context}: {:?}", ran.dead);
    }

    let received = receivers.received();
    for id in &live {
        for event in 0..EVENTS {
            let count = received.get(&(id.clone(), format!("e{event}")));
            assert!(count.is_some(), "{context}: {id} did not get e{event}");
        }
    }
    let repeated = received.values().map(|count| count - 1).sum::<usize>();
    assert!(repeated * 100 < LIVE * EVENTS, "{context}: {repeated} repeats");
    let registered: HashSet<_> = system.connection_ids().await.iter().map(ToString::to_string).collect();
    assert_eq!(registered, live.into_iter().collect(), "{context}: only the live connections are registered");
    assert_eq!(system.items().await.len(), 2 * LIVE, "{context}: each has one interest");
    assert!(system.dead_letters().await.is_empty(), "{context}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_connections_alone() {
    let mut scenarios = Vec::new();
    for fault in &FAULTS {
        for percent in [5, 25, 50] {
            scenarios.push(survives(std::slice::from_ref(fault), percent, || Fate::Pass));
        }
    }
    join_all(scenarios).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixtures_of_all_faults_of_connections() {
    join_all([5, 25, 50].map(|percent| survives(&FAULTS, percent, || Fate::Pass))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_dynamodb_with_and_without_faults_of_connections() {
    fn sometimes(fate: Fate, percent: u32) -> Fate {
        if fastrand::u32(..100) < percent { fate } else { Fate::Pass }
    }
    fn throttled() -> Fate {
        sometimes(Fate::Throttled, 25)
    }
    fn broken() -> Fate {
        sometimes(Fate::Broken, 25)
    }
    fn slow() -> Fate {
        sometimes(Fate::Late(Duration::from_millis(fastrand::u64(1..150))), 50)
    }
    fn all() -> Fate {
        match fastrand::u32(..100) {
            ..10 => Fate::Throttled,
            10..20 => Fate::Broken,
            20..40 => Fate::Late(Duration::from_millis(fastrand::u64(1..150))),
            _ => Fate::Pass,
        }
    }
    tokio::join!(
        survives(&[], 0, throttled),
        survives(&[], 0, broken),
        survives(&[], 0, slow),
        survives(&FAULTS, 25, all),
    );
}
