//! A query and, on the last line, the data of an event. The target tests the limits too: a query that takes too much time or memory
//! exceeds the fuzzer's own limits.

#![no_main]

use entity_stream_protocol::limits::{QUERY_REGEX_BYTES, QUERY_TERMS};
use entity_stream_protocol::{EntityData, Query};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|text: &str| {
    let (text, json) = text.rsplit_once('\n').unwrap_or((text, "{}"));
    let data = EntityData::new(serde_json::from_str::<&RawValue>(json).ok());
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with('q') && !message.contains('\n') && message.len() < 1024, "{message}");
            let characters = text.chars().count();
            return assert!(error.character().is_none_or(|place| (1..=characters + 1).contains(&place)), "{message}");
        }
    };
    let canonical = query.to_string();
    assert!(canonical.len() <= text.len(), "{canonical}");
    assert_eq!(Query::parse(&canonical).as_ref(), Ok(&query), "{canonical}");
    let steps = query.steps(&data);
    assert!(steps <= QUERY_TERMS * (1 + 2 * json.len() + QUERY_REGEX_BYTES), "{steps}");
    assert_eq!(query.matches(&data), Query::from_stored(&canonical).expect("it was just read").matches(&data));
});
