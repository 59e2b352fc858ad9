use serde_json::value::RawValue;

use super::*;
use crate::entity_states::{FormerState, PresentEntity};
use crate::format::Format;
use crate::limits::{
    CONTEXT_BYTES, ENTITY_ID_LENGTH, ENTITY_TYPE_LENGTH, ENTITY_TYPES, EVENT_ID_BYTES, MESSAGE_BYTES, POSITION_LENGTH,
    SERVICE_PATH_LENGTH, TENANT_LENGTH, TIMESTAMP_LENGTH,
};
use crate::message_form::MessageForm;
use crate::subscription_name::SubscriptionName;
use crate::view::{Representation, View};

fn event(detail: &str) -> Event {
    Event::new("9c1e", "2026-01-02T03:04:05Z", EntityChange::parse(detail).unwrap())
}

#[test]
fn an_event_carries_data_byte_for_byte() {
    let detail = r#"{"type":"entityUpdated","tenant":"SmartCity","entityId":"urn:1","entityType":"Room","data":{"z":1.0,"a":12345678901234567890},"changedAttributes":["z"],"timestamp":"2024-01-01T00:00:00Z"}"#;
    assert_eq!(
        event(detail).message(&Format::Json.into()),
        r#"{"type":"entityUpdated","id":"9c1e","tenant":"smartcity","servicePath":"/","entityId":"urn:1","entityType":"Room","data":{"z":1.0,"a":12345678901234567890},"changedAttributes":["z"],"timestamp":"2024-01-01T00:00:00Z"}"#
    );
}

