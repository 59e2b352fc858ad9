//! The exchange of a subscription: an event whose audience was read meanwhile may have met neither the former subscription nor the
//! new one, so the events of that moment that both select are replayed before the answer.

use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant};
use entity_stream_protocol::limits::{REPLAYED_EVENTS, REPLAYED_FRAMES};
use entity_stream_protocol::{Acknowledgement, EntityChange, Event, GroupId, Revision};
use serde_json::{Value, json};

use crate::support::{HISTORY, OPEN, Setting, ids};

/// A connection that was opened 60 seconds ago, with the subscription `map`.
async fn with(map: Value) -> (Setting, Connection) {
    with_connection(map, |connection| connection).await
}

async fn with_connection(map: Value, change: impl FnOnce(Connection) -> Connection) -> (Setting, Connection) {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register_as(change).await;
    setting.send(&connection, &json!({ "action": "unsubscribe" })).await.unwrap();
    setting.send(&connection, &map_of(map)).await.unwrap();
    setting.hands.forward(60);
    (setting, connection)
}

fn map_of(mut fields: Value) -> Value {
    fields["action"] = json!("subscribe");
    fields["subscription"] = json!("map");
    fields
}

/// Exchanges the subscription `map`, and returns the replay and the answer.
async fn exchange(setting: &Setting, connection: &Connection, map: Value) -> (Vec<Value>, Value) {
    let mut message = map_of(map);
    message["requestId"] = json!("1");
    setting.replay(connection, &message).await
}

#[tokio::test]
async fn replays_what_both_select() {
    let rooms = json!({ "entityTypes": ["Room"] });
    for (old, new, expected) in [
        (rooms.clone(), json!({ "entityIds": ["urn:room:1"] }), vec!["room 1"]),
        (rooms.clone(), json!({}), vec!["room 1", "room 2"]),
        (rooms.clone(), json!({ "entityTypes": ["Car"] }), vec![]),
        (json!({}), rooms.clone(), vec!["room 1", "room 2"]),
        (json!({ "entityIds": ["urn:room:1", "urn:car:1"] }), json!({ "q": "temperature" }), vec!["room 1", "car"]),
        (json!({ "entityTypes": ["Room", "Car"], "q": "temperature>50" }), rooms, vec!["room 2"]),
    ] {
        let (setting, connection) = with(old.clone()).await;
        let hot = json!({ "entityId": "urn:room:2", "data": { "temperature": { "type": "Number", "value": 60 } } });
        setting.past("room 1", setting.ago(9), &json!({})).await;
        setting.past("room 2", setting.ago(8), &hot).await;
        setting.past("car", setting.ago(7), &json!({ "entityId": "urn:car:1", "entityType": "Car" })).await;

        let (events, answer) = exchange(&setting, &connection, new.clone()).await;

        assert_eq!(ids(&events), expected, "from {old} to {new}");
        for event in &events {
            assert_eq!((&event["replayed"], &event["subscriptions"]), (&json!(true), &json!(["map"])));
        }
        assert_eq!((answer.get("recovered"), answer.get("reason")), (None, None), "the client did not ask: {answer}");
        assert!(answer["position"].is_string() && answer["session"].is_string(), "{answer}");
    }
}

/// The former query was judged by the whole entity, and the attributes that it needs are not in every change.
#[tokio::test]
async fn replays_what_the_former_query_may_have_selected_of_an_entity_with_a_state() {
    let (setting, connection) = with(json!({ "entityTypes": ["Room"], "q": "temperature>30" })).await;
    let data = json!({ "status": { "type": "Text", "value": "on" } });
    for (id, seconds, version) in [("stateless", 9, None), ("known", 8, Some(7))] {
        let detail = json!({
            "type": "entityUpdated", "tenant": "demo", "entityId": "urn:room:1", "entityType": "Room", "data": data,
        });
        let change = EntityChange::parse(&detail.to_string()).unwrap();
        let revision = |version| Revision { version, is_late: false, is_partial: false, previous: None };
        let event = Event::new(id, "2026-01-02T03:04:05Z", change).revised(version.map(revision));
        setting.history().record(&[&event], setting.ago(seconds)).await.remove(0).unwrap();
    }
    let (events, answer) = exchange(&setting, &connection, json!({ "entityIds": ["urn:room:1"] })).await;
    assert_eq!((ids(&events), answer.get("recovered")), (vec!["known"], None), "{answer}");
}

