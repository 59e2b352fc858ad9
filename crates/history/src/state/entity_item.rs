//! The item of an entity. Each attribute of the entity is an attribute of the item, so that an update writes only what it changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::{ChangeType, EntityTypes};

use super::change_time::ChangeTime;
use super::entity_state::{AttributeValueAt, EntityAttribute, EntityState, LastChange, Presence};
use super::event_mark::{EventMark, RECENT};
use super::item_size::ATTRIBUTE_BYTES;
use crate::keys::{HistoryItem, TTL_ATTRIBUTE, get_number, get_string, number, string};

pub(super) const ID: &str = "id";
pub(super) const SERVICE_PATH: &str = "sp";
pub(super) const TYPES: &str = "ty";
pub(super) const VERSION: &str = "v";
/// `d`: deleted, `l`: too large. Absent: known.
pub(super) const PRESENCE: &str = "d";
pub(super) const UNKNOWN_SINCE: &str = "p";
pub(super) const NEWEST: &str = "n";
pub(super) const NEWEST_ATTRIBUTE: &str = "na";
pub(super) const REPLACED: &str = "r";
pub(super) const WRITTEN: &str = "w";
pub(super) const INDEXED_UNTIL: &str = "x";
pub(super) const LAST_EVENT: &str = "li";
pub(super) const LAST_TYPE: &str = "lt";
pub(super) const LAST_TIME: &str = "lb";
pub(super) const LAST_TIMESTAMP: &str = "lc";
/// The names of attributes of the entity begin with this sign, and no other name does.
const VALUE: char = '=';
/// The same for their former values.
const FORMER: char = '<';
/// The form of a value: fifteen digits of microseconds, eight digits of the event's mark, and the JSON, if there is one. If the
/// attribute has a time of its own, that of the change stands before the JSON, behind a sign with which no JSON begins.
const TIME_DIGITS: usize = 15;
const MARK_DIGITS: usize = 8;
const CHANGED: char = '@';
/// The microseconds before 1970 that a time can have. They make all times positive.
const BEFORE_1970: i64 = 62_200_000_000_000_000;

pub(super) fn recent_name(index: usize) -> String {
    format!("e{index}")
}

pub(super) fn value_name(attribute: &str) -> String {
    format!("{VALUE}{attribute}")
}

pub(super) fn former_name(attribute: &str) -> String {
    format!("{FORMER}{attribute}")
}

pub(super) fn mark_value(mark: EventMark) -> AttributeValue {
    AttributeValue::B(Blob::new(mark.bytes()))
}

pub(super) fn time_value(time: ChangeTime) -> AttributeValue {
    AttributeValue::N(time.0.to_string())
}

pub(super) fn types_value(types: &EntityTypes) -> AttributeValue {
    string(serde_json::to_string(types).unwrap_or_default())
}

pub(super) fn value_text(value: &AttributeValueAt) -> String {
    let json = value.json.as_deref().unwrap_or_default();
    let mut text = String::with_capacity(ATTRIBUTE_BYTES + json.len());
    let micros = |time: ChangeTime| time.0.saturating_add(BEFORE_1970).max(0);
    // Writing to a string cannot fail.
    let _ = write!(text, "{:0TIME_DIGITS$x}{:0MARK_DIGITS$x}", micros(value.at), value.by);
    if value.changed != value.at {
        let _ = write!(text, "{CHANGED}{:0TIME_DIGITS$x}", micros(value.changed));
    }
    text.push_str(json);
    text
}

fn read_value(text: &str) -> Option<AttributeValueAt> {
    let (time, rest) = text.split_at_checked(TIME_DIGITS)?;
    let (mark, rest) = rest.split_at_checked(MARK_DIGITS)?;
    let at = read_time(time)?;
    let (changed, json) = match rest.strip_prefix(CHANGED) {
        None => (at, rest),
        Some(rest) => {
            let (changed, json) = rest.split_at_checked(TIME_DIGITS)?;
            (read_time(changed)?, json)
        }
    };
    let json = if json.is_empty() { None } else { Some(json.to_owned()) };
    Some(AttributeValueAt { at, changed, by: u32::from_str_radix(mark, 16).ok()?, json })
}

