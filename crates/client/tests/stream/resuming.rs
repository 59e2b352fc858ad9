//! Servers that keep a history.

use entity_stream_client::{Bookmark, NotRecovered, Since, StreamItem};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::server::{Server, event, event_at};
use crate::{event_id, next, subscribed};

#[tokio::test]
async fn a_frame_of_several_events_is_an_item_for_each() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let entry = |id: &str| event(id).to_string().replace(r#"{"co2":1}"#, r#"{"b": 1.0,  "a":12345678901234567890123}"#);
    let cloud_event = json!({ "specversion": "1.0", "id": "2", "source": "/tenants/demo", "type": "entityUpdated",
        "subject": "urn:1", "time": "2026-01-02T03:04:05Z", "datacontenttype": "application/json", "data": event("2") });
    let entries = [entry("1"), cloud_event.to_string(), entry("3")];
    let frame =
        format!(r#"{{"type":"events", "events":[{} , {{"type":"newer"}},{}]}}"#, entries[0], entries[1..].join(",\n"));
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        assert_eq!(peer.uri, "/?tenant=demo&batch=true");
        peer.subscribed().await;
        peer.send_frame(Message::text(r#"{"type":"events","events":[]}"#)).await;
        peer.send_frame(Message::text(frame)).await;
        peer
    });
    subscribed(&mut stream).await;
    for (id, entry) in ["1", "2"].iter().zip(&entries) {
        let item = next(&mut stream).await;
        let StreamItem::Event(event) = item else { panic!("{item:?}") };
        assert_eq!((&*event.message().id, event.frame()), (*id, entry.as_str()));
    }
    script.await.unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_resumed_and_another_process_resumes_from_the_bookmark() {
    let server = Server::start().await;
    let (client, mut stream) = (server.client(), server.client().connect().unwrap());
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed_with(json!({ "position": "05", "session": "s" })).await;
        peer.send(&event_at("1", "06", false)).await;
        peer.close(1001, "Going away").await;

        let mut peer = server.accept().await;
        assert_eq!(peer.uri, "/?tenant=demo&batch=true&subscribe=none");
        let subscribe = peer.message().await;
        let since = json!({ "position": "06", "session": "s" });
        assert_eq!(subscribe, json!({ "action": "subscribe", "since": since, "requestId": "subscribe" }));
        let replayed = [event_at("1", "06", true), event_at("2", "07", true)];
        peer.send(&json!({ "type": "events", "events": replayed })).await;
        peer.send(&event_at("3", "08", false)).await;
        peer.confirm(&subscribe, json!({ "position": "08", "session": "s", "recovered": true, "replayed": 2 })).await;
        peer.close(1001, "Going away").await;

        let mut peer = server.accept().await;
        let not_recovered = json!({ "position": "20", "session": "t", "recovered": false, "reason": "expired" });
        assert_eq!(peer.subscribed_with(not_recovered).await["since"]["position"], "08");
        peer.send(&event_at("4", "21", false)).await;
        assert!(peer.closed().await);

        let mut peer = server.accept().await;
        assert_eq!(peer.uri, "/?tenant=demo&batch=true&subscribe=none");
        let recovered = json!({ "position": "22", "session": "t", "recovered": true, "replayed": 0 });
        let since = json!({ "position": "21", "session": "t" });
        assert_eq!(peer.subscribed_with(recovered).await["since"], since);
        peer
    });
    subscribed(&mut stream).await;
    assert_eq!(event_id(&mut stream).await, "1");
    assert!(matches!(next(&mut stream).await, StreamItem::Disconnected { was_subscribed: true, .. }));
    assert!(matches!(next(&mut stream).await, StreamItem::Connected));
    assert_eq!(event_id(&mut stream).await, "2");
    assert_eq!(event_id(&mut stream).await, "3");
    assert_eq!(stream.bookmark().unwrap().position.as_str(), "06", "the answer is due");
    assert!(matches!(next(&mut stream).await, StreamItem::Subscribed { .. }));
    assert!(matches!(next(&mut stream).await, StreamItem::Recovered { replayed: 1 }));
    assert_eq!((stream.repeats(), stream.bookmark().unwrap().position.as_str()), (1, "08"));

    assert!(matches!(next(&mut stream).await, StreamItem::Disconnected { .. }));
    subscribed(&mut stream).await;
    let verdict = next(&mut stream).await;
    let StreamItem::NotRecovered { reason: NotRecovered::Expired, missed_since: Some(since) } = verdict else {
        panic!("{verdict:?}")
    };
    assert!(since.elapsed().unwrap().as_secs() < 60);
    assert_eq!(event_id(&mut stream).await, "4");

    let stored = serde_json::to_string(stream.bookmark().unwrap()).unwrap();
    assert_eq!(stored, r#"{"position":"21","session":"t"}"#);
    stream.close().await;
    let bookmark: Bookmark = serde_json::from_str(&stored).unwrap();
    let mut stream = client.since(bookmark).connect().unwrap();
    subscribed(&mut stream).await;
    assert!(matches!(next(&mut stream).await, StreamItem::Recovered { replayed: 0 }));
    script.await.unwrap();
}

#[tokio::test]
async fn a_stream_can_begin_in_the_past() {
    let server = Server::start().await;
    let mut stream = server.client().since(Since::Seconds { seconds: 30 }).connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        assert_eq!(peer.uri, "/?tenant=demo&batch=true&subscribe=none");
        let subscribe = peer.message().await;
        assert!((30..35).contains(&subscribe["since"]["seconds"].as_u64().unwrap()), "{subscribe}");
        peer.send(&event_at("1", "01", true)).await;
        peer.confirm(&subscribe, json!({ "position": "05", "session": "s", "recovered": true, "replayed": 1 })).await;
        peer
    });
    assert!(matches!(next(&mut stream).await, StreamItem::Connected));
    assert_eq!(event_id(&mut stream).await, "1");
    assert!(matches!(next(&mut stream).await, StreamItem::Subscribed { .. }));
    assert!(matches!(next(&mut stream).await, StreamItem::Recovered { replayed: 1 }));
    script.await.unwrap();
}
