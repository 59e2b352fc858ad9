//! The frames that clients receive, written from one change.
//!
//! Invariant: no frame is larger than [`MESSAGE_BYTES`]. `previous` goes first, then `data`, then the list of changed attributes;
//! the limits of the other fields keep the rest below it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::cloud_event::CloudEvent;
use crate::entity_change::EntityChange;
use crate::entity_states::EntityStates;
use crate::event_message::EventMessage;
use crate::event_type::EventType;
use crate::format::Format;
use crate::json::empty_object;
use crate::limits::MESSAGE_BYTES;
use crate::message_form::MessageForm;
use crate::position::Position;
use crate::revision::{Revision, StateNotice};
use crate::rfc3339::is_rfc3339;

/// An entity change with the id and time that EventBridge gave it. The server writes the messages to clients from it.
#[derive(Clone, Debug)]
pub struct Event {
    id: String,
    time: String,
    change: EntityChange,
    position: Option<Position>,
    is_replayed: bool,
    /// The size of the data, if this event is known without it.
    left_out: Option<u64>,
    revision: Option<Revision>,
    states: Option<EntityStates>,
    has_no_state: bool,
    is_snapshot: bool,
}

impl Event {
    /// An event from its envelope's `id`, its envelope's `time`, which is in RFC 3339, and its `detail`.
    pub fn new(id: impl Into<String>, time: impl Into<String>, change: EntityChange) -> Self {
        Self {
            id: id.into(),
            time: time.into(),
            change,
            position: None,
            is_replayed: false,
            left_out: None,
            revision: None,
            states: None,
            has_no_state: false,
            is_snapshot: false,
        }
    }

    /// The event with its place in the history.
    #[must_use]
    pub fn at(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    /// The event as it comes from the history: without its data, of this many bytes, if it was too large to be kept.
    #[must_use]
    pub fn replayed(self, left_out: Option<u64>) -> Self {
        Self { is_replayed: true, left_out, ..self }
    }

    /// The event with the effect of its change on the state of the entity.
    #[must_use]
    pub fn revised(self, revision: Option<Revision>) -> Self {
        Self { revision, ..self }
    }

    /// The message that tells a client the current entity. The change has all attributes.
    #[must_use]
    pub fn into_snapshot(self) -> Self {
        Self { is_snapshot: true, ..self }
    }

    /// The time of the bus, in RFC 3339.
    pub fn time(&self) -> &str {
        &self.time
    }

    /// The place of the event in the history, if it has one.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Gives the event its place in the history.
    pub fn place(&mut self, position: Position) {
        self.position = Some(position);
    }

    /// The effect of the change on the state of the entity. `None`: it has no state, or none is kept.
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// The entity before and after the change, if that is known.
    pub fn states(&self) -> Option<&EntityStates> {
        self.states.as_ref()
    }

    /// Records the effect of the change on the state of the entity.
    pub fn revise(&mut self, revision: Revision, states: EntityStates) {
        self.revision = Some(revision);
        self.states = Some(states);
        self.has_no_state = false;
    }

    /// Records that the entity has no state. The event says so.
    pub fn set_without_state(&mut self) {
        self.revision = None;
        self.states = None;
        self.has_no_state = true;
    }

    /// True if the entity has no state although the service keeps states.
    pub fn has_no_state(&self) -> bool {
        self.has_no_state
    }

    /// True if the event is known without its data.
    pub fn is_left_out(&self) -> bool {
        self.left_out.is_some()
    }

    /// The event's id. It is the same for every receiver and every redelivery.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The change.
    pub fn change(&self) -> &EntityChange {
        &self.change
    }

    /// The text frame for every connection with this form. An event that is larger than API Gateway's limit is truncated.
    pub fn message(&self, form: &MessageForm) -> String {
        if form.has_left {
            return self.render(form.format, self.body(form));
        }
        if self.left_out.is_some() {
            return self.truncated_message(form);
        }
        let data = self.data(form);
        let data = Some(form.view.apply(&data));
        let previous = self.previous(form);
        let whole = EventMessage { data, previous, ..self.body(form) };
        let message = self.render(form.format, whole.clone());
        if message.len() <= MESSAGE_BYTES {
            return message;
        }
        if whole.previous.is_some() {
            let message = self.render(form.format, EventMessage { previous: None, ..whole });
            if message.len() <= MESSAGE_BYTES {
                return message;
            }
        }
        self.truncated_message(form)
    }

    /// The text frame without `data`. It is never larger than API Gateway's limit.
    pub fn truncated_message(&self, form: &MessageForm) -> String {
        if form.has_left {
            return self.render(form.format, self.body(form));
        }
        let data_bytes = self.left_out.or_else(|| u64::try_from(self.data(form).get().len()).ok());
        let data = Some(Cow::Owned(empty_object()));
        let body = self.body(form);
        // The client gets no part of the entity, although it asked for all of it.
        let partial = body.partial || self.shows_entity(form);
        let truncated = EventMessage { data, truncated: true, data_bytes, partial, ..body };
        let message = self.render(form.format, truncated.clone());
        if message.len() <= MESSAGE_BYTES {
            return message;
        }
        // Only a list of thousands of attributes is that long. The length of every other field is limited.
        self.render(form.format, EventMessage { changed_attributes: None, ..truncated })
    }

    /// True if the message shows the entity as it is now, and not only the change.
    fn shows_entity(&self, form: &MessageForm) -> bool {
        self.is_snapshot || form.view.shows_whole_entity()
    }

    /// The data before the view selects from it. A late change of a deleted entity has none in a view of the whole entity.
    fn data(&self, form: &MessageForm) -> Cow<'_, RawValue> {
        let whole = self.states.as_ref().filter(|_| form.view.shows_whole_entity());
        match whole.and_then(|states| states.after.as_deref()) {
            Some(whole) => Cow::Borrowed(whole),
            None if whole.is_some() && self.is_late() => Cow::Owned(empty_object()),
            None => Cow::Borrowed(&self.change.data),
        }
    }

