use entity_stream_protocol::{Filter, NotRecovered, ServerMessage, SubscriptionName, View};
use serde_json::{Value, json};

use super::*;
use crate::event::ReceivedEvent;
use crate::subscription_request::SubscriptionRequest;

mod any_order;
mod parts;

fn rooms() -> Subscription {
    Subscription { name: "rooms".parse().unwrap(), filter: Filter::new(["Room"], None).unwrap(), view: View::default() }
}

fn name() -> SubscriptionName {
    rooms().name
}

fn received(entity: usize, more: &Value) -> Box<ReceivedEvent> {
    let mut message = json!({ "type": "entityUpdated", "id": "1", "tenant": "demo", "servicePath": "/",
        "entityId": format!("urn:{entity}"), "entityType": "Room", "data": { "n": 1 },
        "timestamp": "2026-01-02T03:04:05Z", "subscriptions": ["rooms"], "version": 1 });
    message.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    message.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let frame = message.to_string();
    let event = ServerMessage::parse(&frame).unwrap().event().unwrap().clone().into_owned();
    Box::new(ReceivedEvent::new(frame.clone(), event))
}

fn snapshot(entity: usize) -> StreamItem {
    StreamItem::Snapshot(received(entity, &json!({ "type": "entitySnapshot" })))
}

fn snapshot_complete() -> StreamItem {
    StreamItem::SnapshotComplete { subscriptions: vec![name()], entities: 1 }
}

fn subscribed(with_snapshot: bool) -> StreamItem {
    let added = vec![rooms()];
    StreamItem::Accepted(match with_snapshot {
        true => SubscriptionRequest::SubscribeWithSnapshot(added),
        false => SubscriptionRequest::Subscribe(added),
    })
}

/// The connection has subscribed.
fn in_force() -> StreamItem {
    StreamItem::Subscribed { subscriptions: vec![name()] }
}

/// The connection has subscribed to others.
fn others_in_force() -> StreamItem {
    StreamItem::Subscribed { subscriptions: vec!["doors".parse().unwrap()] }
}

fn unsubscribed() -> StreamItem {
    StreamItem::Accepted(SubscriptionRequest::Unsubscribe(name()))
}

fn disconnected() -> StreamItem {
    let error = crate::error::ClientError::TokenExpired;
    StreamItem::Disconnected { error, retry_in: std::time::Duration::ZERO, was_subscribed: true }
}

fn load(collection: &mut EntityCollection, ids: &[&str]) -> Vec<String> {
    let entities: Vec<_> = ids.iter().map(|id| json!({ "id": id, "type": "Room" })).collect();
    let loaded = LoadedEntity::from_array(&json!(entities).to_string(), "/").unwrap();
    short(collection.load(&"demo".parse().unwrap(), loaded))
}

fn short(items: Vec<EntitiesItem>) -> Vec<String> {
    let short = |item| match item {
        EntitiesItem::Added(entity) => format!("+{}", entity.id()),
        EntitiesItem::Updated { after, .. } => after.id().to_owned(),
        EntitiesItem::Removed(entity) => format!("-{}", entity.id()),
        EntitiesItem::Complete => "complete".to_owned(),
        EntitiesItem::LoadNeeded => "load".to_owned(),
        other => panic!("{other:?}"),
    };
    items.into_iter().map(short).collect()
}

/// Takes items, and returns what they change.
fn take(collection: &mut EntityCollection, items: &[StreamItem]) -> Vec<String> {
    items.iter().flat_map(|item| short(collection.take(item))).collect()
}

#[test]
fn a_collection_can_begin_on_an_open_connection() {
    let mut collection = EntityCollection::new(rooms());
    let items = [snapshot(1), subscribed(true), snapshot_complete()];
    assert_eq!(take(&mut collection, &items), ["+urn:1", "complete"]);
    assert!(collection.is_complete());

    let mut collection = EntityCollection::loaded(rooms());
    assert_eq!(take(&mut collection, &[subscribed(false)]), ["load"]);
    assert_eq!(load(&mut collection, &["urn:1"]), ["+urn:1", "complete"]);
    assert!(collection.is_complete());
}

#[test]
fn a_collection_that_is_subscribed_again_removes_what_has_gone_meanwhile() {
    for is_second_with_drop in [false, true] {
        let mut collection = EntityCollection::new(rooms());
        let items = [StreamItem::Connected, snapshot(1), snapshot(2), in_force(), snapshot_complete()];
        assert_eq!(take(&mut collection, &items), ["+urn:1", "+urn:2", "complete"]);
        assert!(take(&mut collection, &[unsubscribed()]).is_empty());
        assert!(!collection.is_complete());
        if is_second_with_drop {
            let items =
                [disconnected(), StreamItem::Connected, others_in_force(), StreamItem::Recovered { replayed: 0 }];
            assert!(take(&mut collection, &items).is_empty(), "the stream has recovered other subscriptions");
        }
        let items = [snapshot(2), subscribed(true), snapshot_complete()];
        assert_eq!(take(&mut collection, &items), ["-urn:1", "complete"]);
        assert!(collection.is_complete());
    }
}

