use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{MUCH, TestHistory, event, ids, start, tenant};

/// The basis of the crate's argument: a read has each event whose write ended before the read began.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_has_every_event_that_was_written_before_it_began() {
    const EVENTS: u64 = 300;
    let t = Arc::new(TestHistory::create().await);
    let written = Arc::new(AtomicU64::new(0));
    let at = |number: u64| start().plus(Duration::from_millis(200 * number));
    let writer = {
        let (t, written) = (Arc::clone(&t), Arc::clone(&written));
        tokio::spawn(async move {
            for number in 0..EVENTS {
                t.record(&event(&format!("{number}"), "demo", &format!("urn:{number}")), at(number)).await;
                written.store(number + 1, Ordering::SeqCst);
            }
        })
    };
    // The cache is of one instance, which reads again and again.
    let reader = t.reader();
    loop {
        let before = written.load(Ordering::SeqCst);
        let past = reader.read(&tenant("demo"), start(), at(before), MUCH).await.unwrap();
        let found = ids(&past);
        let wanted: Vec<_> = (0..before).map(|number| number.to_string()).collect();
        assert!(found.starts_with(&wanted), "{before} were written, and {} are found", found.len());
        if before == EVENTS {
            break;
        }
    }
    writer.await.unwrap();
}
