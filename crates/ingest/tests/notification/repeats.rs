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
fn a_change_after_a_deletion_without_deleted_at_is_later_than_that() {
    let own = "2026-01-02T03:04:00Z";
    let entity = |kind: &str, time: Option<&str>| {
        let mut entity = json!({ "id": "a", "type": "Room", "alterationType": kind });
        if let Some(time) = time {
            entity["dateModified"] = json!(time);
        }
        entity
    };
    let later = "2026-01-02T03:04:05.678001Z";
    for (of_deletion, of_creation) in
        [(Some(own), Some(own)), (Some(own), Some("2026-01-02T03:04:01Z")), (None, Some(own)), (Some(own), None)]
    {
        let told = changes(&v2(&[entity("entityDelete", of_deletion), entity("entityCreate", of_creation)]));
        assert_eq!(times(&told), [RECEIVED, later], "{of_deletion:?} {of_creation:?}");
    }
    let older = entity("entityChange", Some("2026-01-02T03:03:00Z"));
    let told = changes(&v2(&[entity("entityDelete", Some(own)), older]));
    assert_eq!(times(&told), [RECEIVED, "2026-01-02T03:03:00Z"], "the broker tells that it is late");
    // The time of the deletion counts if it is the entity's own.
    let told = changes(
        &json!({ "type": "Notification", "data": [
            { "id": "a", "type": "Room", "deletedAt": "2026-01-02T03:04:02Z" },
            { "id": "a", "type": "Room", "x": 1, "modifiedAt": own },
        ] })
        .to_string(),
    );
    assert_eq!(times(&told), ["2026-01-02T03:04:02Z", own]);
}

#[test]
fn late_repeats_of_the_same_time_follow_each_other() {
    let (older, newer) = ("2026-01-02T03:04:05Z", "2026-01-02T03:04:10Z");
    let told = changes(&v2(&[newer, older, older, older, newer].map(|time| modified("a", time))));
    let expected =
        [newer, older, "2026-01-02T03:04:05.000001Z", "2026-01-02T03:04:05.000002Z", "2026-01-02T03:04:10.000001Z"];
    assert_eq!(times(&told), expected);
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
