//! The update of an entity by one conditional request: a change that is newer than everything, of an entity that has its types and
//! its place in the index already.
//!
//! **Invariant.** If the condition holds, the request writes what [`EntityUpdate::merge`] makes of the item, so the result can be
//! computed from the item as it was. `tests/state` compares both.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_protocol::ChangeType;

use super::entity_item::{
    INDEXED_UNTIL, LAST_EVENT, LAST_TIME, LAST_TIMESTAMP, LAST_TYPE, NEWEST, NEWEST_ATTRIBUTE, PRESENCE, TYPES,
    VERSION, WRITTEN, former_name, mark_value, recent_name, time_value, types_value, value_name, value_text,
};
use super::entity_state::AttributeValueAt;
use super::entity_update::EntityUpdate;
use super::event_mark::{EventMark, RECENT};
use crate::keys::{TTL_ATTRIBUTE, number, string};

/// The most attributes of a quick update. DynamoDB takes expressions of 4 KB.
const MOST_ATTRIBUTES: usize = 60;
/// The most bytes that it may add to an item. The size of the item is not known before.
const MOST_BYTES: usize = 32 * 1024;

/// The expressions of the request.
#[derive(Debug)]
pub(super) struct QuickUpdate {
    pub(super) update: String,
    pub(super) condition: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl QuickUpdate {
    /// The request for a change, if it may be one. `now` and `expires` are in seconds since 1970.
    pub(super) fn new(update: &EntityUpdate<'_>, (now, expires): (u64, u64)) -> Option<Self> {
        let event = update.event;
        let attributes = update.attributes.as_ref()?;
        let is_simple = event.change().change_type == ChangeType::EntityUpdated
            && (1..=MOST_ATTRIBUTES).contains(&attributes.len())
            && event.change().data.get().len() <= MOST_BYTES
            && update.removed().next().is_none();
        if !is_simple {
            return None;
        }
        let mut request =
            Self { update: String::new(), condition: String::new(), names: HashMap::new(), values: HashMap::new() };
        let newest_attribute = attributes.values().map(|(_, at)| *at).max()?;
        let oldest_attribute = attributes.values().map(|(_, at)| *at).min()?;
        for (name, value) in [
            ("s", time_value(update.at)),
            ("m", time_value(newest_attribute)),
            ("mi", time_value(oldest_attribute)),
            ("ty", types_value(&event.change().entity_types)),
            ("e", mark_value(update.mark)),
            ("x", number(expires)),
            ("t", number(now)),
            ("one", number(1)),
            ("li", string(event.id())),
            ("lt", string(event.change().change_type.as_str())),
            ("lb", string(event.time())),
            ("lc", string(event.change().timestamp.as_deref().unwrap_or_default())),
            ("a", string(value_text(&AttributeValueAt::NONE))),
        ] {
            request.values.insert(format!(":{name}"), value);
        }
        for (alias, name) in [
            ("v", VERSION),
            ("s", NEWEST),
            ("m", NEWEST_ATTRIBUTE),
            ("d", PRESENCE),
            ("ty", TYPES),
            ("i", INDEXED_UNTIL),
            ("x", TTL_ATTRIBUTE),
            ("w", WRITTEN),
            ("li", LAST_EVENT),
            ("lt", LAST_TYPE),
            ("lb", LAST_TIME),
            ("lc", LAST_TIMESTAMP),
        ] {
            request.names.insert(format!("#{alias}"), name.to_owned());
        }
        // A possible repetition has to be newer than all others.
        let order = if update.may_be_repeated { "#s<:s AND #m<=:mi" } else { "#s<=:s AND #m<=:mi" };
        request.condition = format!("{order} AND #ty=:ty AND attribute_not_exists(#d) AND #i>=:x AND #x>:t");
        request.update = "SET #v=#v+:one,#s=:s,#m=:m,#x=:x,#w=:t,#li=:li,#lt=:lt,#lb=:lb,#lc=:lc,#e0=:e".to_owned();
        for index in 0..RECENT {
            request.names.insert(format!("#e{index}"), recent_name(index));
            request.condition += &format!(" AND #e{index}<>:e AND #e{index}<>:en");
            if index > 0 {
                request.update += &format!(",#e{index}=#e{}", index - 1);
            }
        }
        request.values.insert(":en".to_owned(), mark_value(EventMark::of(event.id()).with(false, true)));
        for (index, (name, (json, at))) in attributes.iter().enumerate() {
            let json = Some((*json).to_owned());
            let value = AttributeValueAt { at: *at, changed: update.at, by: update.mark.short(), json };
            request.values.insert(format!(":{index}"), string(value_text(&value)));
            request.names.insert(format!("#{index}"), value_name(name));
            request.names.insert(format!("#f{index}"), former_name(name));
            request.update += &format!(",#{index}=:{index},#f{index}=if_not_exists(#{index},:a)");
        }
        Some(request)
    }
}
