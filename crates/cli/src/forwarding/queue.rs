//! The events on their way to the receiver.
//!
//! Invariant: the receiver has accepted or refused every event before the first waiting one.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use entity_stream_client::{Bookmark, ReceivedEvent};
use http::StatusCode;

use super::receiver::Receiver;
use crate::terminal::{counted, note};

/// The events that wait for the receiver. While they are that many, the command reads no further events.
const WAITING: usize = 1000;

/// What becomes of the events that do not reach the receiver before the end of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// The next command with the same file of `--resume` forwards them.
    KeptInFile,
    /// Nothing forwards them.
    Lost,
    /// Nothing forwards them, and a member of a group cannot keep its place.
    LostToGroup,
}

/// The events on their way to the receiver, in their order.
pub(crate) struct Forwarding {
    receiver: Receiver,
    /// The events, each with the place in the stream after it. The first one is under way.
    waiting: VecDeque<(Arc<ReceivedEvent>, Option<Bookmark>)>,
    first: Option<Pin<Box<dyn Future<Output = Option<StatusCode>> + Send>>>,
    accepted: u64,
    refused: u64,
}

impl Forwarding {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self { receiver, waiting: VecDeque::new(), first: None, accepted: 0, refused: 0 }
    }

    /// Adds an event, and the place in the stream after it.
    pub(crate) fn push(&mut self, event: ReceivedEvent, place: Option<Bookmark>) {
        self.waiting.push_back((Arc::new(event), place));
    }

    /// True if no further event may be added now.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    /// True if no event is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Waits until the receiver has the first event, or refuses it. Returns the place after it. It is cancel safe.
    pub(crate) async fn settled(&mut self) -> Option<Bookmark> {
        let Some((event, _)) = self.waiting.front() else { return std::future::pending().await };
        let receiver = &self.receiver;
        let under_way = self.first.get_or_insert_with(|| Box::pin(receiver.clone().deliver(Arc::clone(event))));
        let refused = under_way.await;
        self.first = None;
        let (event, place) = self.waiting.pop_front()?;
        match refused {
            None => self.accepted += 1,
            Some(status) => {
                self.refused += 1;
                let (shown, id) = (self.receiver.shown(), &event.message().id);
                note(format!("{shown} refused the event {id} with {}; it is skipped", status.as_u16()));
            }
        }
        place
    }

    /// `3 events forwarded`, and the number of skipped events if it is not 0.
    pub(crate) fn summary(&self) -> String {
        let forwarded = format!("{} forwarded", counted(self.accepted, "event"));
        if self.refused == 0 { forwarded } else { format!("{forwarded}, {} skipped", self.refused) }
    }

    /// The result at the end: a failure if the receiver lacks events that no later command brings.
    pub(crate) fn result(&self, unsent: Unsent) -> anyhow::Result<()> {
        let (waiting, shown) = (self.waiting.len() as u64, self.receiver.shown());
        if self.refused > 0 {
            return Err(anyhow!("{shown} refused {}", counted(self.refused, "event")));
        }
        if waiting == 0 {
            return Ok(());
        }
        let events = counted(waiting, "event");
        match unsent {
            Unsent::KeptInFile => {
                note(format!("{events} did not reach {shown}; the next command continues there"));
                Ok(())
            }
            Unsent::Lost => {
                bail!(
                    "ended before {events} reached {shown}; with --resume FILE, the next command would continue there"
                )
            }
            Unsent::LostToGroup => {
                bail!("ended before {events} reached {shown}; the other members of the group do not get them")
            }
        }
    }
}
