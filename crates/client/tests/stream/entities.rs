//! Live collections.

use entity_stream_client::{
    Entities, EntitiesItem, Filter, FilterFields, LoadedEntity, Representation, Since, Subscription, View,
};
use serde_json::{Value, json};

use crate::server::{Server, event_at, snapshot};

async fn next(entities: &mut Entities) -> EntitiesItem {
    entities.try_next().await.unwrap().expect("the collection goes on")
}

/// The next change, in short.
pub(crate) async fn change(entities: &mut Entities) -> String {
    match next(entities).await {
        EntitiesItem::Added(entity) => format!("+{} {:?}", entity.id(), entity.version()),
        EntitiesItem::Updated { before, after } => {
            format!("{} {:?} to {:?}", after.id(), before.version(), after.version())
        }
        EntitiesItem::Removed(entity) => format!("-{}", entity.id()),
        EntitiesItem::Complete => "complete".to_owned(),
        EntitiesItem::Disconnected { .. } => "disconnected".to_owned(),
        EntitiesItem::LoadNeeded => "load".to_owned(),
        EntitiesItem::UpdateRefused { .. } => "refused".to_owned(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ids(entities: &Entities) -> Vec<&str> {
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

pub(crate) fn of(subscription: &str, event: &Value) -> Value {
    let mut event = event.clone();
    event["subscriptions"] = json!([subscription]);
    event
}

#[tokio::test]
async fn a_collection_keeps_its_entities_until_an_update_is_complete() {
    let server = Server::start().await;
    let client = server.client().build().unwrap();
    let mut rooms = client.entities(Filter::new(["Room"], None).unwrap()).unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        peer.send(&snapshot("urn:1", 1)).await;
        peer.send(&snapshot("urn:2", 1)).await;
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s", "snapshot": 2 })).await;

        // The new subscription is beside the old one until its snapshot is complete.
        let update = peer.message().await;
        assert_eq!(
            (&update["subscription"], &update["entityTypes"], &update["snapshot"]),
            (&json!("update-1"), &json!(["Hall"]), &json!(true))
        );
        peer.send(&of("update-1", &snapshot("urn:2", 2))).await;
        peer.send(&of("", &changed("entityUpdated", "1", "urn:1", 2, "06"))).await;
        let part = json!({ "position": "06", "session": "s", "snapshot": 1, "snapshotNext": "a" });
        peer.confirm(&update, part).await;
        let next = peer.message().await;
        // Both subscriptions have this change, each in its own view.
        peer.send(&of("", &changed("entityUpdated", "2", "urn:2", 3, "07"))).await;
        peer.send(&of("update-1", &changed("entityUpdated", "2", "urn:2", 3, "07"))).await;
        peer.send(&of("update-1", &snapshot("urn:3", 1))).await;
        peer.send(&json!({ "type": "snapshot", "snapshot": 1, "requestId": next["requestId"] })).await;
        let remove = peer.message().await;
        assert_eq!((&remove["action"], remove.get("subscription")), (&json!("unsubscribe"), None));
        peer.send(&json!({ "type": "unsubscribed", "requestId": remove["requestId"] })).await;

        // A refused filter changes nothing.
        let update = peer.message().await;
        assert_eq!(update["subscription"], "update-2");
        let refusal = json!({ "type": "error", "code": "invalid_q", "message": "q", "requestId": update["requestId"] });
        peer.send(&refusal).await;
        peer.send(&of("update-1", &changed("entityDeleted", "4", "urn:2", 4, "08"))).await;
        assert!(peer.closed().await);
    });
    for expected in ["+urn:1 Some(1)", "+urn:2 Some(1)", "complete"] {
        assert_eq!(change(&mut rooms).await, expected);
    }
    rooms.update(Filter::new(["Hall"], None).unwrap()).unwrap();
    for expected in ["urn:1 Some(1) to Some(2)", "urn:2 Some(1) to Some(3)"] {
        assert_eq!(change(&mut rooms).await, expected, "the former filter is in force");
    }
    for expected in ["-urn:1", "+urn:3 Some(1)", "complete"] {
        assert_eq!(change(&mut rooms).await, expected);
    }
    assert_eq!(ids(&rooms), ["urn:2", "urn:3"]);
    rooms.update(Filter::new(["Room"], None).unwrap()).unwrap();
    assert_eq!(change(&mut rooms).await, "refused");
    assert_eq!(change(&mut rooms).await, "-urn:2");
    rooms.close().await;
    script.await.unwrap();
}

#[tokio::test]
async fn a_program_can_load_the_entities_without_a_gap() {
    let server = Server::start().await;
    let client = server.client().build().unwrap();
    let mut rooms = client.loaded_entities(Filter::new(["Room"], None).unwrap()).unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        assert_eq!((subscribe.get("snapshot"), subscribe.get("wholeEntity")), (None, None));
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s" })).await;
        peer.send(&changed("entityUpdated", "1", "urn:2", 5, "06")).await;
        peer.send(&changed("entityDeleted", "2", "urn:3", 2, "07")).await;
        peer.close(1001, "Going away").await;

        // It resumes: nothing has to be loaded.
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        peer.send(&changed("entityDeleted", "3", "urn:1", 9, "08")).await;
        peer.confirm(&subscribe, json!({ "position": "09", "session": "s", "recovered": true, "replayed": 1 })).await;
        peer.close(1001, "Going away").await;

        // It cannot resume.
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        let expired = json!({ "position": "20", "session": "s", "recovered": false, "reason": "expired" });
        peer.confirm(&subscribe, expired).await;
        assert!(peer.closed().await);
    });
    assert_eq!(change(&mut rooms).await, "load");
    assert_eq!(change(&mut rooms).await, "+urn:2 Some(5)");
    assert_eq!(change(&mut rooms).await, "disconnected");
    // The broker was read before the events.
    let entities = |ids: &[&str]| {
        let entities: Vec<_> = ids.iter().map(|id| json!({ "id": id, "type": "Room", "n": 1 })).collect();
        LoadedEntity::from_array(&json!(entities).to_string(), "/").unwrap()
    };
    rooms.load(entities(&["urn:1", "urn:2", "urn:3"]));
    assert!(!rooms.is_complete(), "it is not connected");
    let changes = ["+urn:1 None", "urn:2 Some(5) to Some(5)", "-urn:1", "complete", "disconnected", "load"];
    for expected in changes {
        assert_eq!(change(&mut rooms).await, expected);
    }
    assert_eq!(ids(&rooms), ["urn:2"]);
    rooms.load(entities(&["urn:4"]));
    rooms.load(entities(&["urn:5"]));
    for expected in ["+urn:4 None", "-urn:2", "complete"] {
        assert_eq!(change(&mut rooms).await, expected);
    }
    rooms.close().await;
    script.await.unwrap();
}

