use std::collections::BTreeSet;

use entity_stream_local::Config;
use serde_json::{Value, json};

use super::place::Place;
use crate::harness::{Hands, System, change, config, entry, room};

/// A system whose time the test moves.
async fn started() -> (System, Hands) {
    let hands = Hands::default();
    (System::start_with(Config { clock: hands.clock(), ..config() }).await, hands)
}

/// Publishes so many events, and returns their ids.
async fn publish(system: &System, count: usize) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for i in 0..count {
        ids.insert(system.publish(&room("demo", &format!("r{i}"))).await);
    }
    ids
}

#[tokio::test]
async fn events_have_a_position_that_grows() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut last = String::new();
    for _ in 0..5 {
        system.publish(&room("demo", "r")).await;
        let event = client.json().await;
        let position = event["position"].as_str().unwrap().to_owned();
        assert!(last < position, "{last} < {position}");
        assert!(position.len() <= 64 && event.get("replayed").is_none(), "{event}");
        last = position;
    }
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_before_the_answer() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut place = Place::of(&mut client).await;
    let before = publish(&system, 3).await;
    place.receive(&mut client, 3).await;
    // Without a close frame.
    drop(client);
    system.until_no_connection_is_registered().await;
    let missed = publish(&system, 4).await;
    system.local.settled().await;
    let session = place.session.clone();

    let mut client = system.connect("tenant=demo").await;
    let answer = place.resume(&mut client).await;

    assert_eq!((&answer["type"], &answer["recovered"]), (&json!("subscribed"), &json!(true)), "{answer}");
    assert_eq!(answer["session"], session);
    let expected: BTreeSet<_> = before.union(&missed).cloned().collect();
    assert_eq!(place.seen, expected);
    assert_eq!(answer["replayed"].as_u64(), Some(7), "some are repeats: the overlap has all of them");
    // It then gets new events.
    let later = publish(&system, 1).await;
    place.receive(&mut client, 8).await;
    assert!(place.seen.is_superset(&later));
    client.nothing_more(&system).await;
}

/// The client is cut off again and again while events flow, and has every one in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_cut_off_again_and_again_misses_nothing() {
    const ROUNDS: usize = 25;
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut place = Place::of(&mut client).await;
    let mut published = BTreeSet::new();
    for round in 0..ROUNDS {
        // Some are taken, some are under way when the connection breaks, and some come while there is no connection.
        published.extend(publish(&system, 3).await);
        place.receive(&mut client, published.len() - round % 3).await;
        drop(client);
        published.extend(publish(&system, 2).await);
        client = system.connect("tenant=demo").await;
        let (more, answer) = tokio::join!(publish(&system, 2), place.resume(&mut client));
        published.extend(more);
        assert_eq!(answer["recovered"], true, "round {round}: {answer}");
    }
    place.receive(&mut client, published.len()).await;
    assert_eq!(place.seen, published);
}

/// The old connection may still be open when the new one comes.
#[tokio::test]
async fn both_connections_of_a_session_get_everything() {
    let system = System::start().await;
    let mut first = system.connect("tenant=demo").await;
    let mut place = Place::of(&mut first).await;
    let session = place.session.clone();
    let mut second = system.connect("tenant=demo").await;
    assert_eq!(place.resume(&mut second).await["session"], session);
    let id = system.publish(&room("demo", "r")).await;
    for client in [&mut first, &mut second] {
        assert_eq!(client.json().await["id"], id);
    }
    let registered = system.table().list(None, entity_stream_clock::Clock::system().now()).await.unwrap();
    let sessions: BTreeSet<_> = registered.iter().map(|connection| connection.session().to_string()).collect();
    assert_eq!(sessions, BTreeSet::from([session]));
}

#[tokio::test]
async fn several_subscriptions_resume_in_one_message() {
    let system = System::start().await;
    let subscriptions = json!([
        { "subscription": "rooms", "entityTypes": ["Room"] },
        { "subscription": "keys", "representation": "keyValues" },
        { "subscription": "trams", "entityTypes": ["Tram"] },
    ]);
    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let mut place = Place::default();
    let message = json!({ "action": "subscribe", "subscriptions": subscriptions, "requestId": "1" });
    place.ask(&mut client, &message).await;
    drop(client);
    system.until_no_connection_is_registered().await;
    for entity_type in ["Room", "Car"] {
        system.publish(&change("demo", entity_type, "e")).await;
        // The order of the bus is not that of the publisher.
        system.local.settled().await;
    }

    let mut client = system.connect("tenant=demo&subscribe=none").await;
    let message = json!({ "action": "subscribe", "subscriptions": subscriptions, "since": place.since() });
    client.send(message.to_string()).await;
    let mut got: Vec<(Value, Value)> = Vec::new();
    let answer = loop {
        let frame = client.json().await;
        if frame["type"] == "subscribed" {
            break frame;
        }
        assert_eq!(frame["replayed"], true, "{frame}");
        got.push((frame["entityType"].clone(), frame["subscriptions"].clone()));
    };
    assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(2)));
    assert_eq!(answer["subscriptions"], subscriptions);
    let expected = [("Room", "keys"), ("Room", "rooms"), ("Car", "keys")];
    assert_eq!(got, expected.map(|(entity_type, name)| (json!(entity_type), json!([name]))));
}

