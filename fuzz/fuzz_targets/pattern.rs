//! A pattern and, on the last line, an id. The target tests the limits: a pattern that costs too much time or memory exceeds the
//! fuzzer's own limits.

#![no_main]

use entity_stream_protocol::limits::{COMPILED_PATTERN_BYTES, ENTITY_ID_LENGTH};
use entity_stream_protocol::{IdPattern, PatternMatcher, Prefilter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (pattern, id) = text.rsplit_once('\n').unwrap_or((text, "urn:ngsi-ld:Room:001"));
    let pattern = match IdPattern::parse(pattern) {
        Ok(pattern) => pattern,
        Err(error) => {
            let message = error.to_string();
            return assert!(!message.contains('\n') && message.len() < 1024);
        }
    };
    let matcher = PatternMatcher::compile(&pattern).expect("an accepted pattern compiles");
    // The memory consists of the automaton and a table of its start states.
    assert!(matcher.memory() <= 2 * COMPILED_PATTERN_BYTES, "{}", matcher.memory());
    let id: String = id.chars().take(ENTITY_ID_LENGTH).collect();
    let expected = regex::Regex::new(pattern.as_str()).expect("the same syntax").is_match(&id);
    assert_eq!(matcher.matches(&id), expected, "{pattern} {id}");
    assert!(Prefilter::of(&pattern).may_match(&id) || !expected, "{pattern} {id}");
});
