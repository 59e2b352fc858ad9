use bytes::Bytes;
use entity_stream_protocol::limits::{FRAME_BYTES, MESSAGE_BYTES};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Thousands of idle connections should cost little: the usual buffers of 128 KB each way would be most of the memory.
pub(crate) fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(FRAME_BYTES))
}

/// A text message as API Gateway sends it: in frames of at most 32 KB.
pub(crate) fn text_frames(text: Utf8Bytes) -> Vec<Message> {
    if text.len() <= FRAME_BYTES {
        return vec![Message::Text(text)];
    }
    let mut rest = Bytes::from(text);
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let part = rest.split_to(rest.len().min(FRAME_BYTES));
        let opcode = OpCode::Data(if frames.is_empty() { Data::Text } else { Data::Continue });
        frames.push(Message::Frame(Frame::message(part, opcode, rest.is_empty())));
    }
    frames
}
