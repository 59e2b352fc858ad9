//! The item of an event.

use std::time::Duration;

use entity_stream_protocol::limits::MESSAGE_BYTES;
use entity_stream_protocol::{EntityChange, EpochMillis, Event, Position, Revision, empty_object};
use serde_json::value::RawValue;

use crate::keys::{HistoryItem, SORT_KEY, TTL_ATTRIBUTE, event_key, get_number, get_string, number, string};

const ID: &str = "i";
const TIME: &str = "t";
const DETAIL: &str = "d";
const LEFT_OUT: &str = "b";
const VERSION: &str = "v";
/// `l`: late, `p`: partial, `u`: the entity has no state.
const FLAGS: &str = "f";
const PREVIOUS: &str = "o";
/// The time for which an item stays beyond the retention, so that a resume finds the overlap before the oldest position.
const MARGIN: Duration = Duration::from_secs(60);

/// An event of the history.
#[derive(Clone, Debug)]
pub struct PastEvent {
    /// The time of its position.
    pub at: EpochMillis,
    /// The event with its position, as it is replayed.
    pub event: Event,
    /// The bytes that it takes in the table.
    pub(crate) bytes: usize,
}

/// Writes the item of an event. An event over 128 KB is stored without its data: it would be delivered truncated anyway.
pub(crate) fn to_item(event: &Event, position: &Position, at: EpochMillis, retention: Duration) -> HistoryItem {
    let change = event.change();
    let mut item = event_key(&change.tenant, &change.entity_id, position, at);
    let mut detail = change.to_json();
    if detail.len() > MESSAGE_BYTES {
        let mut without_data = change.clone();
        without_data.data = empty_object();
        detail = without_data.to_json();
        if detail.len() > MESSAGE_BYTES {
            without_data.changed_attributes = None;
            detail = without_data.to_json();
        }
        item.insert(LEFT_OUT.to_owned(), number(change.data.get().len() as u64));
    }
    let mut flags = String::new();
    if let Some(revision) = event.revision() {
        item.insert(VERSION.to_owned(), number(revision.version));
        flags.extend(revision.is_late.then_some('l'));
        flags.extend(revision.is_partial.then_some('p'));
        // As in a message, the former values go first.
        if let Some(previous) = &revision.previous
            && detail.len() + previous.get().len() <= MESSAGE_BYTES
        {
            item.insert(PREVIOUS.to_owned(), string(previous.get()));
        }
    }
    flags.extend(event.has_no_state().then_some('u'));
    if !flags.is_empty() {
        item.insert(FLAGS.to_owned(), string(flags));
    }
    item.insert(ID.to_owned(), string(event.id()));
    item.insert(TIME.to_owned(), string(event.time()));
    item.insert(DETAIL.to_owned(), string(detail));
    item.insert(TTL_ATTRIBUTE.to_owned(), number(at.plus(retention + MARGIN).seconds()));
    item
}

/// Reads an item that [`to_item`] wrote; `None` for any other item.
pub(crate) fn from_item(item: &HistoryItem) -> Option<PastEvent> {
    let position = Position::parse(get_string(item, SORT_KEY)?).ok()?;
    let (id, time, detail) = (get_string(item, ID)?, get_string(item, TIME)?, get_string(item, DETAIL)?);
    let at = position.time()?;
    let left_out = get_number(item, LEFT_OUT);
    let flags = get_string(item, FLAGS).unwrap_or_default();
    let previous = get_string(item, PREVIOUS);
    let revision = get_number(item, VERSION).map(|version| Revision {
        version,
        is_late: flags.contains('l'),
        is_partial: flags.contains('p'),
        previous: previous.and_then(|previous| RawValue::from_string(previous.to_owned()).ok()),
    });
    let event = Event::new(id, time, EntityChange::parse(detail).ok()?);
    let mut event = event.at(position).replayed(left_out).revised(revision);
    if flags.contains('u') {
        event.set_without_state();
    }
    let bytes = detail.len() + id.len() + time.len() + previous.map_or(0, str::len);
    Some(PastEvent { at, event, bytes })
}
