use entity_stream_history::PastEvent;
use entity_stream_protocol::limits::MESSAGE_BYTES;
use entity_stream_protocol::{EntityChange, Event, Format, MessageForm};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::support::{MUCH, TestHistory, after, event_with, start, tenant};

fn forms() -> [MessageForm; 2] {
    [MessageForm::from(Format::Json), MessageForm::from(Format::CloudEvents)]
}

/// Text that JSON, DynamoDB and keys may take for something else.
fn words(rng: &mut Rng) -> String {
    const PARTS: [&str; 10] = ["a", "Ü", "𝄞", "\"", "\\", "#", "\u{0}", "\n", "0", "😀"];
    (0..rng.usize(1..12)).map(|_| PARTS[rng.usize(0..PARTS.len())]).collect()
}

fn value(rng: &mut Rng, depth: u32) -> Value {
    match rng.u8(0..if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i64(..).into(),
        3 => words(rng).into(),
        4 => json!(rng.f64() * 1e9),
        5 => (0..rng.usize(0..4)).map(|_| value(rng, depth - 1)).collect(),
        _ => Value::Object((0..rng.usize(0..4)).map(|_| (words(rng), value(rng, depth - 1))).collect()),
    }
}

fn random_event(rng: &mut Rng, number: usize) -> Event {
    let change_type = ["entityCreated", "entityUpdated", "entityDeleted"][rng.usize(0..3)];
    let mut detail = json!({
        "type": change_type, "tenant": "demo", "entityId": words(rng), "entityType": ["Room", "Sensor"],
        "data": { "value": value(rng, 3) },
    });
    if rng.bool() {
        detail["servicePath"] = words(rng).into();
    }
    if rng.bool() {
        detail["timestamp"] = words(rng).into();
    }
    if rng.bool() {
        detail["changedAttributes"] = json!([words(rng), words(rng)]);
    }
    Event::new(
        format!("e{number}-{}", words(rng)),
        "2026-09-21T14:13:20Z",
        EntityChange::parse(&detail.to_string()).unwrap(),
    )
}

async fn read_one(t: &TestHistory) -> PastEvent {
    let past = t.reader().read(&tenant("demo"), start(), after(1000), MUCH).await.unwrap();
    let [event] = past.events.try_into().unwrap();
    PastEvent::clone(&event)
}

#[tokio::test]
async fn each_event_comes_back_as_it_would_have_been_delivered() {
    let t = TestHistory::create().await;
    let mut rng = Rng::with_seed(14);
    let events: Vec<_> = (0..200).map(|number| random_event(&mut rng, number)).collect();
    let written = t.table.record(&events.iter().collect::<Vec<_>>(), start()).await;
    let mut wanted: Vec<_> = events
        .into_iter()
        .zip(written)
        .map(|(event, position)| {
            let position = position.unwrap();
            (position.clone(), event.at(position).replayed(None))
        })
        .collect();
    wanted.sort_by(|(one, _), (other, _)| one.cmp(other));

    let past = t.reader().read(&tenant("demo"), start(), start(), MUCH).await.unwrap();

    assert_eq!(past.events.len(), wanted.len());
    for (past, (_, wanted)) in past.events.iter().zip(&wanted) {
        for form in forms() {
            assert_eq!(past.event.message(&form), wanted.message(&form));
        }
    }
}

#[tokio::test]
async fn an_event_over_128_kb_comes_back_truncated_as_it_is_delivered() {
    for bytes in [MESSAGE_BYTES, 200_000, 400_000] {
        let t = TestHistory::create().await;
        let event = event_with("large", "demo", "urn:a", &json!({ "text": "x".repeat(bytes) }));
        let position = t.record(&event, start()).await;
        let past = read_one(&t).await;
        assert!(past.event.is_left_out());
        let data_bytes = u64::try_from(event.change().data.get().len()).unwrap();
        let wanted = event.at(position).replayed(Some(data_bytes));
        for form in forms() {
            assert_eq!(past.event.message(&form), wanted.message(&form), "{bytes} bytes");
        }
    }
}

#[tokio::test]
async fn a_list_of_attributes_over_128_kb_is_left_out_as_well() {
    let t = TestHistory::create().await;
    let names: Vec<_> = (0..20_000).map(|number| format!("attribute-{number}")).collect();
    let detail = json!({
        "type": "entityUpdated", "tenant": "demo", "entityId": "urn:a", "entityType": "Room", "data": {},
        "changedAttributes": names,
    });
    let event = Event::new("wide", "2026-09-21T14:13:20Z", EntityChange::parse(&detail.to_string()).unwrap());
    t.record(&event, start()).await;
    let past = read_one(&t).await;
    assert_eq!(past.event.change().changed_attributes, None);
    let message: Value = serde_json::from_str(&past.event.message(&forms()[0])).unwrap();
    assert_eq!((&message["truncated"], &message["dataBytes"]), (&json!(true), &json!(2)));
}
