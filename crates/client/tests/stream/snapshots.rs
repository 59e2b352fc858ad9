//! Streams that begin with a snapshot.

use entity_stream_client::{ClientError, ErrorCode, Filter, GroupId, NotRecovered, StreamItem, SubscriptionName};
use serde_json::json;

use crate::server::{Server, event_at, snapshot};
use crate::{ended, event_id, next, subscribed};

#[tokio::test]
async fn a_stream_begins_with_a_snapshot_in_parts_and_again_if_it_has_not_recovered() {
    let server = Server::start().await;
    let builder = server.client().filter(Filter::new(["Room"], None).unwrap()).snapshots([SubscriptionName::DEFAULT]);
    let mut stream = builder.connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        assert_eq!(subscribe["snapshot"], true);
        let entities = [snapshot("urn:1", 1), snapshot("urn:2", 1)];
        peer.send(&json!({ "type": "events", "events": entities })).await;
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s", "snapshot": 2, "snapshotNext": "abc" }))
            .await;
        let next = peer.message().await;
        assert_eq!(next, json!({ "action": "snapshot", "next": "abc", "requestId": next["requestId"] }));
        peer.send(&event_at("1", "06", false)).await;
        peer.send(&snapshot("urn:3", 1)).await;
        peer.send(&json!({ "type": "snapshot", "snapshot": 1, "requestId": next["requestId"] })).await;
        peer.close(1001, "Going away").await;

        let mut peer = server.accept().await;
        let subscribe = peer.message().await;
        assert_eq!((&subscribe["snapshot"], &subscribe["since"]["position"]), (&json!(true), &json!("05")));
        peer.send(&snapshot("urn:1", 1)).await;
        let expired =
            json!({ "position": "09", "session": "s", "recovered": false, "reason": "expired", "snapshot": 1 });
        peer.confirm(&subscribe, expired).await;
        peer
    });
    assert!(matches!(next(&mut stream).await, StreamItem::Connected));
    for id in ["urn:1", "urn:2"] {
        let item = next(&mut stream).await;
        let StreamItem::Snapshot(entity) = item else { panic!("{item:?}") };
        assert_eq!((&*entity.message().entity_id, entity.message().version), (id, Some(1)));
    }
    assert!(matches!(next(&mut stream).await, StreamItem::Subscribed { .. }));
    assert!(stream.bookmark().is_none());
    assert_eq!(event_id(&mut stream).await, "1");
    assert!(matches!(next(&mut stream).await, StreamItem::Snapshot(_)));
    let item = next(&mut stream).await;
    let StreamItem::SnapshotComplete { subscriptions, entities: 3 } = item else { panic!("{item:?}") };
    assert_eq!(subscriptions, [SubscriptionName::DEFAULT]);
    assert_eq!(stream.bookmark().unwrap().position.as_str(), "05");

    assert!(matches!(next(&mut stream).await, StreamItem::Disconnected { was_subscribed: true, .. }));
    assert!(matches!(next(&mut stream).await, StreamItem::Connected));
    assert!(matches!(next(&mut stream).await, StreamItem::Snapshot(_)), "it is no repeat");
    assert!(matches!(next(&mut stream).await, StreamItem::Subscribed { .. }));
    assert!(matches!(next(&mut stream).await, StreamItem::NotRecovered { reason: NotRecovered::Expired, .. }));
    assert!(matches!(next(&mut stream).await, StreamItem::SnapshotComplete { entities: 1, .. }));
    assert_eq!((stream.repeats(), stream.bookmark().unwrap().position.as_str()), (0, "09"));
    script.await.unwrap();
}

#[tokio::test]
async fn a_subscription_can_begin_with_a_snapshot_later() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let rooms = || entity_stream_client::Subscription {
        name: "rooms".parse().unwrap(),
        ..Filter::new(["Room"], None).unwrap().into()
    };
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed().await;
        let subscribe = peer.message().await;
        assert_eq!((&subscribe["subscription"], &subscribe["snapshot"]), (&json!("rooms"), &json!(true)));
        peer.send(&snapshot("urn:1", 1)).await;
        peer.confirm(&subscribe, json!({ "snapshot": 1 })).await;
        peer
    });
    subscribed(&mut stream).await;
    stream.subscribe_with_snapshot([rooms()]).unwrap();
    assert!(matches!(next(&mut stream).await, StreamItem::Snapshot(_)));
    assert!(matches!(next(&mut stream).await, StreamItem::Accepted(_)));
    assert!(matches!(next(&mut stream).await, StreamItem::SnapshotComplete { entities: 1, .. }));
    script.await.unwrap();
}

#[tokio::test]
async fn a_service_without_entity_state_ends_a_stream_that_wants_a_snapshot() {
    let server = Server::start().await;
    let mut stream = server.client().snapshots([SubscriptionName::DEFAULT]).connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        let id = peer.message().await["requestId"].clone();
        peer.send(&json!({ "type": "error", "code": "not_available", "message": "no state", "requestId": id })).await;
        assert!(peer.closed().await);
    });
    let error = ended(&mut stream).await;
    assert!(matches!(error, ClientError::Rejected { code: ErrorCode::NotAvailable, .. }), "{error:?}");
    stream.close().await;
    script.await.unwrap();
}

#[tokio::test]
async fn a_snapshot_needs_its_subscription_and_is_not_for_a_group() {
    let server = Server::start().await;
    let missing = server.client().snapshots(["map".parse().unwrap()]).build().unwrap_err();
    assert_eq!(missing.to_string(), "there is no subscription with the name `map`");
    let member = || server.client().group(GroupId::parse("workers").unwrap());
    let refused = member().snapshots([SubscriptionName::DEFAULT]).build().unwrap_err();
    assert!(matches!(refused, ClientError::SnapshotInGroup), "{refused:?}");
    let refused = member().build().unwrap().entities(Filter::default()).unwrap_err();
    assert!(matches!(refused, ClientError::SnapshotInGroup), "{refused:?}");
}
