use std::time::Duration;

use entity_stream_history::HistoryError;
use entity_stream_protocol::limits::HISTORY_BYTES;
use serde_json::json;

use crate::support::{MUCH, TestHistory, after, event_with, start, tenant};

const DATA: usize = 120_000;

async fn filled(bytes: usize) -> TestHistory {
    let t = TestHistory::create().await;
    let data = json!({ "text": "x".repeat(DATA) });
    let count = bytes / DATA + 1;
    let events: Vec<_> = (0..count).map(|n| event_with(&format!("e{n}"), "demo", &format!("urn:{n}"), &data)).collect();
    for (number, events) in events.chunks(25).enumerate() {
        let events: Vec<_> = events.iter().collect();
        let at = start().plus(Duration::from_millis(number as u64));
        assert!(t.table.record(&events, at).await.iter().all(Result::is_ok));
    }
    t
}

#[tokio::test]
async fn a_read_of_more_than_its_bound_fails_and_never_returns_a_part() {
    let t = filled(1_200_000).await;
    let read = async |now, most| t.reader().read(&tenant("demo"), start(), after(now), most).await;
    for now in [1, 1000] {
        assert_eq!(read(now, 1_400_000).await.unwrap().events.len(), 11);
        assert!(matches!(read(now, 1_200_000).await, Err(HistoryError::TooMuch)), "after {now} s");
        assert!(matches!(read(now, 0).await, Err(HistoryError::TooMuch)), "after {now} s");
    }
    assert!(t.reader().read(&tenant("other"), start(), after(1), 0).await.unwrap().events.is_empty());
}

#[tokio::test]
async fn no_read_takes_more_than_16_mb() {
    let t = filled(HISTORY_BYTES).await;
    let all = t.reader().read(&tenant("demo"), start(), after(1), MUCH).await;
    // Five seconds are a bound as well, and a busy machine may need longer for so much.
    assert!(matches!(all, Err(HistoryError::TooMuch | HistoryError::TimedOut { .. })), "{all:?}");
    let most = t.reader().read(&tenant("demo"), start().plus(Duration::from_millis(3)), after(1), MUCH).await;
    assert_eq!(most.unwrap().events.len(), HISTORY_BYTES / DATA + 1 - 75);
}
