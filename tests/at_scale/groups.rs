//! Consumer groups: the share of each member.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use crate::harness::{Functions, Hands, Reply, System, envelope, room};
use crate::receivers::{Receivers, connection, id_of, register};

const EVENTS: usize = 10_000;

/// The number of events of each member. Each event reached exactly one member.
async fn shares(functions: &Functions, receivers: &Receivers, prefix: &str) -> HashMap<String, usize> {
    stream::iter(0..EVENTS)
        .for_each_concurrent(16, async |n| {
            let report = functions.broadcast(&envelope(&format!("{prefix}{n}"), &room("demo", "r")), 60).await.unwrap();
            assert_eq!(report.delivered, 1);
        })
        .await;
    let mut shares = HashMap::new();
    let mut events = 0;
    for ((id, event), count) in receivers.received() {
        if event.starts_with(prefix) {
            assert_eq!(count, 1, "{event} reached {id} {count} times");
            *shares.entry(id).or_default() += 1;
            events += 1;
        }
    }
    assert_eq!(events, EVENTS, "each event reached one member");
    shares
}

fn assert_even(shares: &HashMap<String, usize>, members: usize) {
    let fair = EVENTS / members;
    assert_eq!(shares.len(), members);
    for (id, share) in shares {
        assert!(share.abs_diff(fair) * 20 <= fair, "{id} received {share} of {EVENTS}; its fair share is {fair}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_share_evenly_and_the_share_of_an_ended_member_moves_to_the_others() {
    let (system, hands) = (System::start().await, Hands::default());
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = std::sync::Arc::clone(&gone);
    let receivers = Receivers::with(move |asked| {
        (id_of(asked) == "carol" && switch.load(std::sync::atomic::Ordering::SeqCst)).then(|| Reply::status(410))
    })
    .await;
    let functions = Functions::new(&system, &receivers.endpoint, &hands).await;
    let started = hands.clock().now();
    register(&functions.table, ["alice", "bob"].map(|id| connection(id, started, Some("team")))).await;
    assert_even(&shares(&functions, &receivers, "two").await, 2);

    register(&functions.table, [connection("carol", started, Some("team"))]).await;
    assert_even(&shares(&functions, &receivers, "three").await, 3);

    hands.forward(31);
    gone.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_even(&shares(&functions, &receivers, "left").await, 2);
}