/// The new view counts.
#[tokio::test]
async fn replays_in_the_new_view() {
    let (setting, connection) = with(json!({ "entityTypes": ["Room"] })).await;
    setting.past("e", setting.ago(9), &json!({})).await;
    let new = json!({ "entityIds": ["urn:room:1"], "representation": "keyValues" });
    let (events, _) = exchange(&setting, &connection, new).await;
    assert_eq!(events[0]["data"], json!({ "temperature": 21.5 }));
}

#[tokio::test]
async fn replays_the_last_fifteen_seconds() {
    let (setting, connection) = with(json!({ "entityTypes": ["Room"] })).await;
    setting.past("before", setting.ago(15).minus(Duration::from_millis(1)), &json!({})).await;
    setting.past("first", setting.ago(15), &json!({})).await;
    let (events, _) = exchange(&setting, &connection, json!({})).await;
    assert_eq!(ids(&events), ["first"]);
}

/// A client never gets an event that was published before it came.
#[tokio::test]
async fn replays_nothing_of_the_time_before_the_connection() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.hands.forward(5);
    // Two clocks of the service may differ by two seconds.
    setting.past("before", setting.ago(7).minus(Duration::from_millis(1)), &json!({})).await;
    setting.past("first", setting.ago(7), &json!({})).await;
    let message = json!({ "action": "subscribe", "entityTypes": ["Room"], "requestId": "1" });
    let (events, _) = setting.replay(&connection, &message).await;
    assert_eq!(ids(&events), ["first"]);
}

/// The resume of a connection may have missed an attempt that read its audience then. That attempt began earlier.
#[tokio::test]
async fn of_a_connection_that_resumed_reaches_back_to_attempts_at_its_opening() {
    let setting = Setting::new(HISTORY).await;
    let connection = setting.register(Authorisation::Open).await;
    let message = json!({ "action": "subscribe", "since": setting.since(setting.ago(100), "earlier") });
    assert_eq!(setting.replay(&connection, &message).await.1["recovered"], true);
    setting.hands.forward(1);
    // An attempt lasts ten seconds, and two clocks may differ by two.
    setting.past("before", setting.ago(13).minus(Duration::from_millis(1)), &json!({})).await;
    setting.past("first", setting.ago(13), &json!({})).await;
    let message = json!({ "action": "subscribe", "entityTypes": ["Room"], "requestId": "1" });
    let (events, _) = setting.replay(&connection, &message).await;
    assert_eq!(ids(&events), ["first"]);
}

/// The items of the former subscription are all still there, so no reader can have missed it.
#[tokio::test]
async fn replays_nothing_if_no_reader_can_have_missed_it() {
    let rooms = json!({ "entityTypes": ["Room"] });
    for (old, new) in [
        (rooms.clone(), rooms.clone()),
        (rooms.clone(), json!({ "entityTypes": ["Room", "Car"] })),
        (rooms.clone(), json!({ "entityTypes": ["Room"], "q": "temperature" })),
        (rooms, json!({ "entityTypes": ["Room"], "representation": "keyValues" })),
        (json!({ "entityIds": ["urn:room:1"] }), json!({ "entityIds": ["urn:room:1", "urn:room:2"] })),
    ] {
        let (setting, connection) = with(old.clone()).await;
        setting.past("e", setting.ago(5), &json!({})).await;
        let (events, answer) = exchange(&setting, &connection, new.clone()).await;
        assert_eq!((events.len(), answer.get("recovered")), (0, None), "from {old} to {new}");
    }
    // A subscription that is new is not exchanged, nor is one that was removed.
    let (setting, connection) = with(json!({})).await;
    setting.past("e", setting.ago(5), &json!({})).await;
    let message = json!({ "action": "subscribe", "subscription": "list", "requestId": "1" });
    assert_eq!(setting.replay(&connection, &message).await.0.len(), 0);
    let unsubscribe = json!({ "action": "unsubscribe", "subscription": "map", "requestId": "1" });
    assert_eq!(setting.ask(&connection, &unsubscribe).await["type"], "unsubscribed");
    assert_eq!(exchange(&setting, &connection, json!({ "entityTypes": ["Room"] })).await.0.len(), 0);
}

