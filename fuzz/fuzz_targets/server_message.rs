//! A frame that a client reads.

#![no_main]

use entity_stream_protocol::ServerMessage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &str| {
    match ServerMessage::parse(frame) {
        Ok(message) => {
            // A client reads its own output again without loss of a field.
            let text = message.to_json();
            let again = ServerMessage::parse(&text).expect("a message that was read is valid when it is written");
            assert_eq!(format!("{message:?}"), format!("{again:?}"));
            assert_eq!(again.to_json(), text);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
