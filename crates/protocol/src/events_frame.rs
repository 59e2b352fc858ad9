use crate::limits::EVENTS_FRAME_BYTES;

const START: &str = r#"{"type":"events","events":["#;
const END: &str = "]}";

/// Packs messages into as few frames as possible, in their order, for a client that takes `events` frames. A frame has at most
/// 32 KB, which API Gateway bills as one message. A message that stands alone is a frame of its own.
pub fn pack_events(messages: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut frames = Vec::new();
    let mut packed: Vec<String> = Vec::new();
    let mut bytes = START.len() + END.len();
    for message in messages {
        // The comma is counted for the first message too.
        let more = message.len() + 1;
        if bytes + more > EVENTS_FRAME_BYTES {
            frames.extend(frame(&mut packed));
            bytes = START.len() + END.len();
        }
        bytes += more;
        packed.push(message);
    }
    frames.extend(frame(&mut packed));
    frames
}

fn frame(packed: &mut Vec<String>) -> Option<String> {
    if packed.len() <= 1 { packed.pop() } else { Some([START, &std::mem::take(packed).join(","), END].concat()) }
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
            for frame in &frames {
                let message = ServerMessage::parse(frame).unwrap();
                let count = message.events().count();
                assert!(frame.len() <= EVENTS_FRAME_BYTES || count == 1, "{}", frame.len());
                unpacked.extend(message.events().map(|event| event.id.to_string()));
            }
            assert_eq!(unpacked, (0..sizes.len()).map(|id| id.to_string()).collect::<Vec<_>>());
        }
        assert_eq!(pack_events(vec![event(0, 10); 500]).len(), 3);
    }
}
