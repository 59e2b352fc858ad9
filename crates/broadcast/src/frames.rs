//! The frames of several events, for connections that take `events` frames.
//!
//! Invariant: connections that want the same events in the same forms share their frames. The frames that are kept have at most
//! 8 MB together; beyond that, they are packed again for each connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use entity_stream_delivery::Message;
use entity_stream_protocol::pack_events;

use crate::messages::Form;

/// The most bytes of kept frames of one batch.
const KEPT_BYTES: usize = 8 * 1024 * 1024;

/// Messages for one connection: the events, by their index, and the form of each.
pub(crate) type Bundle = Vec<(usize, Form)>;

/// A frame with several messages of a bundle, or with one.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) message: Message,
    /// The number of messages in it.
    pub(crate) messages: usize,
}

/// The frames of a batch.
#[derive(Debug, Default)]
pub(crate) struct Frames(Mutex<KeptFrames>);

#[derive(Debug, Default)]
struct KeptFrames {
    frames: HashMap<Bundle, Arc<[Frame]>>,
    bytes: usize,
}

impl Frames {
    /// The frames of a bundle, in its order. `messages` are those of the bundle.
    pub(crate) fn of(&self, bundle: &Bundle, messages: &[Arc<Message>]) -> Arc<[Frame]> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frames) = kept.frames.get(bundle) {
            return Arc::clone(frames);
        }
        // The bytes were written as text.
        let texts = messages.iter().map(|message| String::from_utf8_lossy(message.bytes()));
        let frames: Arc<[Frame]> = pack_events(texts)
            .into_iter()
            .map(|frame| Frame { message: Message::new(frame.text), messages: frame.messages })
            .collect();
        let bytes: usize = frames.iter().map(|frame| frame.message.bytes().len()).sum();
        if kept.bytes + bytes <= KEPT_BYTES {
            kept.bytes += bytes;
            kept.frames.insert(bundle.clone(), Arc::clone(&frames));
        }
        frames
    }
}
