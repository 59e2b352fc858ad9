use entity_stream_history::Applied;
use entity_stream_protocol::{Event, FormerState};
use serde_json::json;

use crate::sequences::{after, previous};
use crate::support::{TestStates, at, event, raw, stamp};

#[tokio::test]
async fn a_repeated_change_has_the_version_and_the_former_values_of_the_first_attempt() {
    let t = TestStates::create().await;
    t.known(&raw("1", "entityCreated", r#"{"a":1,"b":2}"#, 100), at(100)).await;
    let update = raw("2", "entityUpdated", r#"{"a":7}"#, 200);
    let (first, first_states) = t.known(&update, at(200)).await;
    let (again, states) = t.known(&update, at(60_000)).await;
    assert_eq!((again.version, previous(&again)), (first.version, Some(r#"{"a":1}"#.to_owned())));
    assert_eq!(after(&states), after(&first_states));
    let FormerState::Data(before) = states.before else { panic!("{states:?}") };
    assert_eq!(before.get(), r#"{"a":1,"b":2}"#);
}

#[tokio::test]
async fn a_repeated_creation_found_nothing_again() {
    let t = TestStates::create().await;
    let creation = raw("1", "entityCreated", r#"{"a":1}"#, 100);
    for _ in 0..2 {
        let (_, states) = t.known(&creation, at(100)).await;
        assert!(matches!(states.before, FormerState::Absent), "{states:?}");
    }
    let deletion = raw("2", "entityDeleted", "{}", 200);
    for _ in 0..2 {
        let (_, states) = t.known(&deletion, at(200)).await;
        let FormerState::Data(before) = states.before else { panic!("{states:?}") };
        assert_eq!((before.get(), states.after.is_none()), (r#"{"a":1}"#, true));
    }
}

#[tokio::test]
async fn a_change_that_is_repeated_after_others_has_its_version_and_its_former_state_as_far_as_it_is_kept() {
    let t = TestStates::create().await;
    t.known(&raw("1", "entityCreated", r#"{"a":1,"b":2}"#, 100), at(100)).await;
    let update = raw("2", "entityUpdated", r#"{"a":7}"#, 200);
    let (first, _) = t.known(&update, at(200)).await;
    for number in 3..=9 {
        t.known(&raw(&number.to_string(), "entityUpdated", r#"{"b":3}"#, 100 * number), at(100 * number)).await;
        let (again, states, present) = t.repeated(&update, at(60_000)).await;
        assert_eq!((again.version, previous(&again)), (first.version, Some(r#"{"a":1}"#.to_owned())), "{number}");
        match &states.before {
            FormerState::Data(before) if number == 3 => assert_eq!(before.get(), r#"{"a":1,"b":2}"#),
            // The first change of `b` has overwritten the value before it.
            FormerState::Unknown => assert!(number > 3),
            other => panic!("{number}: {other:?}"),
        }
        // The oldest value of `b` that is known.
        let b = if number == 3 { 2 } else { 3 };
        assert_eq!(after(&states).unwrap(), format!(r#"{{"a":7,"b":{b}}}"#));
        assert_eq!(present.unwrap().data.unwrap().get(), r#"{"a":7,"b":3}"#);
    }
    // It is not recognised after eight others. It is late, and alters nothing. Its first attempt may have told clients.
    t.known(&raw("10", "entityUpdated", r#"{"b":4}"#, 1_000), at(1_000)).await;
    let (again, states) = t.applied(&update, at(200), at(60_000)).await;
    assert_eq!((again.version, again.is_late), (first.version + 8, true));
    assert!(matches!(states.before, FormerState::Unknown));
    assert_eq!(after(&states).unwrap(), r#"{"a":7,"b":4}"#);
    // One that is newer than all others was never applied, and one that has just come is only late.
    let newer = raw("12", "entityUpdated", r#"{"c":1}"#, 2_000);
    let (_, states) = t.applied(&newer, at(2_000), at(60_000)).await;
    let FormerState::Data(before) = states.before else { panic!("{states:?}") };
    assert_eq!(before.get(), r#"{"a":7,"b":4}"#);
    let late = raw("11", "entityUpdated", r#"{"a":6}"#, 150);
    let (revision, states) = t.known(&late, at(60_000)).await;
    let FormerState::Data(before) = states.before else { panic!("{states:?}") };
    assert_eq!((revision.is_late, before.get()), (true, r#"{"a":7,"b":4,"c":1}"#));
}

/// A query is judged by the entity after the change, whatever happened to the entity later.
#[tokio::test]
async fn a_change_that_is_repeated_after_others_has_the_entity_after_it() {
    let t = TestStates::create().await;
    t.known(&raw("1", "entityCreated", r#"{"alarm":false,"b":1,"c":1}"#, 100), at(100)).await;
    let removal = json!({
        "type": "entityUpdated", "timestamp": stamp(200), "data": { "alarm": true }, "changedAttributes": ["alarm", "c"],
    });
    let alarm = event("2", &removal);
    t.known(&alarm, at(200)).await;
    let known = r#"{"alarm":true,"b":1}"#;
    for (id, kind, data, expected) in [
        ("3", "entityUpdated", r#"{"alarm":false,"c":3}"#, known),
        ("4", "entityUpdated", r#"{"alarm":null,"c":4}"#, known),
        ("5", "entityDeleted", r#"{"b":5}"#, known),
        // What it has dropped cannot be found again.
        ("6", "entityCreated", r#"{"alarm":6,"d":6}"#, r#"{"alarm":true}"#),
    ] {
        let number: u64 = id.parse().unwrap();
        t.known(&raw(id, kind, data, 100 * number), at(100 * number)).await;
        let (_, states, present) = t.repeated(&alarm, at(60_000)).await;
        assert_eq!(after(&states).as_deref(), Some(expected), "{id}");
        let present = present.unwrap().data.map(|data| data.get().to_owned());
        assert_eq!(present, t.data("e", at(60_000)).await, "{id}");
    }
    let (_, states, _) = t.repeated(&raw("5", "entityDeleted", r#"{"b":5}"#, 500), at(60_000)).await;
    assert_eq!(after(&states), None);
    let (_, states, _) = t.repeated(&raw("6", "entityCreated", r#"{"alarm":6,"d":6}"#, 600), at(60_000)).await;
    assert_eq!(after(&states).unwrap(), r#"{"alarm":6,"d":6}"#);
}

/// Events wait while the function is throttled, and come after a minute for the first time.
#[tokio::test]
async fn a_change_that_comes_after_a_minute_for_the_first_time_knows_what_was_before() {
    let t = TestStates::create().await;
    t.known(&raw("1", "entityCreated", r#"{"a":1}"#, 100), at(100)).await;
    for (id, kind, millis, left) in [
        ("2", "entityUpdated", 50, Some(r#"{"a":1}"#)),
        ("3", "entityUpdated", 200, Some(r#"{"a":7}"#)),
        ("4", "entityDeleted", 300, None),
    ] {
        let before = t.data("e", at(60_000)).await;
        let (_, states) = t.applied(&raw(id, kind, r#"{"a":7}"#, millis), at(millis), at(60_000)).await;
        let FormerState::Data(data) = &states.before else { panic!("{id}: {states:?}") };
        assert_eq!((Some(data.get()), after(&states).as_deref()), (before.as_deref(), left), "{id}");
        assert!(states.may_be_repeated);
    }
    let (_, states) = t.applied(&raw("5", "entityCreated", r#"{"b":1}"#, 400), at(400), at(60_000)).await;
    assert!(matches!(states.before, FormerState::Absent), "{states:?}");
}

/// What a later creation or deletion has dropped cannot be found again.
#[tokio::test]
async fn a_change_that_is_repeated_after_a_creation_has_an_unknown_former_state() {
    for (kind, data) in [("entityCreated", r#"{"b":1}"#), ("entityDeleted", "{}")] {
        let t = TestStates::create().await;
        t.known(&raw("1", "entityCreated", r#"{"a":1,"b":2}"#, 100), at(100)).await;
        let removal = json!({
            "type": "entityUpdated", "timestamp": stamp(200), "data": { "b": 3 }, "changedAttributes": ["a"],
        });
        t.known(&event("2", &removal), at(200)).await;
        t.known(&raw("3", kind, data, 300), at(300)).await;
        let (_, states) = t.known(&event("2", &removal), at(60_000)).await;
        assert!(matches!(states.before, FormerState::Unknown), "{kind}: {states:?}");
    }
}

/// The change whose attempt failed is late now, and as old as the last value of the attribute.
#[tokio::test]
async fn a_late_change_after_a_minute_replaces_a_value_of_the_same_time() {
    let t = TestStates::create().await;
    t.known(&raw("1", "entityCreated", r#"{"a":1}"#, 100), at(100)).await;
    t.known(&raw("2", "entityUpdated", r#"{"b":1}"#, 200), at(200)).await;
    let (revision, states) = t.applied(&raw("3", "entityUpdated", r#"{"a":2}"#, 100), at(300), at(60_000)).await;
    assert_eq!((revision.is_late, after(&states).unwrap()), (true, r#"{"a":2,"b":1}"#.to_owned()));
}

#[tokio::test]
async fn an_entity_that_is_too_large_has_no_state_until_it_is_created_anew() {
    let t = TestStates::create().await;
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(200_000));
    let (created, _) = t.known(&raw("1", "entityCreated", &large, 100), at(100)).await;
    let more = format!(r#"{{"b":"{}"}}"#, "x".repeat(200_000));
    for is_repeated in [false, true] {
        match t.apply(&raw("2", "entityUpdated", &more, 200), at(200)).await {
            Applied::TooLarge { version, before: FormerState::Data(before), .. } if !is_repeated => {
                assert_eq!((version, before.get()), (created.version + 1, large.as_str()));
            }
            Applied::TooLarge { version, before: FormerState::Unknown, .. } if is_repeated => {
                assert_eq!(version, created.version + 1);
            }
            other => panic!("{other:?}"),
        }
    }
    // It left when it became too large. It does not leave again.
    for _ in ["first", "repeated"] {
        match t.apply(&raw("3", "entityUpdated", r#"{"c":1}"#, 300), at(300)).await {
            Applied::TooLarge { version, before: FormerState::Absent, .. } => assert_eq!(version, created.version + 2),
            other => panic!("{other:?}"),
        }
    }
    // Nor does it with a late change, and after a late deletion it is still there.
    for late in [raw("0", "entityUpdated", r#"{"c":0}"#, 50), raw("late", "entityDeleted", "{}", 150)] {
        match t.apply(&late, at(300)).await {
            Applied::TooLarge { before: FormerState::Absent, is_late: true, .. } => {}
            other => panic!("{other:?}"),
        }
    }
    // The change that made it too large comes once more.
    match t.apply(&raw("2", "entityUpdated", &more, 200), at(300)).await {
        Applied::TooLarge { before: FormerState::Unknown, .. } => {}
        other => panic!("{other:?}"),
    }
    assert!(t.state("e", at(300)).await.unwrap().is_too_large());
    let (_, states) = t.known(&raw("4", "entityCreated", r#"{"c":1}"#, 400), at(400)).await;
    assert_eq!(after(&states).unwrap(), r#"{"c":1}"#);
}

/// Times are often whole seconds. A change that is not recognised any more must not overwrite those that came after it.
#[tokio::test]
async fn a_repetition_with_the_time_of_newer_changes_sets_nothing_back() {
    let t = TestStates::create().await;
    let update = |number: u64| raw(&number.to_string(), "entityUpdated", &format!(r#"{{"a":{number}}}"#), 100);
    for number in 1..=10 {
        t.known(&update(number), at(200)).await;
    }
    let (revision, states) = t.applied(&update(1), at(200), at(60_000)).await;
    assert!(revision.is_late && matches!(states.before, FormerState::Unknown));
    assert_eq!(after(&states).unwrap(), r#"{"a":10}"#);
    // A continuation comes within a second.
    let Applied::Known { revision, states, .. } = t.table.apply_again(&update(1), at(200), at(300)).await.unwrap()
    else {
        panic!("the entity is small")
    };
    assert!(revision.is_late && matches!(states.before, FormerState::Unknown));
    assert_eq!(t.data("e", at(300)).await.unwrap(), r#"{"a":10}"#);
}

/// The same for a deletion: the entity was created anew in the same second.
#[tokio::test]
async fn a_repeated_deletion_with_the_time_of_newer_changes_removes_nothing() {
    let t = TestStates::create().await;
    let deletion = raw("2", "entityDeleted", "{}", 100);
    t.known(&raw("1", "entityCreated", r#"{"a":1}"#, 100), at(200)).await;
    t.known(&deletion, at(200)).await;
    t.known(&raw("3", "entityCreated", r#"{"a":3}"#, 100), at(200)).await;
    for number in 4..=12 {
        t.known(&raw(&number.to_string(), "entityUpdated", r#"{"b":1}"#, 100), at(200)).await;
    }
    let before = t.state("e", at(200)).await;
    let (revision, _) = t.applied(&deletion, at(200), at(60_000)).await;
    assert!(revision.is_late);
    assert_eq!(t.state("e", at(200)).await, before);
}

/// The second one waited, so it may be a repetition. The attribute was measured before it was removed.
#[tokio::test]
async fn a_removed_attribute_comes_back_with_a_newer_change_that_waited() {
    let t = TestStates::create().await;
    let change = |id: &str, time: &str, millis: u64, data: serde_json::Value, changed: &[&str]| {
        let detail =
            json!({ "type": "entityUpdated", "timestamp": stamp(millis), "data": data, "changedAttributes": changed });
        Event::new(id, time, event(id, &detail).change().clone())
    };
    t.known(&raw("1", "entityCreated", r#"{"a":1,"b":1}"#, 100), at(100)).await;
    let removal = change("2", "2026-09-21T14:13:20Z", 200, json!({ "b": 2 }), &["a", "b"]);
    let last = change("4", "2026-09-21T14:13:22Z", 400, json!({ "b": 4 }), &["b"]);
    for event in [removal, last] {
        t.known(&event, at(2_000)).await;
    }
    let measured = json!({ "a": { "value": 3, "observedAt": stamp(120) } });
    let waited = change("3", "2026-09-21T14:13:21Z", 300, measured, &["a"]);
    let (revision, states) = t.applied(&waited, at(1_000), at(61_000)).await;
    assert!(revision.is_late && after(&states).unwrap().contains(r#""value":3"#), "{states:?}");
}

/// Events of a publisher without timestamps have the bus's whole seconds. The state of the second one could not be written at first.
#[tokio::test]
async fn a_change_with_the_time_of_another_that_is_applied_after_a_minute_counts() {
    for (kind, data, left) in [
        ("entityUpdated", r#"{"a":21}"#, Some(r#"{"a":21}"#)),
        ("entityDeleted", "{}", None),
        ("entityCreated", r#"{"b":1}"#, Some(r#"{"b":1}"#)),
    ] {
        let t = TestStates::create().await;
        t.known(&raw("1", "entityCreated", r#"{"a":20}"#, 100), at(100)).await;
        let second = raw("2", kind, data, 100);
        let (revision, _) = t.applied(&second, at(100), at(60_000)).await;
        assert!(!revision.is_late, "{kind}");
        assert_eq!(t.data("e", at(60_000)).await.as_deref(), left, "{kind}");
    }
}

/// The same, but the entity has changed once more meanwhile.
#[tokio::test]
async fn a_change_that_came_to_the_bus_before_the_last_one_sets_nothing_back() {
    let t = TestStates::create().await;
    let change =
        |id: &str, time: &str, data: &str| Event::new(id, time, raw(id, "entityUpdated", data, 100).change().clone());
    t.known(&raw("1", "entityCreated", r#"{"a":20}"#, 100), at(100)).await;
    t.known(&change("3", "2026-09-21T14:13:22Z", r#"{"a":22}"#), at(2_000)).await;
    let second = change("2", "2026-09-21T14:13:21Z", r#"{"a":21}"#);
    let (revision, _) = t.applied(&second, at(1_000), at(61_000)).await;
    assert!(revision.is_late);
    assert_eq!(t.data("e", at(61_000)).await.unwrap(), r#"{"a":22}"#);
}

/// Small changes of an entity that is nearly too large. The quick way does not know its size.
#[tokio::test]
async fn small_changes_never_make_an_item_too_large() {
    let t = TestStates::create().await;
    let large = |name: usize| format!(r#""a{name}":"{}""#, "x".repeat(28_000));
    let all: Vec<_> = (0..12).map(large).collect();
    t.known(&raw("0", "entityCreated", &format!("{{{}}}", all.join(",")), 100), at(100)).await;
    for number in 1..=12 {
        let change = format!("{{{}}}", large(number - 1));
        let millis = 100 + 100 * u64::try_from(number).unwrap();
        let (_, states) = t.known(&raw(&number.to_string(), "entityUpdated", &change, millis), at(millis)).await;
        assert_eq!(after(&states), t.data("e", at(millis)).await);
    }
    // With more, there is no state, and changes go on.
    for number in 13..=20 {
        let change = format!("{{{}}}", large(number));
        let millis = 100 + 100 * u64::try_from(number).unwrap();
        t.apply(&raw(&number.to_string(), "entityUpdated", &change, millis), at(millis)).await;
    }
    assert!(t.state("e", at(3_000)).await.unwrap().is_too_large());
}

#[tokio::test]
async fn the_time_of_an_attribute_is_its_own_or_the_arrival_if_that_can_be_none() {
    for (own, wins) in [
        (json!({ "observedAt": stamp(900), "modifiedAt": stamp(100) }), true),
        (json!({ "observedAt": stamp(100), "modifiedAt": stamp(900) }), false),
        (json!({ "modifiedAt": stamp(100) }), false),
        // The arrival is at 1,000 ms.
        (json!({ "observedAt": stamp(400_000), "modifiedAt": stamp(100) }), true),
        (json!({ "observedAt": "yesterday", "modifiedAt": stamp(100) }), true),
        (json!({ "modifiedAt": stamp(400_000) }), true),
        (json!({ "observedAt": 7, "modifiedAt": stamp(100) }), false),
    ] {
        let t = TestStates::create().await;
        t.known(&raw("1", "entityCreated", r#"{"a":{"value":1}}"#, 500), at(500)).await;
        let mut attribute = own.clone();
        attribute["value"] = json!(2);
        let data = json!({ "a": attribute }).to_string();
        let (_, states) = t.known(&raw("2", "entityUpdated", &data, 500), at(1_000)).await;
        assert_eq!(after(&states).unwrap().contains(r#""value":2"#), wins, "{own}");
    }
}

#[tokio::test]
async fn the_time_of_a_change_is_its_timestamp_if_that_can_be_one() {
    let t = TestStates::create().await;
    let with = |id: &str, timestamp: &str, value: u32| {
        event(id, &json!({ "type": "entityUpdated", "timestamp": timestamp, "data": { "a": value } }))
    };
    // The clock is at 1,000 ms.
    let (first, _) = t.known(&with("1", &stamp(500), 1), at(1_000)).await;
    let (late, states) = t.known(&with("2", &stamp(400), 2), at(1_000)).await;
    assert_eq!((late.is_late, late.version, after(&states).unwrap()), (true, first.version, r#"{"a":1}"#.to_owned()));
    // A time that is far ahead, or is none, counts as the arrival.
    for (id, timestamp) in [("3", stamp(400_000)), ("4", "yesterday".to_owned()), ("5", String::new())] {
        let (revision, _) = t.known(&with(id, &timestamp, 3), at(1_000)).await;
        assert!(!revision.is_late, "{timestamp}");
    }
    let (ahead, _) = t.known(&with("6", &stamp(200_000), 6), at(1_000)).await;
    let (behind, states) = t.known(&with("7", &stamp(1_500), 7), at(2_000)).await;
    assert_eq!((ahead.is_late, behind.is_late, after(&states).unwrap()), (false, true, r#"{"a":6}"#.to_owned()));
}
