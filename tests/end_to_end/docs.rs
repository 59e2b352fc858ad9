//! What the documentation shows is what the code understands.

use std::path::Path;

use entity_stream_protocol::{ClientMessage, EntityChange, ErrorCode};
use serde_json::Value;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

/// The JSON blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn json_examples_are_json_and_events_are_events() {
    let mut events = 0;
    for name in ["README.md", "docs/protocol.md"] {
        for block in blocks(&page(name)) {
            let example: Value = serde_json::from_str(block).unwrap_or_else(|error| panic!("{name}: {error}: {block}"));
            let event = if example.get("specversion").is_some() { &example["data"] } else { &example };
            if event.get("entityId").is_some() {
                EntityChange::parse(&event.to_string()).unwrap_or_else(|error| panic!("{name}: {error}: {block}"));
                events += 1;
            }
        }
    }
    assert!(events >= 3, "the examples were found");
}

#[test]
fn messages_in_the_table_are_understood() {
    let page = page("docs/protocol.md");
    let messages: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `{\"action\"")?.split("` |").next()).collect();
    assert_eq!(messages.len(), 4, "one for each action");
    for message in messages {
        let message = format!("{{\"action\"{message}");
        ClientMessage::parse(&message).unwrap_or_else(|rejection| panic!("{message}: {rejection:?}"));
    }
}

#[test]
fn every_error_code_is_explained() {
    let page = page("docs/protocol.md");
    for code in ErrorCode::ALL {
        assert!(page.contains(&format!("| `{}` |", code.as_str())), "{} is missing", code.as_str());
    }
}