    fn is_late(&self) -> bool {
        self.revision.as_ref().is_some_and(|revision| revision.is_late)
    }

    fn previous<'a>(&'a self, form: &MessageForm) -> Option<Cow<'a, RawValue>> {
        let previous = self.revision.as_ref()?.previous.as_deref();
        previous.filter(|_| form.view.shows_changes()).map(|previous| form.view.apply(previous))
    }

    /// A view of the whole entity shows a change that is late as what the entity is now: the change itself is history.
    fn event_type(&self, form: &MessageForm) -> EventType {
        if form.has_left {
            return EventType::EntityLeft;
        }
        if self.is_snapshot {
            return EventType::EntitySnapshot;
        }
        match &self.states {
            Some(states) if self.is_late() && form.view.shows_whole_entity() => match states.after {
                Some(_) => EventType::EntityUpdated,
                None => EventType::EntityDeleted,
            },
            _ => self.change.change_type.into(),
        }
    }

    /// The message without `data`.
    fn body<'a>(&'a self, form: &'a MessageForm) -> EventMessage<'a> {
        let event_type = self.event_type(form);
        let is_update = event_type == EventType::EntityUpdated;
        let changed_attributes = self.change.changed_attributes.as_deref().filter(|_| is_update);
        let revision = self.revision.as_ref();
        EventMessage {
            event_type,
            id: self.id.as_str().into(),
            tenant: self.change.tenant.as_str().into(),
            service_path: self.change.service_path.as_str().into(),
            entity_id: self.change.entity_id.as_str().into(),
            entity_type: Cow::Borrowed(&self.change.entity_types),
            data: None,
            truncated: false,
            data_bytes: None,
            changed_attributes: changed_attributes.map(Cow::Borrowed),
            previous: None,
            // A message without attributes has no names to explain.
            context: self.change.context.as_deref().filter(|_| !form.has_left).map(Cow::Borrowed),
            timestamp: self.change.timestamp.as_deref().unwrap_or(&self.time).into(),
            subscriptions: (!form.subscriptions.is_empty()).then_some(Cow::Borrowed(form.subscriptions.as_slice())),
            position: self.position.clone(),
            replayed: self.is_replayed,
            version: revision.map(|revision| revision.version),
            late: self.is_late(),
            // Changed attributes say nothing of the rest.
            partial: revision.is_some_and(|revision| revision.is_partial) && !form.has_left && self.shows_entity(form),
            state: self.has_no_state.then_some(StateNotice::Unavailable),
        }
    }

    /// The time of the change in RFC 3339, which CloudEvents requires: the bus's time if the publisher's timestamp has
    /// another form.
    fn rfc3339(&self) -> &str {
        self.change.timestamp.as_deref().filter(|timestamp| is_rfc3339(timestamp)).unwrap_or(&self.time)
    }

    fn render<'a>(&'a self, format: Format, body: EventMessage<'a>) -> String {
        match format {
            Format::Json => body.to_json(),
            Format::CloudEvents => CloudEvent::new(self.rfc3339(), body).to_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity_states::FormerState;
    use crate::limits::{
        CONTEXT_BYTES, ENTITY_ID_LENGTH, ENTITY_TYPE_LENGTH, ENTITY_TYPES, EVENT_ID_BYTES, POSITION_LENGTH,
        SERVICE_PATH_LENGTH, TENANT_LENGTH, TIMESTAMP_LENGTH,
    };
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
        for message in [
            event(&detail).message(&Format::Json.into()),
            event(&detail).truncated_message(&Format::CloudEvents.into()),
        ] {
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
        assert!(
            message.contains(r#""data":{"a":1.0},"#) && message.contains(r#""subscriptions":["","map"]"#),
            "{message}"
        );
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
        let detail =
            format!(r#"{{"type":"entityUpdated","tenant":"t","entityId":"i","entityType":"T","data":{data}}}"#);
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
        event.revise(revision, EntityStates { before: FormerState::Unknown, after: after.map(raw) });
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
            assert!(
                message.contains(&format!(r#""type":"{shown}""#)) && message.contains(r#""late":true"#),
                "{message}"
            );
            let published = event.message(&viewing(false, false));
            assert!(published.starts_with(&detail[..22]), "{published}");
        }
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
}
