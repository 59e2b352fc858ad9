use std::time::Duration;

use entity_stream_history::CLOCK_SKEW;
use entity_stream_protocol::Position;

use crate::support::{MUCH, TestHistory, after, event, ids, start, tenant};

#[tokio::test]
async fn events_come_in_the_order_of_their_positions() {
    let t = TestHistory::create().await;
    let mut written = Vec::new();
    // Many entities, so that each shard has some, over three spans of ten minutes.
    for number in 0..60_u64 {
        let seconds = number * 37 % 60 * 30;
        let id = format!("e{number}");
        let position = t.record_id(&id, &format!("urn:{number}"), after(seconds)).await;
        written.push((position, id));
    }
    written.sort();

    let past = t.reader().read(&tenant("demo"), start(), after(1800), MUCH).await.unwrap();

    let wanted: Vec<_> = written.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(ids(&past), wanted);
    for (past, (position, _)) in past.events.iter().zip(&written) {
        assert_eq!(past.event.position(), Some(position));
        assert_eq!(Some(past.at), position.time());
    }
}

#[tokio::test]
async fn a_read_begins_with_the_first_position_of_its_time() {
    let t = TestHistory::create().await;
    let milli = Duration::from_millis(1);
    for (name, from) in [("inside", after(100)), ("slice", after(120)), ("span", after(600))] {
        t.record_id(&format!("{name}-before"), "urn:a", from.minus(milli)).await;
        t.record_id(&format!("{name}-at"), "urn:a", from).await;
        t.record_id(&format!("{name}-after"), "urn:b", from.plus(milli)).await;
        let wanted = [format!("{name}-at"), format!("{name}-after")];
        assert_eq!(t.ids_since(from, from.plus(Duration::from_secs(1))).await, wanted, "without closed slices");
        let found = t.ids_since(from, after(2000)).await;
        assert_eq!(found[..2], wanted, "with closed slices");
    }
}

#[tokio::test]
async fn clocks_differ_so_a_read_has_positions_of_the_future() {
    let t = TestHistory::create().await;
    t.record_id("now", "urn:a", after(10)).await;
    t.record_id("ahead", "urn:a", after(10).plus(CLOCK_SKEW)).await;
    assert_eq!(t.ids_since(after(0), after(10)).await, ["now", "ahead"]);
    // In the next span as well.
    t.record_id("next", "urn:a", after(600).plus(CLOCK_SKEW)).await;
    assert_eq!(t.ids_since(after(590), after(600)).await, ["next"]);
}

#[tokio::test]
async fn an_event_with_several_positions_stands_once_at_the_last() {
    let t = TestHistory::create().await;
    t.record_id("twice", "urn:a", after(1)).await;
    t.record_id("once", "urn:b", after(2)).await;
    let last = t.record_id("twice", "urn:a", after(3)).await;

    let past = t.reader().read(&tenant("demo"), start(), after(4), MUCH).await.unwrap();

    assert_eq!(ids(&past), ["once", "twice"]);
    assert_eq!(past.events[1].event.position(), Some(&last));
    assert_eq!(t.ids_since(after(2), after(4)).await, ["once", "twice"]);
}

#[tokio::test]
async fn events_of_one_write_have_one_time_and_positions_of_their_own() {
    let t = TestHistory::create().await;
    // More than one batch of DynamoDB.
    let events: Vec<_> = (0..60).map(|n| event(&format!("e{n}"), "demo", &format!("urn:{n}"))).collect();
    let events: Vec<_> = events.iter().collect();

    let written = t.table.record(&events, after(5)).await;

    let mut positions: Vec<Position> = written.into_iter().map(Result::unwrap).collect();
    assert!(positions.iter().all(|position| position.time() == Some(after(5))));
    let past = t.reader().read(&tenant("demo"), after(5), after(5), MUCH).await.unwrap();
    for past in &past.events {
        let number: usize = past.event.id()[1..].parse().unwrap();
        assert_eq!(past.event.position(), Some(&positions[number]), "the position of each event");
    }
    positions.sort();
    positions.dedup();
    assert_eq!((positions.len(), past.events.len()), (60, 60));
    assert_eq!(t.table.record(&[], after(5)).await.len(), 0);
}

#[tokio::test]
async fn a_position_belongs_to_its_table() {
    let (t, other) = (TestHistory::create().await, TestHistory::create().await);
    for at in [after(0), after(1)] {
        let position = t.record_id("one", "urn:a", at).await;
        assert!(t.table.knows(&position) && t.table.knows(&t.table.position_of(at)));
        assert_eq!(t.table.position_of(at).time(), Some(at));
        assert!(t.table.position_of(at) <= position, "a client that is registered has the events of this time to come");
    }
    // One of 65,536 tables has the same mark.
    let position = other.record_id("one", "urn:a", start()).await;
    let is_same = t.table.position_of(start()) == other.table.position_of(start());
    assert_eq!(t.table.knows(&position), is_same);
    assert!(!t.table.knows(&Position::parse("x").unwrap()));
}
