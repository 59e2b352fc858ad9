//! Views: the attributes that they keep, and bare values.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod attributes;
mod bare_values;
mod round_trips;

use entity_stream_protocol::View;
use serde_json::value::RawValue;

/// The data of an event in a view.
fn shown(view: &View, data: &str) -> String {
    view.apply(&RawValue::from_string(data.to_owned()).unwrap()).get().to_owned()
}
