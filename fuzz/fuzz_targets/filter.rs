//! Matching of a filter and a change. The input has the filter's types, its pattern, the entity's types and the entity's id, one
//! on each line.

#![no_main]

use entity_stream_protocol::{EntityChange, Filter};
use libfuzzer_sys::fuzz_target;
use regex::Regex;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (types, pattern, entity_types, id) = (line(), line(), line(), line());
    let list = |line: &str| line.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (types, entity_types) = (list(types), list(entity_types));
    let detail = serde_json::json!({
        "type": "entityUpdated", "tenant": "t", "entityId": id, "entityType": entity_types,
    });
    let Ok(change) = EntityChange::parse(&detail.to_string()) else { return };
    let Ok(filter) = Filter::new(types.clone(), Some(pattern)) else { return };
    let type_matches = types.is_empty() || entity_types.iter().any(|name| types.contains(name));
    let expected = type_matches && (pattern.is_empty() || Regex::new(pattern).unwrap().is_match(id));
    assert_eq!(filter.matches(&change), expected);
});
