use crate::limits::EVENTS_FRAME_BYTES;

const START: &str = r#"{"type":"events","events":["#;
const END: &str = "]}";

/// A frame with one or several messages about entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsFrame {
    /// The text of the frame.
    pub text: String,
    /// The number of messages in it.
    pub messages: usize,
}

/// Packs messages into as few frames as possible, in their order, for a client that takes `events` frames. A frame has at most
/// 32 KB, which API Gateway bills as one message. A message that stands alone is a frame of its own.
pub fn pack_events<S: AsRef<str>>(messages: impl IntoIterator<Item = S>) -> Vec<EventsFrame> {
    let mut frames = Vec::new();
    let mut packed: Vec<S> = Vec::new();
    let mut bytes = START.len() + END.len();
    for message in messages {
        // The comma is counted for the first message too.
        let more = message.as_ref().len() + 1;
        if bytes + more > EVENTS_FRAME_BYTES {
            frames.extend(frame(&packed));
            packed.clear();
            bytes = START.len() + END.len();
        }
        bytes += more;
        packed.push(message);
    }
    frames.extend(frame(&packed));
    frames
}

fn frame<S: AsRef<str>>(packed: &[S]) -> Option<EventsFrame> {
    let text = match packed {
        [] => return None,
        [only] => only.as_ref().to_owned(),
        [first, others @ ..] => {
            let mut text = [START, first.as_ref()].concat();
            for message in others {
                text.push(',');
                text.push_str(message.as_ref());
            }
            text.push_str(END);
            text
        }
    };
    Some(EventsFrame { text, messages: packed.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_message::ServerMessage;

    fn event(id: usize, bytes: usize) -> String {
        let data = "x".repeat(bytes);
        format!(
            r#"{{"type":"entityUpdated","id":"{id}","tenant":"t","servicePath":"/","entityId":"i","entityType":"T","data":{{"a":"{data}"}},"timestamp":""}}"#
        )
    }

    #[test]
    fn frames_hold_the_messages_in_order_within_the_limit() {
        for sizes in [vec![], vec![10], vec![10; 500], vec![20_000, 20_000, 5, 40_000, 5, 5], vec![0, 32_640, 1]] {
            let messages: Vec<_> = sizes.iter().enumerate().map(|(id, bytes)| event(id, *bytes)).collect();
            let frames = pack_events(messages.clone());
            let mut unpacked = Vec::new();
            for EventsFrame { text, messages } in &frames {
                let message = ServerMessage::parse(text).unwrap();
                assert_eq!(message.events().count(), *messages);
                assert!(text.len() <= EVENTS_FRAME_BYTES || *messages == 1, "{}", text.len());
                unpacked.extend(message.events().map(|event| event.id.to_string()));
            }
            assert_eq!(unpacked, (0..sizes.len()).map(|id| id.to_string()).collect::<Vec<_>>());
        }
        assert_eq!(pack_events(vec![event(0, 10); 500]).len(), 3);
    }
}
