//! Reads ahead of delivery.
//!
//! Invariants:
//! - A read that has begun is polled until it ends, however long the deliveries take: it may hold the turn for which they wait.
//! - At most [`READ_AHEAD`] reads are under way, or have a result that is not taken yet. More would only use more memory.
//! - Results come in the order of the items.

use std::sync::Arc;

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};

/// The number of reads ahead of delivery.
const READ_AHEAD: usize = 4;

/// Returns what reads all items, and the results. The first has to be polled beside whatever takes the results.
pub(crate) fn read_ahead<Item, Reading, Read>(
    items: Vec<Item>,
    read: impl Fn(Item) -> Read,
) -> (impl Future<Output = ()>, impl Stream<Item = Reading>)
where
    Read: Future<Output = Reading>,
{
    let slots = Arc::new(Semaphore::new(READ_AHEAD));
    let (results, taken) = mpsc::unbounded_channel();
    let reading = async move {
        let reads = stream::iter(items)
            .then(|item| {
                let slots = Arc::clone(&slots);
                async move { (item, slots.acquire_owned().await) }
            })
            .map(|(item, slot)| {
                let read = read(item);
                async move { (read.await, slot) }
            })
            .buffered(READ_AHEAD);
        let mut reads = std::pin::pin!(reads);
        while let Some(result) = reads.next().await {
            if results.send(result).is_err() {
                return;
            }
        }
    };
    // Taking a result frees its slot.
    let results = stream::unfold(taken, |mut taken| async {
        let (result, _slot) = taken.recv().await?;
        Some((result, taken))
    });
    (reading, results)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::sync::Mutex;
    use tokio::task::yield_now;
    use tokio::time::timeout;

    use super::*;

    /// Reads and deliveries of one tenant take turns. A read that is not polled would keep its turn.
    #[tokio::test(start_paused = true)]
    async fn a_delivery_can_wait_for_the_turn_of_a_read() {
        let turn = Mutex::new(());
        let (reading, results) = read_ahead((0..40).collect(), async |item: u32| {
            for _ in 0..3 {
                let held = turn.lock().await;
                yield_now().await;
                drop(held);
            }
            item
        });
        let delivering = async {
            let mut results = std::pin::pin!(results);
            let mut delivered = Vec::new();
            while let Some(item) = results.next().await {
                drop(turn.lock().await);
                delivered.push(item);
            }
            delivered
        };
        let all = async { tokio::join!(reading, delivering).1 };
        let delivered = timeout(Duration::from_secs(60), all).await.expect("no delivery waits for ever");
        assert_eq!(delivered, (0..40).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn only_some_results_wait_for_delivery() {
        let begun = Cell::new(0);
        let (reading, results) = read_ahead((0..40).collect(), async |item: u32| {
            begun.set(begun.get() + 1);
            item
        });
        let (mut reading, mut results) = (std::pin::pin!(reading.fuse()), std::pin::pin!(results));
        for taken in 0..40 {
            let _ = futures_util::poll!(&mut reading);
            assert_eq!(begun.get(), (taken + READ_AHEAD).min(40));
            assert_eq!(results.next().await, u32::try_from(taken).ok());
        }
        let _ = futures_util::poll!(&mut reading);
        assert_eq!(results.next().await, None);
    }
}
