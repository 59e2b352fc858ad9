//! The end of a member of a group.

use entity_stream_client::{EntityStream, StreamItem, StreamTiming};
use tokio::time::{Instant, timeout_at};

use super::sinks::EventSinks;
use super::tally::Tally;
use crate::forwarding::Forwarding;

/// Leaves the group, and hands on the events that the server has already assigned to this member: no other member gets them. It ends
/// after the time that the client takes for this, even if a receiver lacks events.
pub(super) async fn leave(stream: &mut EntityStream, tally: &mut Tally, sinks: &mut EventSinks) -> anyhow::Result<()> {
    let deadline = Instant::now() + StreamTiming::default().drain;
    stream.leave();
    timeout_at(deadline, take_rest(stream, tally, sinks)).await.unwrap_or(Ok(()))
}

/// Takes the items that are left, and waits until the receiver has them.
async fn take_rest(stream: &mut EntityStream, tally: &mut Tally, sinks: &mut EventSinks) -> anyhow::Result<()> {
    let mut has_all = false;
    loop {
        let is_idle = sinks.forwarding.as_ref().is_none_or(Forwarding::is_idle);
        if has_all && is_idle {
            return Ok(());
        }
        let is_full = sinks.forwarding.as_ref().is_some_and(Forwarding::is_full);
        tokio::select! {
            item = stream.try_next(), if !has_all && !is_full => match item {
                Ok(Some(StreamItem::Event(event))) => {
                    tally.event(event.message().event_type, Instant::now());
                    sinks.take(*event, stream)?;
                }
                Ok(Some(_)) => {}
                // A connection that fails brings no more events.
                Ok(None) | Err(_) => has_all = true,
            },
            _ = sinks.settled(), if !is_idle => {}
        }
    }
}