#[tokio::test]
async fn a_rewind_gets_the_last_seconds() {
    let (system, hands) = started().await;
    publish(&system, 2).await;
    system.local.settled().await;
    hands.forward(13);
    let ids = publish(&system, 3).await;
    system.local.settled().await;
    let mut client = system.connect("tenant=demo").await;
    let mut place = Place::default();
    let answer = place.ask(&mut client, &json!({ "action": "subscribe", "since": { "seconds": 10 } })).await;
    assert_eq!((place.seen.clone(), &answer["replayed"], &answer["recovered"]), (ids, &json!(3), &json!(true)));
    // Once in ten seconds.
    let again = place.ask(&mut client, &json!({ "action": "subscribe", "since": { "seconds": 10 } })).await;
    assert_eq!((&again["type"], &again["code"]), (&json!("error"), &json!("limit_exceeded")));
}

#[tokio::test]
async fn replays_come_in_frames_for_clients_that_take_them() {
    let (system, _) = started().await;
    let ids = publish(&system, 20).await;
    system.local.settled().await;
    let mut client = system.connect("tenant=demo&batch=true").await;
    client.send(json!({ "action": "subscribe", "since": { "seconds": 10 } }).to_string()).await;
    let frame = client.json().await;
    assert_eq!((&frame["type"], frame["events"].as_array().map(Vec::len)), (&json!("events"), Some(20)));
    let mut place = Place::default();
    assert!(place.take(&frame));
    assert_eq!(place.seen, ids);
    assert_eq!(client.json().await["type"], "subscribed");
    // A single event is no frame of several.
    system.publish(&room("demo", "r")).await;
    assert_eq!(client.json().await["type"], "entityUpdated");
}

/// The exchange of a subscription is answered after the events of that moment.
#[tokio::test]
async fn the_exchange_of_a_subscription_replays_its_moment() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&entityTypes=Room").await;
    let id = system.publish(&room("demo", "r")).await;
    assert_eq!(client.json().await["id"], id);
    let message = json!({ "action": "subscribe", "entityIds": ["r"], "requestId": "1" });
    client.send(message.to_string()).await;
    let event = client.json().await;
    assert_eq!((&event["id"], &event["replayed"]), (&json!(id), &json!(true)), "{event}");
    let answer = client.json().await;
    assert_eq!((&answer["type"], answer.get("recovered")), (&json!("subscribed"), None), "{answer}");
}

#[tokio::test]
async fn sync_gives_a_quiet_client_a_place() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut place = Place::of(&mut client).await;
    let before = place.position.clone();
    let answer = client.ask(&json!({ "action": "sync", "requestId": "7" })).await;
    assert_eq!((&answer["type"], &answer["requestId"]), (&json!("synced"), &json!("7")), "{answer}");
    let position = answer["position"].as_str().unwrap();
    assert!(before.as_str() <= position, "{position} is before {before}");
    place.take(&answer);
    drop(client);
    let mut client = system.connect("tenant=demo").await;
    assert_eq!(place.resume(&mut client).await["recovered"], true);
}

/// Neither the history of a tenant nor its sessions are another's.
#[tokio::test]
async fn a_place_gives_nothing_of_another_tenant() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let mut place = Place::of(&mut client).await;
    publish(&system, 2).await;
    place.receive(&mut client, 2).await;
    let mut stranger = system.connect("tenant=other").await;
    let mut taken = Place { seen: BTreeSet::new(), ..place.clone() };
    let answer = taken.resume(&mut stranger).await;
    assert_eq!((&answer["recovered"], &answer["replayed"]), (&json!(true), &json!(0)));
    let id = system.publish(&room("demo", "r")).await;
    assert_eq!(client.json().await["id"], id);
    stranger.nothing_more(&system).await;
}

/// An event of one invocation that matches several times is one frame for a client that takes several events.
#[tokio::test]
async fn events_of_one_request_arrive_with_a_position_each() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo&batch=true").await;
    let entries = (0..5).map(|i| entry(&room("demo", &format!("r{i}")).to_string())).collect();
    system.put_events(entries).await;
    let mut place = Place::default();
    place.receive(&mut client, 5).await;
    assert!(!place.position.is_empty());
}
