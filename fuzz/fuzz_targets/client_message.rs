//! The text of a frame from a client.

#![no_main]

use entity_stream_protocol::limits::{FILTER_TYPES, MESSAGE_BYTES};
use entity_stream_protocol::{Action, ClientMessage, ServerMessage};
use libfuzzer_sys::fuzz_target;

/// Longest message of an error. It names the field and the rule, and never repeats what was sent at length.
const ERROR_BYTES: usize = 1024;

fuzz_target!(|text: &str| {
    let answer = match ClientMessage::parse(text) {
        Ok(message) => match message.action {
            Action::Subscribe(filter) => {
                assert!(filter.entity_types().len() <= FILTER_TYPES);
                ServerMessage::Subscribed(filter, message.request_id)
            }
            Action::Unsubscribe => ServerMessage::Unsubscribed(message.request_id),
            Action::Ping => ServerMessage::Pong(message.request_id),
            Action::Authenticate(token) => {
                assert!(!format!("{token:?}").contains(token.expose()) || token.expose().len() < 16);
                return;
            }
        },
        Err(rejection) => {
            assert!(!rejection.message.is_empty() && rejection.message.len() <= ERROR_BYTES, "{}", rejection.message);
            ServerMessage::Error(rejection)
        }
    };
    let answer = answer.to_json();
    assert!(answer.len() <= MESSAGE_BYTES);
    // What we write, everybody can read.
    let _: serde_json::Value = serde_json::from_str(&answer).unwrap();
});