/// Without a request, the client does not wait for an answer, and gets none.
#[tokio::test]
async fn needs_a_client_that_wants_an_answer() {
    let new = json!({ "entityIds": ["urn:room:1"] });
    let (setting, connection) = with(json!({})).await;
    setting.past("e", setting.ago(5), &json!({})).await;
    setting.send(&connection, &map_of(new.clone())).await.unwrap();
    assert!(setting.answers().is_empty());

    let always = |connection| Connection { acknowledgement: Some(Acknowledgement::Always), ..connection };
    let (setting, connection) = with_connection(json!({}), always).await;
    setting.past("e", setting.ago(5), &json!({})).await;
    let (events, answer) = setting.replay(&connection, &map_of(new)).await;
    assert_eq!((ids(&events), answer.get("requestId")), (vec!["e"], None));
}

#[tokio::test]
async fn says_if_the_moment_cannot_be_replayed() {
    for (reason, is_young) in [("unavailable", true), ("too_many", false)] {
        let (setting, connection) = with(json!({})).await;
        if is_young {
            setting.history().end_epoch().await.unwrap();
            setting.history().begin_epoch_at(setting.ago(14)).await.unwrap();
            setting.past("e", setting.ago(5), &json!({})).await;
        } else {
            // More than 16 MB.
            for i in 0..170 {
                let large = json!({ "data": { "a": "x".repeat(100_000) } });
                setting.past(&format!("e{i}"), setting.ago(5), &large).await;
            }
        }
        let (events, answer) = exchange(&setting, &connection, json!({ "entityTypes": ["Room"] })).await;
        assert_eq!((events.len(), &answer["recovered"], &answer["reason"]), (0, &json!(false), &json!(reason)));
        assert_eq!((&answer["type"], answer.get("replayed")), (&json!("subscribed"), None));
    }
}

/// The limits of a resume follow the client's absence. In the moment of an exchange, a busy tenant has any number of events.
#[tokio::test]
async fn replays_more_events_than_a_resume() {
    for (takes_batches, count) in [(false, REPLAYED_FRAMES + 10), (true, REPLAYED_EVENTS + 10)] {
        let (setting, connection) = with_connection(json!({}), |it| Connection { takes_batches, ..it }).await;
        setting.many(count).await;
        let (frames, answer) = exchange(&setting, &connection, json!({ "entityTypes": ["Room"] })).await;
        assert_eq!((answer.get("recovered"), answer.get("reason")), (None, None), "{answer}");
        assert_eq!(events_in(&frames), count, "batches: {takes_batches}");
    }
}

#[tokio::test]
async fn replays_more_entities_than_a_resume() {
    let (setting, connection) = with_connection(json!({}), |it| Connection { takes_batches: true, ..it }).await;
    setting.many_of(3_010, |i| format!("urn:room:{i}")).await;
    let (frames, answer) =
        exchange(&setting, &connection, json!({ "wholeEntity": true, "entityTypes": ["Room"] })).await;
    assert_eq!((answer.get("recovered"), answer.get("reason")), (None, None), "{answer}");
    assert_eq!(events_in(&frames), 3_010);
}

/// The snapshot covers the state, so it comes first if there is not enough time for both.
#[tokio::test]
async fn with_a_snapshot_replays_what_600_frames_leave_room_for() {
    for (takes_batches, count, is_replayed) in [(false, 20, true), (false, 600, false), (true, 600, true)] {
        let (setting, connection) = with_connection(json!({}), |it| Connection { takes_batches, ..it }).await;
        setting.known("urn:room:1", setting.ago(100)).await;
        setting.many(count).await;
        let new = json!({ "entityTypes": ["Room"], "snapshot": true });
        let (frames, answer) = exchange(&setting, &connection, new).await;
        let case = format!("{count} events, batches: {takes_batches}: {answer}");
        let reason = (!is_replayed).then(|| json!("too_many"));
        assert_eq!((answer.get("reason"), &answer["snapshot"]), (reason.as_ref(), &json!(1)), "{case}");
        assert_eq!(events_in(&frames), 1 + if is_replayed { count } else { 0 }, "{case}");
    }
}

