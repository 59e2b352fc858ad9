//! Live collections.

use entity_stream_client::{Entities, EntitiesItem, Filter, FilterFields, Representation, Since, Subscription, View};
use serde_json::{Value, json};

use crate::server::{Server, event_at, snapshot};

async fn next(entities: &mut Entities) -> EntitiesItem {
    entities.try_next().await.unwrap().expect("the collection goes on")
}

/// The next change, in short.
async fn change(entities: &mut Entities) -> String {
    match next(entities).await {
        EntitiesItem::Added(entity) => format!("+{} {:?}", entity.id(), entity.version()),
        EntitiesItem::Updated { before, after } => {
            format!("{} {:?} to {:?}", after.id(), before.version(), after.version())
        }
        EntitiesItem::Removed(entity) => format!("-{}", entity.id()),
        EntitiesItem::Complete => "complete".to_owned(),
        EntitiesItem::Disconnected { .. } => "disconnected".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn ids(entities: &Entities) -> Vec<&str> {
    entities.iter().map(|entity| entity.id()).collect()
}

fn changed(kind: &str, id: &str, entity: &str, version: u64, position: &str) -> Value {
    let mut event = event_at(id, position, false);
    (event["type"], event["entityId"], event["version"]) = (json!(kind), json!(entity), json!(version));
    event
}

#[tokio::test]
async fn a_collection_is_filled_by_snapshots_and_kept_up_to_date_by_events() {
    let server = Server::start().await;
    let client = server.client().since(Since::Seconds { seconds: 30 }).build().unwrap();
    let fields = FilterFields {
        entity_types: vec!["Room".to_owned()],
        notification_trigger: vec!["entityCreated".to_owned()],
        ..FilterFields::default()
    };
    let mut rooms = client.entities(fields.check().unwrap()).unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        let expected = json!({ "action": "subscribe", "entityTypes": ["Room"], "wholeEntity": true, "snapshot": true,
            "requestId": subscribe["requestId"] });
        assert_eq!(subscribe, expected);
        peer.send(&changed("entityUpdated", "1", "urn:2", 5, "04")).await;
        for (id, version) in [("urn:1", 7), ("urn:2", 4), ("urn:3", 1)] {
            peer.send(&snapshot(id, version)).await;
        }
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s", "snapshot": 3 })).await;
        peer.send(&changed("entityUpdated", "2", "urn:1", 6, "06")).await;
        peer.send(&changed("entityLeft", "3", "urn:3", 2, "07")).await;
        peer.close(1001, "Going away").await;

        // It resumes.
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        assert_eq!(subscribe["since"]["position"], "07");
        peer.send(&changed("entityDeleted", "4", "urn:1", 9, "08")).await;
        peer.send(&changed("entityCreated", "5", "urn:4", 1, "09")).await;
        peer.confirm(&subscribe, json!({ "position": "09", "session": "s", "recovered": true, "replayed": 2 })).await;
        peer.close(1001, "Going away").await;

        // It cannot resume.
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        peer.send(&snapshot("urn:4", 1)).await;
        let expired =
            json!({ "position": "20", "session": "s", "recovered": false, "reason": "expired", "snapshot": 1 });
        peer.confirm(&subscribe, expired).await;
        assert!(peer.closed().await);
    });
    for expected in ["+urn:2 Some(5)", "+urn:1 Some(7)", "+urn:3 Some(1)"] {
        assert!(!rooms.is_complete());
        assert_eq!(change(&mut rooms).await, expected);
    }
    assert_eq!(change(&mut rooms).await, "complete");
    assert!(rooms.is_complete());
    assert_eq!(ids(&rooms), ["urn:1", "urn:2", "urn:3"]);
    assert_eq!(change(&mut rooms).await, "-urn:3");
    assert_eq!(change(&mut rooms).await, "disconnected");
    assert!(!rooms.is_complete() && rooms.len() == 2);
    for expected in ["-urn:1", "+urn:4 Some(1)", "complete", "disconnected", "-urn:2", "complete"] {
        assert_eq!(change(&mut rooms).await, expected);
    }
    assert_eq!(ids(&rooms), ["urn:4"]);
    assert_eq!(rooms.with_id("urn:4").next().unwrap().attribute("co2").unwrap().get(), "1");
    rooms.close().await;
    script.await.unwrap();
}

#[tokio::test]
async fn a_collection_can_have_a_name_and_a_view() {
    let server = Server::start().await;
    let view = View::new(["speed"], Representation::KeyValues).unwrap();
    let map = Subscription::new("map".parse().unwrap(), Filter::default(), view).unwrap();
    let mut map = server.client().build().unwrap().entities(map).unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        let expected = json!({ "action": "subscribe", "subscription": "map", "attributes": ["speed"],
            "representation": "keyValues", "wholeEntity": true, "snapshot": true, "requestId": subscribe["requestId"] });
        assert_eq!(subscribe, expected);
        peer.confirm(&subscribe, json!({ "snapshot": 0 })).await;
        peer
    });
    assert_eq!(change(&mut map).await, "complete");
    assert!(map.is_empty());
    script.await.unwrap();
}
