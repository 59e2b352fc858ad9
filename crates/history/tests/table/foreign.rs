use entity_stream_history::HistoryError;
use entity_stream_protocol::Position;

use crate::support::{Item, MUCH, TestHistory, after, number, start, string, tenant, text};

/// The key of an item among the events of the tenant.
fn beside(event: &Item, sk: &str) -> Item {
    Item::from([("pk".to_owned(), event["pk"].clone()), ("sk".to_owned(), string(sk))])
}

/// A client must not be told that it missed nothing.
#[tokio::test]
async fn an_item_that_is_no_event_fails_the_read() {
    let place = |salt: u64| Position::new(after(1), salt).to_string();
    for (sk, name, value) in [
        (place(1), "d", string("no JSON")),
        (place(2), "d", string(r#"{"type":"entityUpdated"}"#)),
        (place(3), "d", number(7)),
        (place(4), "i", number(7)),
        (place(5), "t", number(7)),
        (format!("{}-newer", place(6)), "v", number(7)),
    ] {
        let t = TestHistory::create().await;
        t.record_id("one", "urn:a", after(1)).await;
        let mut item = t.items().await.remove(0);
        item.extend(beside(&item, &sk));
        item.insert(name.to_owned(), value);
        t.put(item).await;
        for now in [2, 2000] {
            let read = t.reader().read(&tenant("demo"), start(), after(now), MUCH).await;
            assert!(matches!(read, Err(HistoryError::Unreadable)), "{sk} {name}: {read:?}");
        }
        assert_eq!(t.ids_since(after(2), after(3)).await, [""; 0], "a read of another time");
    }
}

#[tokio::test]
async fn further_attributes_are_ignored() {
    let t = TestHistory::create().await;
    t.record_id("one", "urn:a", after(1)).await;
    let mut item = t.items().await.remove(0);
    item.insert("v".to_owned(), number(7));
    item.insert("previous".to_owned(), string("{}"));
    t.put(item).await;
    assert_eq!(t.ids_since(start(), after(2)).await, ["one"]);
}

#[tokio::test]
async fn the_epoch_is_no_event() {
    let t = TestHistory::create().await;
    t.table.begin_epoch(start()).await.unwrap();
    let item = t.items().await.remove(0);
    assert_eq!((text(&item, "pk"), text(&item, "sk")), ("E".to_owned(), "E".to_owned()));
    assert_eq!(t.ids_since(start(), after(2)).await, [""; 0]);
}
