//! The entities of NGSI-LD notifications, normalized, concise and simplified.
//!
//! NGSI-LD has no member that tells what happened to an entity, so it is read from what the subscription asks for:
//!
//! - `deletedAt` is a deletion.
//! - With system attributes (`sysAttrs`), an entity whose `createdAt` is its newest time looks new. A trigger of the notification
//!   knows better.
//! - With `showChanges`, the attributes with former values changed. An attribute that was added has none. So the others count as
//!   changed too, unless system attributes tell that they are older.
//! - An attribute, or an instance of it, with the value `urn:ngsi-ld:null` was deleted. Without `showChanges`, the others may have
//!   changed as well.

use std::borrow::Cow;

use entity_stream_protocol::{ChangeType, json_text, micros_of_rfc3339};
use serde_json::value::RawValue;

use crate::entity_report::{EntityReport, id, members, types};
use crate::ngsi_ld_attribute::LdAttribute;
use crate::refused_entity::EntityFault;
use crate::uncertain_time::{newest, time};

/// The most by which the times of attributes differ that one request changed, in microseconds. Some brokers round them to seconds.
const ONE_REQUEST: i64 = 1_000_000;

/// The system attributes of an entity.
#[derive(Default)]
struct SystemTimes<'a> {
    created: Option<Cow<'a, str>>,
    modified: Option<Cow<'a, str>>,
    deleted: Option<Cow<'a, str>>,
    is_deleted: bool,
}

/// The attributes of an entity, and their common meaning.
#[derive(Default)]
struct Attributes<'a> {
    shown: Vec<(&'a str, Cow<'a, str>)>,
    names: Vec<String>,
    /// True if the subscription asks for changes.
    tells_changes: bool,
    /// The attributes with a former value, and those that lost an instance.
    certain: Vec<String>,
    /// The others, with the times of their last change.
    uncertain: Vec<(String, Option<Cow<'a, str>>)>,
    removed: Vec<String>,
    lost_instance: bool,
    modified: Vec<Cow<'a, str>>,
    /// The times of the attributes with a former value.
    former_modified: Vec<Cow<'a, str>>,
    observed: Vec<Cow<'a, str>>,
    measured: Option<Cow<'a, str>>,
}

/// Reads an entity.
pub(crate) fn read(entity: &RawValue) -> Result<EntityReport<'_>, EntityFault> {
    let (mut entity_id, mut entity_type, mut context) = (None, None, None);
    let (mut system, mut attributes) = (SystemTimes::default(), Attributes::default());
    for (key, value) in members(entity)? {
        let name = json_text(key);
        match name.as_deref() {
            Some("id" | "@id") => entity_id = Some(value),
            Some("type" | "@type") => entity_type = Some(value),
            Some("@context") => context = Some(value).filter(|value| value.get() != "null"),
            Some("deletedAt") => {
                system.is_deleted = value.get() != "null";
                system.deleted = time(value);
            }
            // They are no attributes, but clients that ask the broker for an entity get them too.
            Some("createdAt") => {
                system.created = time(value);
                attributes.shown.push((key.get(), Cow::Borrowed(value.get())));
            }
            Some("modifiedAt") => {
                system.modified = time(value);
                attributes.shown.push((key.get(), Cow::Borrowed(value.get())));
            }
            _ => attributes.add(key, name.unwrap_or_default(), value),
        }
    }
    let is_new = system.is_new(&attributes.modified);
    let changed = attributes.changed(system.modified.as_deref());
    let Attributes { shown, modified, observed, measured, .. } = attributes;
    let modified = system.modified.or_else(|| newest(modified));
    Ok(EntityReport {
        change_type: system.is_deleted.then_some(ChangeType::EntityDeleted),
        // A new entity has no former values, and has lost nothing.
        looks_new: is_new && changed.is_none(),
        id: id(entity_id)?,
        types: types(entity_type)?,
        attributes: shown,
        changed,
        deleted_at: system.deleted,
        timestamp: modified.or(measured),
        observed: newest(observed),
        service_path: None,
        context,
    })
}

impl SystemTimes<'_> {
    /// True if nothing has changed since the entity was created.
    fn is_new(&self, modified: &[Cow<'_, str>]) -> bool {
        let Some(created) = self.created.as_deref().and_then(micros_of_rfc3339) else { return false };
        let Some(last) = self.modified.as_deref().and_then(micros_of_rfc3339) else { return false };
        last <= created && modified.iter().filter_map(|time| micros_of_rfc3339(time)).all(|time| time <= created)
    }
}

impl<'a> Attributes<'a> {
    fn add(&mut self, key: &'a RawValue, name: Cow<'a, str>, value: &'a RawValue) {
        let attribute = LdAttribute::read(value);
        let name = name.into_owned();
        if name == "TimeInstant" {
            self.measured = time(value);
        }
        self.tells_changes |= attribute.has_former;
        self.lost_instance |= attribute.lost_instance;
        if attribute.has_former {
            self.former_modified.extend(attribute.modified.clone());
        }
        match attribute.json {
            Some(json) => {
                self.shown.push((key.get(), json));
                if attribute.has_former || attribute.lost_instance {
                    self.certain.push(name.clone());
                } else {
                    self.uncertain.push((name.clone(), attribute.modified.clone().or(attribute.created)));
                }
                self.names.push(name);
            }
            None => self.removed.push(name),
        }
        self.modified.extend(attribute.modified);
        self.observed.extend(attribute.observed);
    }

    /// The names of the attributes that changed, if the entity tells them.
    fn changed(&mut self, modified: Option<&str>) -> Option<Vec<String>> {
        let removed = std::mem::take(&mut self.removed);
        let tells_deletion = self.lost_instance || !removed.is_empty();
        let mut names = match (self.tells_changes, tells_deletion) {
            (false, false) => return None,
            // Any of the others may have changed in the same request.
            (false, true) => std::mem::take(&mut self.names),
            (true, _) => {
                let changed = newest(self.former_modified.drain(..));
                let changed = changed.as_deref().or(modified).and_then(micros_of_rfc3339);
                let since = changed.map(|changed| changed.saturating_sub(ONE_REQUEST));
                let may_be_added = |time: Option<Cow<'_, str>>| {
                    let time = time.as_deref().and_then(micros_of_rfc3339);
                    time.zip(since).is_none_or(|(time, since)| time >= since)
                };
                let uncertain = self.uncertain.drain(..).filter_map(|(name, time)| may_be_added(time).then_some(name));
                self.certain.drain(..).chain(uncertain).collect()
            }
        };
        names.extend(removed);
        Some(names)
    }
}