#[test]
fn a_loaded_collection_is_loaded_again_after_it_was_unsubscribed() {
    let mut collection = EntityCollection::loaded(rooms());
    assert_eq!(take(&mut collection, &[StreamItem::Connected, in_force()]), ["load"]);
    assert_eq!(load(&mut collection, &["urn:1"]), ["+urn:1", "complete"]);
    let items = [unsubscribed(), StreamItem::NotRecovered { reason: NotRecovered::Expired, missed_since: None }];
    take(&mut collection, &items);
    assert!(!collection.is_complete());
    assert_eq!(take(&mut collection, &[subscribed(false)]), ["load"]);
    assert_eq!(load(&mut collection, &[]), ["-urn:1", "complete"]);
}

/// A load that ends while the stream resumes does not tell what the stream has missed.
#[test]
fn a_load_is_complete_once_the_stream_has_recovered() {
    let mut collection = EntityCollection::loaded(rooms());
    assert_eq!(take(&mut collection, &[StreamItem::Connected, in_force()]), ["load"]);
    take(&mut collection, &[disconnected(), StreamItem::Connected]);
    assert_eq!(load(&mut collection, &["urn:1"]), ["+urn:1"]);
    assert!(!collection.is_complete());
    assert!(take(&mut collection, &[in_force()]).is_empty());
    assert!(!collection.is_complete());
    assert_eq!(take(&mut collection, &[StreamItem::Recovered { replayed: 0 }]), ["complete"]);
}

/// The past is none of a collection that begins with the connection, or with the answer that tells of it.
#[test]
fn a_collection_that_has_just_begun_is_loaded_once() {
    let not_recovered = || StreamItem::NotRecovered { reason: NotRecovered::Expired, missed_since: None };
    for is_on_open_connection in [false, true] {
        for verdict in [not_recovered(), StreamItem::Recovered { replayed: 0 }] {
            let mut collection = EntityCollection::loaded(rooms());
            let begin = if is_on_open_connection { subscribed(false) } else { in_force() };
            assert_eq!(take(&mut collection, &[StreamItem::Connected, begin]), ["load"]);
            assert_eq!(load(&mut collection, &["urn:1"]), ["+urn:1", "complete"]);
            assert!(take(&mut collection, &[verdict]).is_empty());
            assert!(collection.is_complete());
            assert_eq!(take(&mut collection, &[not_recovered()]), ["load"], "a later one");
        }
    }
}

/// The stream goes on for another subscription.
#[test]
fn a_collection_whose_subscription_is_not_in_force_is_not_complete() {
    let recovered = || StreamItem::Recovered { replayed: 0 };
    let error = || crate::error::ClientError::TokenExpired;
    for end in [unsubscribed(), StreamItem::SubscriptionEnded { subscription: rooms(), error: error() }] {
        let mut collection = EntityCollection::loaded(rooms());
        take(&mut collection, &[StreamItem::Connected, in_force()]);
        load(&mut collection, &["urn:1"]);
        let later = [end, disconnected(), StreamItem::Connected, others_in_force(), recovered()];
        assert!(take(&mut collection, &later).is_empty());
        assert!(load(&mut collection, &[]).is_empty() && !collection.is_complete());
        assert_eq!(take(&mut collection, &[subscribed(false)]), ["load"]);
    }

    // The request waits until the connection is open, and is refused then.
    for mut collection in [EntityCollection::loaded(rooms()), EntityCollection::new(rooms())] {
        let items = [StreamItem::Connected, others_in_force(), recovered()];
        assert!(take(&mut collection, &items).is_empty());
        let request = SubscriptionRequest::Subscribe(vec![rooms()]);
        take(&mut collection, &[StreamItem::Refused { request, error: error() }]);
        assert!(!collection.is_complete());
    }

    // The program unsubscribes without a connection.
    let mut collection = EntityCollection::new(rooms());
    take(&mut collection, &[StreamItem::Connected, snapshot(1), in_force(), snapshot_complete()]);
    let later = [disconnected(), StreamItem::Connected, others_in_force(), recovered()];
    assert!(take(&mut collection, &later).is_empty() && !collection.is_complete());
}
