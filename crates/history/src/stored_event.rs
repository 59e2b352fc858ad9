//! The item of an event.

use std::time::Duration;

use entity_stream_protocol::limits::MESSAGE_BYTES;
use entity_stream_protocol::{EntityChange, EpochMillis, Event, Position};
use serde_json::value::RawValue;

use crate::keys::{HistoryItem, SORT_KEY, TTL_ATTRIBUTE, event_key, get_number, get_string, number, string};

const ID: &str = "i";
const TIME: &str = "t";
const DETAIL: &str = "d";
const LEFT_OUT: &str = "b";
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
        without_data.data = empty();
        detail = without_data.to_json();
        if detail.len() > MESSAGE_BYTES {
            without_data.changed_attributes = None;
            detail = without_data.to_json();
        }
        item.insert(LEFT_OUT.to_owned(), number(change.data.get().len() as u64));
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
    let event = Event::new(id, time, EntityChange::parse(detail).ok()?).at(position).replayed(left_out);
    Some(PastEvent { at, event, bytes: detail.len() + id.len() + time.len() })
}

fn empty() -> Box<RawValue> {
    #[expect(clippy::expect_used, reason = "the text is JSON")]
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}
