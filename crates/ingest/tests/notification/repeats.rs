//! An entity that occurs several times in a notification: the last one is the newest.

use serde_json::{Value, json};

use crate::{RECEIVED, changes, changes_with, facts};

fn times(changes: &[Value]) -> Vec<&str> {
    changes.iter().map(|change| change["timestamp"].as_str().unwrap()).collect()
}

fn v2(entities: &[Value]) -> String {
    json!({ "subscriptionId": "1", "data": entities }).to_string()
}

fn modified(id: &str, time: &str) -> Value {
    json!({ "id": id, "type": "Room", "x": 1, "dateModified": time })
}

#[test]
fn a_repeat_at_the_same_time_is_later_by_a_microsecond() {
    let room = |id: &str| json!({ "id": id, "type": "Room", "x": 1 });
    let told = changes(&v2(&[room("a"), room("a"), room("b"), room("a")]));
    assert_eq!(
        times(&told),
        [RECEIVED, "2026-01-02T03:04:05.678001Z", RECEIVED, "2026-01-02T03:04:05.678002Z"],
        "each entity for itself"
    );
    let same = modified("a", "2026-01-02T12:04:05+09:00");
    let told = changes(&v2(&[same.clone(), same.clone(), same]));
    let expected = ["2026-01-02T12:04:05+09:00", "2026-01-02T03:04:05.000001Z", "2026-01-02T03:04:05.000002Z"];
    assert_eq!(times(&told), expected);
}

#[test]
fn a_repeat_keeps_its_own_time_if_the_broker_tells_another() {
    let (older, newer) = ("2026-01-02T03:04:05.25Z", "2026-01-02T03:04:05.5Z");
    assert_eq!(times(&changes(&v2(&[modified("a", older), modified("a", newer)]))), [older, newer]);
    assert_eq!(times(&changes(&v2(&[modified("a", newer), modified("a", older)]))), [newer, older], "it is late");
    // The time of arrival is not the entity's own.
    let ahead = "2026-01-02T03:04:06Z";
    let told = changes(&v2(&[modified("a", ahead), json!({ "id": "a", "type": "Room", "x": 2 })]));
    assert_eq!(times(&told), [ahead, "2026-01-02T03:04:06.000001Z"]);
}

#[test]
fn the_same_id_below_another_service_path_is_another_entity() {
    let mut facts = facts();
    facts.service_paths = vec!["/a".to_owned(), "/b".to_owned()];
    let room = json!({ "id": "r", "type": "Room" });
    let told = changes_with(&v2(&[room.clone(), room]), &facts);
    assert_eq!(times(&told), [RECEIVED, RECEIVED]);
}

#[test]
fn the_last_moment_of_the_calendar_has_no_later_one() {
    let last = "9999-12-31T23:59:59.999999Z";
    assert_eq!(times(&changes(&v2(&[modified("a", last), modified("a", last)]))), [last, last]);
}
