use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use entity_stream_publisher::{Batch, BusEntry, InFlight};

use crate::scripted::{Answer, ScriptedBus, entries};

fn batch(entries: impl IntoIterator<Item = BusEntry>) -> Batch {
    let mut batch = Batch::default();
    for entry in entries {
        batch.push(entry).unwrap();
    }
    batch
}

async fn publish_all(bus: &ScriptedBus, limit: usize) -> Vec<String> {
    let mut in_flight = InFlight::new(bus.publisher(), NonZeroUsize::new(limit).unwrap(), Duration::from_secs(60));
    let mut settled = Vec::new();
    for entries in entries(60).chunks(3) {
        settled.extend(in_flight.send(batch(entries.iter().cloned())).await);
    }
    while !in_flight.is_idle() {
        settled.extend(in_flight.next().await);
    }
    settled.into_iter().map(|(entry, result)| format!("{} {}", entry.detail(), result.is_ok())).collect()
}

#[tokio::test]
async fn one_batch_at_a_time_keeps_the_order() {
    let bus = ScriptedBus::willing().await;
    let settled = publish_all(&bus, 1).await;
    assert_eq!(settled, (0..60).map(|number| format!("{number} true")).collect::<Vec<_>>());
    assert_eq!(bus.details().concat(), (0..60).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_entry_of_concurrent_batches_is_returned_once_with_its_own_result() {
    let bus = ScriptedBus::start(|_, details| {
        Answer::Entries(details.iter().map(|detail| detail.ends_with('7').then_some("MalformedDetail")).collect())
    })
    .await;
    let settled = publish_all(&bus, 8).await;
    let expected: HashSet<_> = (0..60).map(|number| format!("{number} {}", number % 10 != 7)).collect();
    assert_eq!(settled.len(), 60);
    assert_eq!(settled.into_iter().collect::<HashSet<_>>(), expected);
    assert_eq!(bus.details().len(), 20);
}
