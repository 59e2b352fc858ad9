//! The messages that API Gateway bills for replayed events, in frames of several and one by one. It bills 32 KB as one message.

use entity_stream_protocol::{EpochMillis, Format, Position, pack_events};

use crate::setting::event;

pub(crate) fn measure() {
    println!("\n1,000 replayed events: messages that are billed");
    println!("data      one by one   in events frames");
    for data in [60, 200, 700, 4_000] {
        let position = Position::new(EpochMillis::new(1_790_000_000_000), 7);
        let messages = (0..1_000)
            .map(|number| event(number, data).at(position.clone()).replayed(None).message(&Format::Json.into()));
        let messages: Vec<_> = messages.collect();
        let billed = |bytes: usize| bytes.div_ceil(32 * 1024);
        let alone: usize = messages.iter().map(|message| billed(message.len())).sum();
        let packed: usize = pack_events(messages).iter().map(|frame| billed(frame.text.len())).sum();
        println!("{data:>6} B   {alone:>10}   {packed:>16}");
    }
}
