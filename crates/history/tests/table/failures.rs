use entity_stream_history::HistoryError;

use crate::support::{MUCH, TestHistory, after, event, start, tenant};

/// A table that does not exist refuses everything.
#[tokio::test]
async fn a_failed_write_says_so_for_each_event() {
    let t = TestHistory::named_only();
    let events: Vec<_> = (0..30).map(|n| event(&format!("e{n}"), "demo", "urn:a")).collect();
    for count in [1, 2, 30] {
        let events: Vec<_> = events[..count].iter().collect();
        let written = t.table.record(&events, start()).await;
        assert_eq!(written.len(), count);
        for result in written {
            assert!(matches!(result, Err(HistoryError::Dynamo { .. })), "{result:?}");
        }
    }
}

#[tokio::test]
async fn a_failed_read_is_no_empty_history() {
    let t = TestHistory::named_only();
    for now in [1, 1000] {
        let read = t.reader().read(&tenant("demo"), start(), after(now), MUCH).await;
        assert!(matches!(read, Err(HistoryError::Dynamo { operation: "Query", .. })), "{read:?}");
    }
    let epoch = t.table.epoch().await;
    assert!(matches!(epoch, Err(HistoryError::Dynamo { operation: "GetItem", .. })), "{epoch:?}");
    let begin = t.table.begin_epoch(start()).await;
    assert!(matches!(begin, Err(HistoryError::Dynamo { operation: "PutItem", .. })), "{begin:?}");
}

#[tokio::test]
async fn a_slice_whose_read_failed_is_not_kept() {
    let t = TestHistory::named_only();
    let reader = t.reader();
    assert!(reader.read(&tenant("demo"), start(), after(1000), MUCH).await.is_err());
    t.table.create_if_missing().await.unwrap();
    t.record_id("one", "urn:a", after(1)).await;
    let past = reader.read(&tenant("demo"), start(), after(1000), MUCH).await.unwrap();
    assert_eq!(past.events.len(), 1);
}

#[tokio::test]
async fn a_slice_of_a_read_that_was_too_much_is_no_part() {
    let t = TestHistory::create().await;
    for number in 0..10 {
        t.record_id(&format!("e{number}"), "urn:a", after(number)).await;
    }
    let reader = t.reader();
    let read = reader.read(&tenant("demo"), start(), after(1000), 300).await;
    assert!(matches!(read, Err(HistoryError::TooMuch)), "{read:?}");
    let past = reader.read(&tenant("demo"), start(), after(1000), MUCH).await.unwrap();
    assert_eq!(past.events.len(), 10);
}
