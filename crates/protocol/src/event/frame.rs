//! The frames that clients receive, written from one change.
//!
//! Invariant: no frame is larger than [`MESSAGE_BYTES`]. `previous` goes first, then `data`, then the list of changed attributes;
//! the limits of the other fields keep the rest below it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Event;
use crate::change_type::ChangeType;
use crate::cloud_event::CloudEvent;
use crate::event_message::EventMessage;
use crate::event_type::EventType;
use crate::format::Format;
use crate::json::empty_object;
use crate::limits::MESSAGE_BYTES;
use crate::message_form::MessageForm;
use crate::revision::StateNotice;
use crate::rfc3339::is_rfc3339;

impl Event {
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

    /// The entity as it is now, in a view of the whole entity. `Some(None)`: it is gone.
    fn whole(&self, form: &MessageForm) -> Option<Option<&RawValue>> {
        self.whole_entity().filter(|_| form.view.shows_whole_entity())
    }

    fn is_deletion(&self) -> bool {
        self.change.change_type == ChangeType::EntityDeleted
    }

    /// The data before the view selects from it. An entity that is gone has none, but that of its deletion.
    fn data(&self, form: &MessageForm) -> Cow<'_, RawValue> {
        match self.whole(form) {
            Some(Some(whole)) => Cow::Borrowed(whole),
            Some(None) if !self.is_deletion() || self.is_late() => Cow::Owned(empty_object()),
            _ => Cow::Borrowed(&self.change.data),
        }
    }

    /// True if not all attributes of the entity that it shows may be known.
    fn is_partial(&self) -> bool {
        let present = self.present.as_ref().map(|present| present.is_partial);
        present.unwrap_or_else(|| self.revision.as_ref().is_some_and(|revision| revision.is_partial))
    }

    /// The former values that the view shows, if any. An entity that is gone has none.
    fn previous<'a>(&'a self, form: &MessageForm) -> Option<Cow<'a, RawValue>> {
        let previous = self.revision.as_ref()?.previous.as_deref();
        let previous = previous.filter(|_| form.view.shows_changes() && !matches!(self.whole(form), Some(None)))?;
        Some(form.view.apply(previous)).filter(|previous| previous.get() != empty_object().get())
    }

    /// A view of the whole entity shows what the entity is now. A change that is late, or that is repeated after a deletion, is history
    /// itself.
    fn event_type(&self, form: &MessageForm) -> EventType {
        if form.has_left {
            return EventType::EntityLeft;
        }
        if self.is_snapshot {
            return EventType::EntitySnapshot;
        }
        match self.whole(form) {
            Some(None) => EventType::EntityDeleted,
            None if self.is_outlived() && form.view.shows_whole_entity() => EventType::EntityUpdated,
            Some(Some(_)) if self.is_late() || self.is_deletion() => EventType::EntityUpdated,
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
            version: revision.map(|revision| revision.version).or_else(|| self.outgrown_version(form)),
            late: self.is_late(),
            // Changed attributes say nothing of the rest.
            partial: self.is_partial() && !form.has_left && self.shows_entity(form),
            state: (self.has_no_state && !form.has_left).then_some(StateNotice::Unavailable),
        }
    }

    /// The version with which an entity leaves that became too large. Events without a state have no version.
    fn outgrown_version(&self, form: &MessageForm) -> Option<u64> {
        self.outgrown.as_ref().filter(|_| form.has_left).map(|outgrown| outgrown.version)
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
