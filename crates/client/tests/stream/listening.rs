use entity_stream_client::{EventType, StreamItem};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::server::{Server, event};
use crate::{event_id, next, subscribed};

#[tokio::test]
async fn an_event_has_its_fields_and_its_frame_byte_for_byte() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let data = r#"{"b": 1.0, "a":12345678901234567890123,  "e":1E5}"#;
    let json = event("1").to_string().replace(r#"{"co2":1}"#, data);
    let cloud_event = json!({ "specversion": "1.0", "id": "2", "source": "/tenants/demo", "type": "entityUpdated",
        "subject": "urn:1", "time": "2026-01-02T03:04:05Z", "datacontenttype": "application/json",
        "data": event("2") })
    .to_string();
    let frames = [json, cloud_event];
    let sent = frames.clone();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed().await;
        for frame in sent {
            peer.send_frame(Message::text(frame)).await;
        }
        peer
    });
    subscribed(&mut stream).await;
    for (frame, (id, data)) in frames.iter().zip([("1", data), ("2", r#"{"co2":1}"#)]) {
        let StreamItem::Event(event) = next(&mut stream).await else { panic!("{frame}") };
        assert_eq!(event.frame(), frame);
        let message = event.message();
        assert_eq!((&*message.id, &*message.entity_id, message.event_type), (id, "urn:1", EventType::EntityUpdated));
        assert_eq!(message.data.as_ref().unwrap().get(), data);
    }
    script.await.unwrap();
}

#[tokio::test]
async fn frames_that_mean_nothing_to_it_do_not_disturb_a_stream() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed().await;
        peer.send(&json!({ "type": "pong" })).await;
        peer.send(&json!({ "type": "ofANewerServer", "entityId": "urn:1" })).await;
        peer.send_frame(Message::binary(vec![1, 2, 3])).await;
        peer.send_frame(Message::Ping(vec![1].into())).await;
        peer.send_frame(Message::text("\u{1b}[2J no JSON")).await;
        peer.send(&json!({ "message": "Internal\u{1b} error", "connectionId": "c", "requestId": "r" })).await;
        peer.send(&event("1")).await;
        peer
    });
    subscribed(&mut stream).await;
    for expected in
        ["the server sent a frame that is not a message of the contract", "the gateway says: Internal\u{fffd} error"]
    {
        let item = next(&mut stream).await;
        assert!(matches!(&item, StreamItem::Notice(text) if text == expected), "{item:?}");
    }
    assert_eq!(event_id(&mut stream).await, "1");
    script.await.unwrap();
}

/// `try_next` in a `select!` is dropped and called again all the time.
#[tokio::test]
async fn dropping_the_future_of_an_item_loses_nothing() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed().await;
        for id in 0..200 {
            peer.send(&event(&id.to_string())).await;
        }
        peer
    });
    let mut ids = Vec::new();
    while ids.len() < 200 {
        tokio::select! {
            biased;
            item = stream.try_next() => if let StreamItem::Event(event) = item.unwrap().unwrap() {
                ids.push(event.message().id.to_string());
            },
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(ids.iter().map(String::as_str).eq((0..200).map(|id| id.to_string()).collect::<Vec<_>>().iter()));
    script.await.unwrap();
}

#[tokio::test]
async fn a_message_larger_than_any_buffer_arrives_whole() {
    let server = Server::start().await;
    let mut stream = server.client().connect().unwrap();
    let mut large = event("1");
    large["data"]["text"] = "é".repeat(100_000).into();
    let frame = large.to_string();
    let script = tokio::spawn(async move {
        let mut peer = server.accept().await;
        peer.subscribed().await;
        peer.send(&large).await;
        peer
    });
    subscribed(&mut stream).await;
    let StreamItem::Event(event) = next(&mut stream).await else { panic!() };
    assert!(event.frame() == frame);
    script.await.unwrap();
}
