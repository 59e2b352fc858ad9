//! Updates of live collections while a connection opens.

use entity_stream_client::{EntitiesItem, Filter, LoadedEntity};
use serde_json::json;
use tokio::sync::oneshot;

use crate::entities::{change, ids, of};
use crate::server::{Peer, Server, snapshot};

fn of_type(kind: &str) -> Filter {
    Filter::new([kind], None).unwrap()
}

fn rooms(ids: &[&str]) -> Vec<LoadedEntity> {
    let entities: Vec<_> = ids.iter().map(|id| json!({ "id": id, "type": "Room" })).collect();
    LoadedEntity::from_array(&json!(entities).to_string(), "/").unwrap()
}

#[tokio::test]
async fn an_update_during_the_first_snapshot_follows_it() {
    let server = Server::start().await;
    let mut entities = server.client().build().unwrap().entities(of_type("Room")).unwrap();
    let (updated, was_updated) = oneshot::channel::<()>();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        peer.send(&snapshot("urn:1", 1)).await;
        was_updated.await.unwrap();
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s", "snapshot": 1 })).await;
        let update = peer.message().await;
        assert_eq!(update["subscription"], "update-1");
        peer.send(&of("update-1", &snapshot("urn:2", 1))).await;
        peer.confirm(&update, json!({ "position": "06", "session": "s", "snapshot": 1 })).await;
        assert!(peer.closed().await);
    });
    assert_eq!(change(&mut entities).await, "+urn:1 Some(1)");
    entities.update(of_type("Hall")).unwrap();
    updated.send(()).unwrap();
    for expected in ["complete", "-urn:1", "+urn:2 Some(1)", "complete"] {
        assert_eq!(change(&mut entities).await, expected);
    }
    assert!(entities.is_complete());
    assert_eq!(ids(&entities), ["urn:2"]);
    entities.close().await;
    script.await.unwrap();
}

#[tokio::test]
async fn an_update_of_a_loaded_collection_follows_the_first_subscription() {
    let server = Server::start().await;
    let mut entities = server.client().build().unwrap().loaded_entities(of_type("Room")).unwrap();
    let (ask, asked) = oneshot::channel::<()>();
    let (updated, was_updated) = oneshot::channel::<()>();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        ask.send(()).unwrap();
        was_updated.await.unwrap();
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s" })).await;
        let update = peer.message().await;
        peer.confirm(&update, json!({ "position": "06", "session": "s" })).await;
        assert!(peer.closed().await);
    });
    tokio::select! {
        item = entities.try_next() => panic!("{item:?}"),
        asked = asked => asked.unwrap(),
    }
    entities.update(of_type("Hall")).unwrap();
    updated.send(()).unwrap();
    assert_eq!(change(&mut entities).await, "load");
    entities.load(rooms(&["urn:2"]));
    for expected in ["+urn:2 None", "complete"] {
        assert_eq!(change(&mut entities).await, expected);
    }
    entities.close().await;
    script.await.unwrap();
}

/// The connection opens without the update, cannot resume, and then the server refuses the new filter.
#[tokio::test]
async fn a_connection_that_opens_without_an_update_tells_nothing_about_it() {
    let server = Server::start().await;
    let mut entities = server.client().build().unwrap().loaded_entities(of_type("Room")).unwrap();
    let (connect, connecting) = oneshot::channel::<()>();
    let (updated, was_updated) = oneshot::channel::<()>();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed_with(json!({ "position": "05", "session": "s" })).await;
        peer.close(1001, "Going away").await;
        let stream = server.stream().await;
        connect.send(()).unwrap();
        was_updated.await.unwrap();
        let mut peer = Peer::accept(stream).await;
        peer.subscribed_with(json!({ "position": "20", "session": "s", "recovered": false, "reason": "expired" }))
            .await;
        let update = peer.message().await;
        assert_eq!(update["subscription"], "update-1");
        let refusal = json!({ "type": "error", "code": "invalid_q", "message": "q", "requestId": update["requestId"] });
        peer.send(&refusal).await;
        assert!(peer.closed().await);
    });
    assert_eq!(change(&mut entities).await, "load");
    entities.load(rooms(&["urn:1"]));
    for expected in ["+urn:1 None", "complete", "disconnected"] {
        assert_eq!(change(&mut entities).await, expected);
    }
    tokio::select! {
        item = entities.try_next() => panic!("{item:?}"),
        connecting = connecting => connecting.unwrap(),
    }
    entities.update(of_type("Hall")).unwrap();
    updated.send(()).unwrap();
    assert_eq!(change(&mut entities).await, "refused");
    assert_eq!(change(&mut entities).await, "load", "the former filter stays");
    entities.load(rooms(&["urn:1"]));
    assert_eq!(change(&mut entities).await, "complete");
    entities.close().await;
    script.await.unwrap();
}

/// The server closes the connection because of the message of an update.
#[tokio::test]
async fn a_collection_is_not_complete_after_a_close_that_refuses_its_update() {
    let server = Server::start().await;
    let client = server.client().build().unwrap();
    let mut entities = client.entities(of_type("Room")).unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        peer.send(&snapshot("urn:1", 1)).await;
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s", "snapshot": 1 })).await;
        peer.message().await;
        peer.close(1009, "Message too big").await;
        let mut peer = server.accept().await;
        peer.subscribed_with(json!({ "position": "05", "session": "s", "recovered": true, "replayed": 0 })).await;
        assert!(peer.closed().await);
    });
    assert_eq!(change(&mut entities).await, "+urn:1 Some(1)");
    assert_eq!(change(&mut entities).await, "complete");
    entities.update(of_type("Hall")).unwrap();
    assert!(matches!(entities.try_next().await, Ok(Some(EntitiesItem::UpdateRefused { .. }))));
    assert_eq!(change(&mut entities).await, "disconnected");
    assert!(!entities.is_complete());
    assert_eq!(change(&mut entities).await, "complete");
    assert!(entities.is_complete());
    entities.close().await;
    script.await.unwrap();
}

/// Two late events arrive in one frame. They do not tell what has changed.
#[tokio::test]
async fn one_load_is_for_all_events_that_have_arrived() {
    let server = Server::start().await;
    let mut entities = server.client().build().unwrap().loaded_entities(of_type("Room")).unwrap();
    let (loaded, was_loaded) = oneshot::channel::<()>();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed_with(json!({ "position": "05", "session": "s" })).await;
        was_loaded.await.unwrap();
        let late = |number: u64| {
            let id = format!("urn:{number}");
            let data = json!({ "a": 1 });
            json!({ "type": "entityUpdated", "id": id, "tenant": "demo", "servicePath": "/", "entityId": id,
                "entityType": "Room", "data": data, "timestamp": "2026-01-02T03:04:05Z", "version": number, "late": true })
        };
        peer.send(&json!({ "type": "events", "events": [late(1), late(2), late(3)] })).await;
        assert!(peer.closed().await);
    });
    assert_eq!(change(&mut entities).await, "load");
    entities.load(rooms(&["urn:1"]));
    for expected in ["+urn:1 None", "complete"] {
        assert_eq!(change(&mut entities).await, expected);
    }
    loaded.send(()).unwrap();
    assert_eq!(change(&mut entities).await, "load");
    entities.load(rooms(&["urn:1", "urn:2", "urn:3"]));
    for expected in ["urn:1 None to Some(1)", "+urn:2 Some(2)", "+urn:3 Some(3)", "complete"] {
        assert_eq!(change(&mut entities).await, expected);
    }
    assert!(entities.is_complete());
    entities.close().await;
    script.await.unwrap();
}
