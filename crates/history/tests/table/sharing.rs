use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use entity_stream_history::HistoryError;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use crate::support::{MUCH, TestHistory, after, event, event_with, ids, start, tenant};

/// The queries of one part, one for each partition.
const PART: usize = 4;

#[tokio::test]
async fn requests_at_the_same_time_share_reads() {
    let t = TestHistory::create().await;
    for second in 0..100 {
        t.record_id(&format!("{second}"), &format!("urn:{second}"), after(second)).await;
    }
    let reader = t.reader();
    t.queries.take();
    let demo = tenant("demo");
    let reads = (0..200).map(|number| reader.read(&demo, after(number % 100), after(105), MUCH));
    for (number, past) in join_all(reads).await.into_iter().enumerate() {
        let wanted: Vec<_> = (number % 100..100).map(|second| second.to_string()).collect();
        assert_eq!(ids(&past.unwrap()), wanted, "each has its own part");
    }
    // The closed slices, the open part for the first request, and the open part for those that came until then. Requests leave the
    // closed slices one after the other, so some may come to a further read of the open part; 200 of them would be 800 queries.
    let queries = t.queries.take().len();
    assert!((3 * PART..=8 * PART).contains(&queries), "{queries}");
}

#[tokio::test]
async fn tenants_do_not_share_reads() {
    let t = TestHistory::create().await;
    let tenants = ["a", "b", "c"].map(tenant);
    for tenant in &tenants {
        t.record(&event(tenant.as_str(), tenant.as_str(), "urn:a"), after(1)).await;
    }
    let reader = t.reader();
    let reads = tenants.iter().cycle().take(30).map(async |tenant| {
        let past = reader.read(tenant, start(), after(2), MUCH).await.unwrap();
        assert_eq!(ids(&past), [tenant.as_str()]);
    });
    t.queries.take();
    join_all(reads).await;
    let queries = t.queries.take().len();
    assert!((3 * 2 * PART..=3 * 6 * PART).contains(&queries), "{queries}");
}

#[tokio::test]
async fn a_request_whose_part_is_small_succeeds_beside_one_that_wants_too_much() {
    let t = TestHistory::create().await;
    let data = json!({ "text": "x".repeat(10_000) });
    for second in 0..10 {
        t.record(&event_with(&format!("{second}"), "demo", "urn:a", &data), after(second)).await;
    }
    let reader = t.reader();
    let demo = tenant("demo");
    let reads = [9, 0, 3, 8, 5, 9, 1].map(|from| reader.read(&demo, after(from), after(10), 35_000));
    let found: Vec<_> = join_all(reads).await.into_iter().map(|past| past.map(|past| past.events.len())).collect();
    assert!(matches!(
        found[..],
        [
            Ok(1),
            Err(HistoryError::TooMuch),
            Err(HistoryError::TooMuch),
            Ok(2),
            Err(HistoryError::TooMuch),
            Ok(1),
            Err(HistoryError::TooMuch)
        ]
    ));
}

#[tokio::test]
async fn closed_slices_that_are_too_much_are_read_once() {
    let t = TestHistory::create().await;
    for number in 0..10 {
        t.record_id(&format!("e{number}"), "urn:a", after(number)).await;
    }
    let reader = t.reader();
    let demo = tenant("demo");
    t.queries.take();
    let reads = (0..50).map(|_| reader.read(&demo, start(), after(100), 300));
    assert!(join_all(reads).await.iter().all(|read| matches!(read, Err(HistoryError::TooMuch))));
    assert_eq!(t.queries.take().len(), PART);
    assert_eq!(reader.read(&demo, start(), after(100), MUCH).await.unwrap().events.len(), 10);
}

#[tokio::test]
async fn a_read_goes_on_without_the_request_that_began_it() {
    let t = TestHistory::create().await;
    t.record_id("one", "urn:a", after(1)).await;
    let reader = t.reader();
    let demo = tenant("demo");
    let read = || Box::pin(reader.read(&demo, start(), after(2), MUCH));
    t.queries.take();
    let mut first = read();
    assert!(timeout(Duration::ZERO, &mut first).await.is_err(), "it has begun");
    let (mut second, mut third) = (read(), read());
    assert!(timeout(Duration::ZERO, &mut second).await.is_err());
    assert!(timeout(Duration::ZERO, &mut third).await.is_err());
    drop((first, second));
    assert_eq!(ids(&third.await.unwrap()), ["one"]);
    // The second and the third share a read, unless the first read ended between them. None begins anew because a request is gone.
    assert!(t.queries.take().len() <= 3 * PART);
}

/// Requests with different times, some of which give up, while events are written. Each has every event that was written before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shared_read_has_every_event_that_was_written_before_its_requests() {
    const EVENTS: u64 = 200;
    const REQUESTS: u64 = 12;
    for seed in 0..8 {
        let t = Arc::new(TestHistory::create().await);
        let written = Arc::new(AtomicU64::new(0));
        let at = |number: u64| start().plus(Duration::from_millis(300 * number));
        let reader = Arc::new(t.reader());
        let requests: Vec<_> = (0..REQUESTS)
            .map(|client| {
                let (reader, written) = (Arc::clone(&reader), Arc::clone(&written));
                let mut random = fastrand::Rng::with_seed(seed * REQUESTS + client);
                tokio::spawn(async move {
                    let mut answered = 0;
                    loop {
                        let before = written.load(Ordering::SeqCst);
                        let first = random.u64(..=before);
                        let patience =
                            Duration::from_millis(if random.u8(..4) == 0 { random.u64(..5) } else { 60_000 });
                        let demo = tenant("demo");
                        let read = reader.read(&demo, at(first), at(before), MUCH);
                        if let Ok(past) = timeout(patience, read).await {
                            let wanted: Vec<_> = (first..before).map(|number| number.to_string()).collect();
                            let found = ids(&past.unwrap());
                            assert!(found.starts_with(&wanted), "seed {seed}: {found:?} instead of {wanted:?}");
                            answered += 1;
                            if before == EVENTS {
                                return answered;
                            }
                        }
                    }
                })
            })
            .collect();
        t.queries.take();
        for number in 0..EVENTS {
            t.record(&event(&number.to_string(), "demo", &format!("urn:{number}")), at(number)).await;
            written.store(number + 1, Ordering::SeqCst);
        }
        let answered = join_all(requests).await.into_iter().map(Result::unwrap).sum::<usize>();
        let queries = t.queries.take().len();
        assert!(queries < answered * PART, "seed {seed}: {queries} queries for {answered} requests");
    }
}
