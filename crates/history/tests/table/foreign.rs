use entity_stream_protocol::Position;

use crate::support::{Item, TestHistory, after, number, start, string, text};

/// The key of an item among the events of the tenant.
fn beside(event: &Item, sk: &str) -> Item {
    Item::from([("pk".to_owned(), event["pk"].clone()), ("sk".to_owned(), string(sk))])
}

#[tokio::test]
async fn items_that_are_no_events_are_passed_over() {
    let t = TestHistory::create().await;
    t.record_id("one", "urn:a", after(1)).await;
    let event = t.items().await.remove(0);
    let place = |salt: u64| Position::new(after(1), salt).to_string();
    t.put(beside(&event, &place(1))).await;
    for (salt, name, value) in [
        (2, "d", string("no JSON")),
        (3, "d", string(r#"{"type":"entityUpdated"}"#)),
        (4, "d", number(7)),
        (5, "i", number(7)),
        (6, "t", number(7)),
    ] {
        let mut item = event.clone();
        item.extend(beside(&event, &place(salt)));
        item.insert(name.to_owned(), value);
        t.put(item).await;
    }
    let mut newer = event.clone();
    newer.extend(beside(&event, &format!("{}-newer", place(7))));
    t.put(newer).await;

    assert_eq!(t.ids_since(start(), after(2)).await, ["one"]);
    assert_eq!(t.ids_since(start(), after(2000)).await, ["one"]);
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
