//! The entities of NGSIv2 notifications, normalized and `keyValues`.
//!
//! Builtin attributes and metadata tell more than the entity, if the subscription asks for them:
//!
//! | builtin | tells |
//! |---|---|
//! | attribute `alterationType` | the kind of change; `entityUpdate` stands for an update without a change |
//! | metadata `actionType`, `previousValue` | which attributes changed, and how. Orion has no action for a deleted attribute |
//! | attribute `dateModified`, metadata `dateModified` | the time of the change |
//! | attribute and metadata `TimeInstant` of IoT agents | the time of the measurement |
//! | attribute `servicePath` | the service path |
//!
//! Source: "Orion API", sections "Builtin attributes" and "Builtin metadata"; "Notification messages".

use std::borrow::Cow;

use entity_stream_protocol::{JsonMembers, json_text};
use serde_json::value::RawValue;

use crate::entity_report::{EntityReport, id, members, types};
use crate::refused_entity::EntityFault;
use crate::trigger::change_type_of;
use crate::uncertain_time::{newest, time};

/// Orion's name for an update that changed nothing.
const WITHOUT_CHANGE: &str = "entityUpdate";

/// The content of an attribute's metadata.
#[derive(Default)]
struct AttributeHints<'a> {
    /// `actionType`: the attribute was part of the request that caused the notification.
    action: Option<Cow<'a, str>>,
    /// Value and type are those that the attribute had before. Its metadata may have changed.
    is_same: bool,
    modified: Option<Cow<'a, str>>,
    measured: Option<Cow<'a, str>>,
}

/// Reads an entity.
pub(crate) fn read(entity: &RawValue) -> Result<EntityReport<'_>, EntityFault> {
    let (mut entity_id, mut entity_type, mut alteration, mut service_path) = (None, None, None, None);
    let (mut modified, mut measured) = (None, None);
    let (mut attributes, mut changed, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
    let (mut attributes_modified, mut attributes_measured) = (Vec::new(), Vec::new());
    for (key, value) in members(entity)? {
        let name = json_text(key);
        match name.as_deref() {
            Some("id") => entity_id = Some(value),
            Some("type") => entity_type = Some(value),
            Some("alterationType") if builtin(value).is_some_and(|kind| change_type_of(&kind).is_some()) => {
                alteration = builtin(value);
            }
            Some("servicePath") if builtin(value).is_some_and(|path| path.starts_with('/')) => {
                service_path = builtin(value).map(Cow::into_owned);
            }
            _ => {
                match name.as_deref() {
                    Some("dateModified") => modified = time(value),
                    Some("TimeInstant") => measured = time(value),
                    _ => {}
                }
                let hints = AttributeHints::read(value);
                attributes_modified.extend(hints.modified);
                attributes_measured.extend(hints.measured);
                let name = name.unwrap_or_default();
                match hints.action.as_deref() {
                    Some("delete") => {
                        changed.push(name.into_owned());
                        // The broker repeats the last value.
                        continue;
                    }
                    Some("append") => changed.push(name.into_owned()),
                    Some(_) if hints.is_same => unchanged.push(name.into_owned()),
                    Some(_) => changed.push(name.into_owned()),
                    None => {}
                }
                attributes.push((key.get(), Cow::Borrowed(value.get())));
            }
        }
    }
    let change_type = alteration.as_deref().and_then(change_type_of);
    let times = modified.or_else(|| newest(attributes_modified)).or(measured).or_else(|| newest(attributes_measured));
    Ok(EntityReport {
        change_type,
        looks_new: false,
        id: id(entity_id)?,
        types: types(entity_type)?,
        attributes,
        changed: match alteration.as_deref() {
            _ if !changed.is_empty() => Some(changed),
            Some(WITHOUT_CHANGE) => Some(Vec::new()),
            // No value tells the change, so it is in the metadata of these, unless the subscription asks for updates without one.
            _ if !unchanged.is_empty() => Some(unchanged),
            _ => None,
        },
        deleted_at: None,
        timestamp: times,
        observed: None,
        service_path,
        context: None,
    })
}

/// The text of a builtin attribute: `"text"`, or `{"type":"Text","value":"text"}`.
fn builtin(value: &RawValue) -> Option<Cow<'_, str>> {
    match JsonMembers::read(value) {
        Some(members) => json_text(members.values(["value"])[0]?),
        None => json_text(value),
    }
}

impl<'a> AttributeHints<'a> {
    fn read(attribute: &'a RawValue) -> Self {
        // Most attributes have empty metadata, or none.
        if !["actionType", "dateModified", "TimeInstant"].iter().any(|name| attribute.get().contains(name)) {
            return Self::default();
        }
        let Some(members) = JsonMembers::read(attribute) else { return Self::default() };
        let [value, kind, metadata] = members.values(["value", "type", "metadata"]);
        let Some(metadata) = metadata.and_then(JsonMembers::read) else { return Self::default() };
        let [action, previous, modified, measured] =
            metadata.values(["actionType", "previousValue", "dateModified", "TimeInstant"]);
        let previous = previous.and_then(JsonMembers::read).map(|previous| previous.values(["value", "type"]));
        let [former_value, former_kind] = previous.unwrap_or_default();
        let is_equal = |before: Option<&RawValue>, now: Option<&RawValue>| {
            before.zip(now).map(|(before, now)| before.get() == now.get())
        };
        Self {
            action: action.and_then(builtin),
            is_same: is_equal(former_value, value) == Some(true) && is_equal(former_kind, kind) != Some(false),
            modified: modified.and_then(time),
            measured: measured.and_then(time),
        }
    }
}