#[test]
fn an_event_carries_its_context_byte_for_byte() {
    let context = r#"["https://c.example.org" ,"https://d"]"#;
    let detail = format!(
        r#"{{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{{"a":1}},"@context":{context}}}"#
    );
    for message in
        [event(&detail).message(&Format::Json.into()), event(&detail).truncated_message(&Format::CloudEvents.into())]
    {
        assert!(message.contains(&format!(r#","@context":{context},"timestamp""#)), "{message}");
    }
    let left = MessageForm { has_left: true, ..MessageForm::default() };
    assert!(!event(&detail).message(&left).contains("@context"));
}

#[test]
fn the_form_decides_what_a_message_shows() {
    let detail = r#"{"type":"entityUpdated","tenant":"t","entityId":"urn:1","entityType":"Room","data":{"a":{"type":"Property","value":1.0},"b":{"type":"Property","value":2}}}"#;
    let form = MessageForm {
        view: View::new(["a"], Representation::KeyValues).unwrap(),
        subscriptions: vec![SubscriptionName::DEFAULT, SubscriptionName::parse("map").unwrap()],
        ..MessageForm::default()
    };
    let message = event(detail).message(&form);
    assert!(message.contains(r#""data":{"a":1.0},"#) && message.contains(r#""subscriptions":["","map"]"#), "{message}");
}

#[test]
fn a_cloud_event_wraps_the_same_object() {
    let detail = r#"{"type":"entityDeleted","tenant":"t","entityId":"urn:1","entityType":["A","B"]}"#;
    assert_eq!(
        event(detail).message(&Format::CloudEvents.into()),
        r#"{"specversion":"1.0","id":"9c1e","source":"/tenants/t","type":"entityDeleted","subject":"urn:1","time":"2026-01-02T03:04:05Z","datacontenttype":"application/json","data":{"type":"entityDeleted","id":"9c1e","tenant":"t","servicePath":"/","entityId":"urn:1","entityType":["A","B"],"data":{},"timestamp":"2026-01-02T03:04:05Z"}}"#
    );
}

#[test]
fn a_cloud_event_has_the_time_of_the_bus_if_the_timestamp_has_another_form() {
    for (timestamp, time) in [
        ("2026-05-06T07:08:09.5+02:00", "2026-05-06T07:08:09.5+02:00"),
        ("yesterday", "2026-01-02T03:04:05Z"),
        ("", "2026-01-02T03:04:05Z"),
    ] {
        let detail = serde_json::json!({
            "type": "entityUpdated", "tenant": "t", "entityId": "i", "entityType": "T", "timestamp": timestamp,
        });
        let message = event(&detail.to_string()).message(&Format::CloudEvents.into());
        let message: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!((&message["time"], &message["data"]["timestamp"]), (&time.into(), &timestamp.into()));
    }
}

#[test]
fn an_event_over_the_limit_of_api_gateway_is_truncated() {
    let data = format!(r#"{{"blob":"{}"}}"#, "x".repeat(MESSAGE_BYTES));
    let detail = format!(r#"{{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{data}}}"#);
    let message: serde_json::Value = serde_json::from_str(&event(&detail).message(&Format::Json.into())).unwrap();
    assert_eq!(message["truncated"], true);
    assert_eq!(message["dataBytes"], data.len());
    assert_eq!(message["data"], serde_json::json!({}));
    assert_eq!(message["entityId"], "i");
}

#[test]
fn an_event_of_the_history_says_so_and_has_its_position() {
    let detail = r#"{"type":"entityDeleted","tenant":"t","entityId":"i","entityType":"T"}"#;
    let position = Position::parse("0a").unwrap();
    assert_eq!(
        event(detail).at(position.clone()).message(&Format::Json.into()),
        r#"{"type":"entityDeleted","id":"9c1e","tenant":"t","servicePath":"/","entityId":"i","entityType":"T","data":{},"timestamp":"2026-01-02T03:04:05Z","position":"0a"}"#
    );
    assert_eq!(
        event(detail).at(position).replayed(Some(200_000)).message(&Format::Json.into()),
        r#"{"type":"entityDeleted","id":"9c1e","tenant":"t","servicePath":"/","entityId":"i","entityType":"T","data":{},"truncated":true,"dataBytes":200000,"timestamp":"2026-01-02T03:04:05Z","position":"0a","replayed":true}"#
    );
}

fn revised(detail: &str, previous: Option<&str>, after: Option<&str>, is_late: bool) -> Event {
    let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
    let mut event = event(detail);
    let revision = Revision { version: 7, is_late, is_partial: true, previous: previous.map(raw) };
    event
        .revise(revision, EntityStates { before: FormerState::Unknown, after: after.map(raw), may_be_repeated: false });
    event
}

fn viewing(whole_entity: bool, show_changes: bool) -> MessageForm {
    MessageForm { view: View::default().with_state(whole_entity, show_changes), ..MessageForm::default() }
}

const UPDATE: &str =
    r#"{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{"a":1},"timestamp":"now"}"#;
const ENVELOPE: &str = r#""id":"9c1e","tenant":"t","servicePath":"/","entityId":"i","entityType":"T""#;

#[test]
fn the_view_decides_what_of_the_state_a_message_shows() {
    let event = revised(UPDATE, Some(r#"{"a":0}"#), Some(r#"{"a":1,"b":2}"#), false);
    for (form, rest) in [
        (viewing(false, false), r#","data":{"a":1},"timestamp":"now","version":7}"#),
        (viewing(false, true), r#","data":{"a":1},"previous":{"a":0},"timestamp":"now","version":7}"#),
        (viewing(true, false), r#","data":{"a":1,"b":2},"timestamp":"now","version":7,"partial":true}"#),
    ] {
        assert_eq!(event.message(&form), format!(r#"{{"type":"entityUpdated",{ENVELOPE}{rest}"#));
    }
    let left = MessageForm { has_left: true, ..MessageForm::default() };
    let expected = format!(r#"{{"type":"entityLeft",{ENVELOPE},"timestamp":"now","version":7}}"#);
    assert_eq!(event.message(&left), expected);
    let snapshot = event.into_snapshot().message(&viewing(false, false));
    assert!(
        snapshot.starts_with(r#"{"type":"entitySnapshot","#) && snapshot.contains(r#""partial":true"#),
        "{snapshot}"
    );
}

#[test]
fn a_view_of_the_whole_entity_shows_a_late_change_as_what_the_entity_is_now() {
    let deletion = UPDATE.replace("entityUpdated", "entityDeleted");
    for (detail, after, shown) in [
        (UPDATE, Some(r#"{"a":2}"#), "entityUpdated"),
        (UPDATE, None, "entityDeleted"),
        (&deletion, Some(r#"{"a":2}"#), "entityUpdated"),
        (&deletion, None, "entityDeleted"),
    ] {
        let event = revised(detail, None, after, true);
        let message = event.message(&viewing(true, false));
        assert!(message.contains(&format!(r#""type":"{shown}""#)) && message.contains(r#""late":true"#), "{message}");
        let published = event.message(&viewing(false, false));
        assert!(published.starts_with(&detail[..22]), "{published}");
    }
}

/// The first attempt failed, and the entity changed again before the second.
#[test]
fn a_view_of_the_whole_entity_shows_a_repeated_change_as_what_the_entity_is_now() {
    let creation = UPDATE.replace("entityUpdated", "entityCreated");
    let deletion = UPDATE.replace("entityUpdated", "entityDeleted");
    for (detail, after, shown, data) in [
        (UPDATE, None, "entityDeleted", "{}"),
        (&creation, None, "entityDeleted", "{}"),
        // The publisher may describe what it deleted.
        (&deletion, None, "entityDeleted", r#"{"a":1}"#),
        (&deletion, Some(r#"{"a":2}"#), "entityUpdated", r#"{"a":2}"#),
    ] {
        let message = revised(detail, Some(r#"{"a":0}"#), after, false).message(&viewing(true, true));
        let has = |text: String| message.contains(&text);
        assert!(has(format!(r#""type":"{shown}""#)) && has(format!(r#""data":{data},"#)), "{message}");
        assert_eq!(message.contains("previous"), after.is_some(), "{message}");
    }
    let published = revised(UPDATE, None, None, false).message(&viewing(false, false));
    assert!(published.contains(r#""type":"entityUpdated""#) && published.contains(r#""data":{"a":1}"#), "{published}");
}

/// The entity changed again before the event was delivered.
#[test]
fn only_a_view_of_the_whole_entity_shows_the_present_entity() {
    let mut event = revised(UPDATE, None, Some(r#"{"a":1}"#), false);
    let data = RawValue::from_string(r#"{"a":2}"#.to_owned()).unwrap();
    event.show_present(PresentEntity { data: Some(data), is_partial: false });
    for (is_whole, data) in [(false, r#"{"a":1}"#), (true, r#"{"a":2}"#)] {
        let rest = format!(r#""data":{data},"timestamp":"now","version":7}}"#);
        assert_eq!(event.message(&viewing(is_whole, false)), format!(r#"{{"type":"entityUpdated",{ENVELOPE},{rest}"#));
    }
    event.show_present(PresentEntity { data: None, is_partial: false });
    assert!(event.message(&viewing(true, false)).starts_with(r#"{"type":"entityDeleted","#));
    assert!(event.message(&viewing(false, false)).starts_with(r#"{"type":"entityUpdated","#));
}

#[test]
fn an_entity_that_became_too_large_leaves_with_its_version() {
    let mut event = event(UPDATE);
    event.outgrow(7, false, FormerState::Unknown);
    let left = MessageForm { has_left: true, ..MessageForm::default() };
    let expected = format!(r#"{{"type":"entityLeft",{ENVELOPE},"timestamp":"now","version":7}}"#);
    assert_eq!(event.message(&left), expected);
    let published = event.message(&viewing(true, true));
    let rest = r#""data":{"a":1},"timestamp":"now","state":"unavailable"}"#;
    assert_eq!(published, format!(r#"{{"type":"entityUpdated",{ENVELOPE},{rest}"#));
}

#[test]
fn an_entity_that_is_too_large_to_be_kept_outlives_a_late_deletion() {
    let mut event = event(&UPDATE.replace("entityUpdated", "entityDeleted").replace(r#"{"a":1}"#, "{}"));
    event.outgrow(7, true, FormerState::Absent);
    let mirror = event.message(&viewing(true, false));
    let rest = r#""data":{},"timestamp":"now","late":true,"state":"unavailable"}"#;
    assert_eq!(mirror, format!(r#"{{"type":"entityUpdated",{ENVELOPE},{rest}"#));
    assert_eq!(event.message(&viewing(false, false)), mirror.replace("entityUpdated", "entityDeleted"));
}

#[test]
fn there_are_no_former_values_if_the_view_hides_all_of_them() {
    let view = View::new(["b"], Representation::Normalized).unwrap().with_state(false, true);
    let form = MessageForm { view, ..MessageForm::default() };
    let of = |previous| revised(UPDATE, Some(previous), Some(r#"{"a":1}"#), false).message(&form);
    assert!(!of(r#"{"a":0}"#).contains("previous"));
    assert!(of(r#"{"a":0,"b":0}"#).contains(r#""previous":{"b":0}"#));
}

#[test]
fn former_values_go_before_the_data_if_a_message_is_too_large() {
    let large = |name: &str| format!(r#"{{"{name}":"{}"}}"#, "x".repeat(80_000));
    let detail = UPDATE.replace(r#"{"a":1}"#, &large("a"));
    let message = revised(&detail, Some(&large("a")), Some(&large("a")), false).message(&viewing(false, true));
    assert!(!message.contains("previous") && !message.contains("truncated") && message.len() > 80_000);
    let whole = format!(r#"{{"a":"{}"}}"#, "x".repeat(MESSAGE_BYTES));
    let message = revised(UPDATE, None, Some(&whole), false).message(&viewing(true, false));
    assert!(message.contains(r#""data":{},"truncated":true,"dataBytes":131080"#), "{message}");
    assert!(message.contains(r#""partial":true"#));
}

/// Control characters are the characters with the longest form in JSON.
#[test]
fn a_truncated_message_always_fits() {
    let longest = |length| "\u{1}".repeat(length);
    let detail = serde_json::json!({
        "type": "entityUpdated",
        "tenant": "t".repeat(TENANT_LENGTH),
        "entityId": longest(ENTITY_ID_LENGTH),
        "entityType": vec![longest(ENTITY_TYPE_LENGTH); ENTITY_TYPES],
        "servicePath": longest(SERVICE_PATH_LENGTH),
        "timestamp": longest(TIMESTAMP_LENGTH),
        "@context": "x".repeat(CONTEXT_BYTES - 2),
        "changedAttributes": (0..40_000).map(|i| format!("attribute{i}")).collect::<Vec<_>>(),
    });
    let change = EntityChange::parse(&detail.to_string()).unwrap();
    let event = Event::new(longest(EVENT_ID_BYTES), "2026-01-02T03:04:05Z", change)
        .at(Position::parse("~".repeat(POSITION_LENGTH)).unwrap())
        .replayed(None);
    for format in [Format::Json, Format::CloudEvents] {
        let length = event.message(&format.into()).len();
        assert!(length <= MESSAGE_BYTES, "{length}");
    }
}
