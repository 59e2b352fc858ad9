use std::time::Duration;

use entity_stream_history::Epoch;

use crate::support::{HOUR, Item, TestHistory, after, start, string};

#[tokio::test]
async fn an_epoch_begins_five_minutes_after_the_first_event() {
    let t = TestHistory::create().await;
    assert_eq!(t.table.epoch().await.unwrap(), None);

    t.table.begin_epoch(start()).await.unwrap();

    let epoch = Epoch { since: after(300), retention: HOUR };
    assert_eq!(t.table.epoch().await.unwrap(), Some(epoch));
    assert!(!epoch.covers(after(299)));
    assert!(epoch.covers(after(300)));
    t.table.begin_epoch(after(1000)).await.unwrap();
    assert_eq!(t.table.epoch().await.unwrap(), Some(epoch), "it has begun");
}

#[tokio::test]
async fn a_history_that_is_whole_from_the_beginning_says_so() {
    let t = TestHistory::create().await;
    t.table.begin_epoch_at(start()).await.unwrap();
    assert_eq!(t.table.epoch().await.unwrap(), Some(Epoch { since: start(), retention: HOUR }));
}

/// Events of before are deleted sooner than the new retention says.
#[tokio::test]
async fn a_longer_retention_begins_a_new_epoch() {
    let t = TestHistory::create().await;
    t.table.begin_epoch(start()).await.unwrap();
    let longer = t.keeping(2 * HOUR);
    assert_eq!(longer.epoch().await.unwrap(), Some(Epoch { since: after(300), retention: HOUR }), "not yet");

    longer.begin_epoch(after(5000)).await.unwrap();

    let epoch = Some(Epoch { since: after(5300), retention: 2 * HOUR });
    assert_eq!(longer.epoch().await.unwrap(), epoch);
    longer.begin_epoch(after(6000)).await.unwrap();
    assert_eq!(longer.epoch().await.unwrap(), epoch);
}

#[tokio::test]
async fn a_shorter_retention_counts_at_once_and_begins_a_new_epoch() {
    let t = TestHistory::create().await;
    t.table.begin_epoch(start()).await.unwrap();
    let shorter = t.keeping(HOUR / 2);
    assert_eq!(shorter.epoch().await.unwrap(), Some(Epoch { since: after(300), retention: HOUR / 2 }));

    shorter.begin_epoch(after(5000)).await.unwrap();

    let epoch = Some(Epoch { since: after(5300), retention: HOUR / 2 });
    assert_eq!(shorter.epoch().await.unwrap(), epoch);
    // An instance of the former deployment promises no more than is kept.
    assert_eq!(t.table.epoch().await.unwrap(), epoch);
}

#[tokio::test]
async fn an_epoch_that_ended_begins_anew() {
    let t = TestHistory::named_only();
    t.table.end_epoch().await.unwrap();
    t.table.create_if_missing().await.unwrap();
    t.table.end_epoch().await.unwrap();
    t.table.begin_epoch(start()).await.unwrap();

    t.table.end_epoch().await.unwrap();

    assert_eq!(t.table.epoch().await.unwrap(), None);
    t.table.begin_epoch(after(1000)).await.unwrap();
    assert_eq!(t.table.epoch().await.unwrap(), Some(Epoch { since: after(1300), retention: HOUR }));
}

#[tokio::test]
async fn an_item_that_is_no_epoch_promises_nothing() {
    for attribute in ["since", "retention", "other"] {
        let t = TestHistory::create().await;
        let key = |name: &str| (name.to_owned(), string("E"));
        t.put(Item::from([key("pk"), key("sk"), (attribute.to_owned(), string("soon"))])).await;
        assert_eq!(t.table.epoch().await.unwrap(), None, "{attribute}");
    }
}

#[tokio::test]
async fn one_of_several_instances_begins_the_epoch() {
    let t = TestHistory::create().await;
    let begin = |seconds: u64| {
        let table = t.table.clone();
        async move { table.begin_epoch(start().plus(Duration::from_secs(seconds))).await }
    };
    let all = tokio::join!(begin(0), begin(1), begin(2), begin(3));
    assert!(all.0.and(all.1).and(all.2).and(all.3).is_ok());
    let since = t.table.epoch().await.unwrap().unwrap().since;
    assert!((300..304).any(|seconds| since == after(seconds)), "{since:?}");
}
