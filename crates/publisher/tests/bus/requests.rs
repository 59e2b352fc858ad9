use entity_stream_publisher::PublishError;
use entity_stream_publisher::limits::{ENTRY_BYTES, REQUEST_BYTES};

use crate::scripted::{Answer, ScriptedBus, client, distant, entries, entry};

#[tokio::test]
async fn entries_are_sent_in_requests_of_ten_in_their_order() {
    let bus = ScriptedBus::willing().await;
    let results = bus.publisher().publish(&entries(25), distant()).await;
    assert_eq!(results.len(), 25);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(bus.details().iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(bus.details().concat(), (0..25).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn each_entry_gets_the_id_that_the_bus_gave_it() {
    let bus = ScriptedBus::willing().await;
    let results = bus.publisher().publish(&entries(3), distant()).await;
    assert_eq!(results, ["id-0", "id-1", "id-2"].map(|id| Ok(id.to_owned())));
}

#[tokio::test]
async fn an_entry_carries_source_detail_type_and_bus() {
    let bus = ScriptedBus::willing().await;
    bus.publisher().publish(&entries(1), distant()).await;
    let sent = bus.requests().concat();
    assert_eq!((&sent[0]["Source"], &sent[0]["DetailType"]), (&"test".into(), &"entity.changed".into()));
    assert_eq!(sent[0]["EventBusName"], "city");
    entity_stream_publisher::Publisher::to_default_bus(client(&bus.url)).publish(&entries(1), distant()).await;
    assert!(bus.requests().concat()[1].get("EventBusName").is_none());
}

#[tokio::test]
async fn large_entries_share_no_request() {
    let bus = ScriptedBus::willing().await;
    let half = entry("x".repeat(REQUEST_BYTES / 2));
    let results = bus.publisher().publish(&[half.clone(), half], distant()).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(bus.details().len(), 2);
}

#[tokio::test]
async fn an_entry_over_the_limit_is_not_sent_and_the_others_are() {
    let bus = ScriptedBus::willing().await;
    let huge = entry("x".repeat(ENTRY_BYTES));
    let bytes = huge.size();
    let results = bus.publisher().publish(&[entry("0"), huge, entry("2")], distant()).await;
    assert_eq!(results[1], Err(PublishError::TooLarge { bytes }));
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!(bus.details(), [["0", "2"]]);
}

#[tokio::test]
async fn without_entries_nothing_is_sent() {
    let bus = ScriptedBus::start(|_, _| Answer::Error(500, "")).await;
    assert!(bus.publisher().publish(&entries(0), distant()).await.is_empty());
    assert!(bus.details().is_empty());
}
