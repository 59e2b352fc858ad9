//! The `detail` of a published event, and the resulting messages.

#![no_main]

use entity_stream_protocol::limits::MESSAGE_BYTES;
use entity_stream_protocol::{EntityChange, Event, Format, MessageForm};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|detail: &str| {
    let change = match EntityChange::parse(detail) {
        Ok(change) => change,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let data = change.data.get().to_owned();
    let event = Event::new("id", "2026-01-02T03:04:05Z", change);
    for format in [Format::Json, Format::CloudEvents] {
        let form = MessageForm::from(format);
        let (whole, truncated) = (event.message(&form), event.truncated_message(&form));
        assert!(whole.len() <= MESSAGE_BYTES && truncated.len() <= MESSAGE_BYTES);
        assert!(whole.contains(&data), "data is passed through byte for byte");
        for message in [whole, truncated] {
            // Raw, because the data may contain numbers that our types cannot hold.
            let _: &serde_json::value::RawValue = serde_json::from_str(&message).unwrap();
        }
    }
});