/// The update comes while the first `subscribe` is under way, and the server then refuses its filter.
#[tokio::test]
async fn an_update_counts_when_the_server_accepts_it() {
    let server = Server::start().await;
    let client = server.client().build().unwrap();
    let mut rooms = client.loaded_entities(Filter::new(["Room"], None).unwrap()).unwrap();
    let (ask, asked) = tokio::sync::oneshot::channel();
    let (answer, answered) = tokio::sync::oneshot::channel::<()>();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        ask.send(()).unwrap();
        answered.await.unwrap();
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s" })).await;
        let update = peer.message().await;
        let refusal = json!({ "type": "error", "code": "invalid_q", "message": "q", "requestId": update["requestId"] });
        peer.send(&refusal).await;
        assert!(peer.closed().await);
    });
    tokio::select! {
        item = rooms.try_next() => panic!("{item:?}"),
        asked = asked => asked.unwrap(),
    }
    rooms.update(Filter::new(["Hall"], None).unwrap()).unwrap();
    answer.send(()).unwrap();
    assert_eq!(change(&mut rooms).await, "refused");
    assert_eq!(change(&mut rooms).await, "load", "the former filter stays");
    rooms.load([]);
    assert_eq!(change(&mut rooms).await, "complete");
    rooms.close().await;
    script.await.unwrap();
}