/// The number of events in frames.
fn events_in(frames: &[Value]) -> usize {
    frames.iter().map(|frame| frame["events"].as_array().map_or(1, Vec::len)).sum()
}

#[tokio::test]
async fn of_a_member_of_a_group_replays_nothing() {
    let group = GroupId::parse("workers").ok();
    let (setting, connection) = with_connection(json!({}), |it| Connection { group, ..it }).await;
    setting.past("e", setting.ago(5), &json!({})).await;
    let (events, answer) = exchange(&setting, &connection, json!({ "entityTypes": ["Room"] })).await;
    assert_eq!(events.len(), 0);
    let expected = json!({ "type": "subscribed", "subscription": "map", "entityTypes": ["Room"], "requestId": "1" });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn without_a_history_is_as_before() {
    let setting = Setting::new(OPEN).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.hands.forward(60);
    let (events, answer) = exchange(&setting, &connection, json!({ "entityTypes": ["Room"] })).await;
    let expected = json!({ "type": "subscribed", "subscription": "map", "entityTypes": ["Room"], "requestId": "1" });
    assert_eq!((events.len(), answer), (0, expected));
}

/// All subscriptions of a connection move to the place of its session. What the others may have missed since the connection was
/// opened is replayed, because a continuation may have come to the former place.
#[tokio::test]
async fn of_the_place_replays_the_life_of_the_connection_to_all_subscriptions() {
    let (setting, connection) = with(json!({ "entityTypes": ["Room"] })).await;
    setting.past("before", setting.ago(63), &json!({})).await;
    setting.past("room", setting.ago(50), &json!({})).await;
    setting.past("car", setting.ago(40), &json!({ "entityType": "Car" })).await;
    let message = json!({
        "action": "subscribe", "subscription": "cars", "entityTypes": ["Car"], "since": setting.since(setting.ago(600), "earlier"),
    });

    let (events, answer) = setting.replay(&connection, &message).await;

    let named: Vec<_> = events.iter().map(|event| (&event["id"], &event["subscriptions"])).collect();
    assert_eq!(named, [(&json!("room"), &json!(["map"])), (&json!("car"), &json!(["cars"]))]);
    assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(2)));

    // The same place again is no move.
    setting.hands.forward(10);
    let again = json!({
        "action": "subscribe", "subscription": "cars", "entityTypes": ["Car"], "since": setting.since(setting.ago(20), "earlier"),
    });
    let (events, _) = setting.replay(&connection, &again).await;
    assert_eq!(events.len(), 0, "{events:?}");
}

/// One event, although the exchange and the request both want it.
#[tokio::test]
async fn with_since_replays_an_event_once() {
    let (setting, connection) = with(json!({ "entityTypes": ["Room"] })).await;
    setting.past("old", setting.ago(30), &json!({})).await;
    setting.past("e", setting.ago(5), &json!({})).await;
    let mut message = map_of(json!({ "entityIds": ["urn:room:1"] }));
    message["since"] = json!({ "seconds": 40 });
    let (events, answer) = setting.replay(&connection, &message).await;
    assert_eq!((ids(&events), &answer["replayed"]), (vec!["old", "e"], &json!(2)));
    assert_eq!(events[1]["subscriptions"], json!(["map"]));
}

#[tokio::test]
async fn needs_a_valid_authorisation() {
    let setting = Setting::new(HISTORY).await;
    let authorisation = Authorisation::Granted(Grant::new("alice", "user", Some(setting.now())));
    let connection = setting.register(authorisation).await;
    setting.past("e", setting.ago(5), &json!({})).await;
    for message in [
        json!({ "action": "subscribe", "since": { "seconds": 60 } }),
        json!({ "action": "subscribe", "entityTypes": ["Room"], "requestId": "1" }),
    ] {
        let (events, answer) = setting.replay(&connection, &message).await;
        assert_eq!((events.len(), &answer["code"]), (0, &json!("unauthorized")));
    }
}