fn read_time(digits: &str) -> Option<ChangeTime> {
    Some(match i64::from_str_radix(digits, 16).ok()? {
        0 => ChangeTime::NEVER,
        time => ChangeTime(time - BEFORE_1970),
    })
}

impl EntityState {
    /// Adds the state to an item that has the key. It is forgotten at `expires`, in seconds since 1970.
    pub(super) fn to_item(&self, mut item: HistoryItem, expires: u64) -> HistoryItem {
        let mut put = |name: &str, value| item.insert(name.to_owned(), value);
        put(ID, string(&self.entity_id));
        put(SERVICE_PATH, string(&self.service_path));
        put(TYPES, types_value(&self.entity_types));
        put(VERSION, number(self.version));
        put(NEWEST, time_value(self.newest));
        put(NEWEST_ATTRIBUTE, time_value(self.newest_attribute));
        put(REPLACED, time_value(self.replaced));
        put(INDEXED_UNTIL, number(self.indexed_until));
        put(TTL_ATTRIBUTE, number(expires));
        match self.presence {
            Presence::Known => {}
            Presence::Deleted => drop(put(PRESENCE, string("d"))),
            Presence::TooLarge => drop(put(PRESENCE, string("l"))),
        }
        if let Some(written) = self.written {
            put(WRITTEN, number(written));
        }
        if let Some(since) = self.unknown_since {
            put(UNKNOWN_SINCE, time_value(since));
        }
        put(LAST_EVENT, string(&self.last.event_id));
        put(LAST_TYPE, string(self.last.change_type.as_str()));
        put(LAST_TIME, string(&self.last.time));
        if let Some(timestamp) = &self.last.timestamp {
            put(LAST_TIMESTAMP, string(timestamp));
        }
        for index in 0..RECENT {
            put(&recent_name(index), mark_value(self.recent.get(index).copied().unwrap_or_default()));
        }
        for (name, attribute) in &self.attributes {
            put(&value_name(name), string(value_text(&attribute.value)));
            if let Some(former) = &attribute.former {
                put(&former_name(name), string(value_text(former)));
            }
        }
        item
    }

    /// Reads an item that [`EntityState::to_item`] wrote; `None` for any other item.
    pub(super) fn from_item(item: &HistoryItem) -> Option<Self> {
        let time = |name: &str| item.get(name)?.as_n().ok()?.parse().ok().map(ChangeTime);
        let mut attributes = BTreeMap::new();
        for (name, value) in item {
            let Some(attribute) = name.strip_prefix(VALUE) else { continue };
            let value = read_value(value.as_s().ok()?)?;
            let former = match get_string(item, &former_name(attribute)) {
                Some(former) => Some(read_value(former)?),
                None => None,
            };
            attributes.insert(attribute.to_owned(), EntityAttribute { value, former });
        }
        let recent =
            (0..RECENT).map_while(|index| EventMark::read(item.get(&recent_name(index))?.as_b().ok()?.as_ref()));
        Some(Self {
            entity_id: get_string(item, ID)?.to_owned(),
            service_path: get_string(item, SERVICE_PATH)?.to_owned(),
            entity_types: serde_json::from_str(get_string(item, TYPES)?).ok()?,
            version: get_number(item, VERSION)?,
            unknown_since: time(UNKNOWN_SINCE),
            last: LastChange {
                event_id: get_string(item, LAST_EVENT)?.to_owned(),
                change_type: change_type(get_string(item, LAST_TYPE)?)?,
                time: get_string(item, LAST_TIME)?.to_owned(),
                timestamp: get_string(item, LAST_TIMESTAMP).filter(|text| !text.is_empty()).map(str::to_owned),
            },
            presence: match get_string(item, PRESENCE) {
                None => Presence::Known,
                Some("d") => Presence::Deleted,
                Some(_) => Presence::TooLarge,
            },
            attributes,
            newest: time(NEWEST)?,
            newest_attribute: time(NEWEST_ATTRIBUTE)?,
            replaced: time(REPLACED)?,
            recent: recent.filter(|mark| *mark != EventMark::default()).collect(),
            written: get_number(item, WRITTEN),
            indexed_until: get_number(item, INDEXED_UNTIL)?,
        })
    }
}

fn change_type(name: &str) -> Option<ChangeType> {
    ChangeType::ALL.into_iter().find(|each| each.as_str() == name)
}
