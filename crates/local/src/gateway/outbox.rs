//! The messages that wait for one client. Invariant: they have a bounded number and, together with the message that is being
//! sent, a bounded number of bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Maximum number of messages that wait. After that, `@connections` answers 429, as API Gateway does.
const MESSAGES: usize = 512;

/// The end for senders.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    messages: mpsc::Sender<OutgoingMessage>,
    room: Arc<Semaphore>,
    bytes: usize,
}

/// A message on its way to the client. Its bytes count until it is dropped.
#[derive(Debug)]
pub(crate) struct OutgoingMessage {
    pub(crate) text: Utf8Bytes,
    _share: OwnedSemaphorePermit,
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPosted {
    /// The client does not read fast enough.
    Full,
    /// The connection has ended.
    Closed,
}

/// A queue with room for this many bytes.
pub(crate) fn outbox(bytes: usize) -> (Outbox, mpsc::Receiver<OutgoingMessage>) {
    let (messages, inbox) = mpsc::channel(MESSAGES);
    (Outbox { messages, room: Arc::new(Semaphore::new(bytes)), bytes }, inbox)
}

impl Outbox {
    /// Adds a message if there is room.
    pub(crate) fn post(&self, text: Utf8Bytes) -> Result<(), NotPosted> {
        if self.messages.is_closed() {
            return Err(NotPosted::Closed);
        }
        let share = Arc::clone(&self.room).try_acquire_many_owned(self.cost(&text)).map_err(|_| NotPosted::Full)?;
        self.messages.try_send(OutgoingMessage { text, _share: share }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotPosted::Full,
            mpsc::error::TrySendError::Closed(_) => NotPosted::Closed,
        })
    }

    /// Adds a message when there is room. Drops it if the connection ends first.
    pub(crate) async fn send(&self, text: Utf8Bytes) {
        let share = tokio::select! {
            share = Arc::clone(&self.room).acquire_many_owned(self.cost(&text)) => share,
            () = self.messages.closed() => return,
        };
        // The semaphore is never closed.
        if let Ok(share) = share {
            // A closed queue is a connection that has ended.
            let _ = self.messages.send(OutgoingMessage { text, _share: share }).await;
        }
    }

    /// The bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes - self.room.available_permits()
    }

    /// A message that is larger than the whole room needs all of it.
    fn cost(&self, text: &Utf8Bytes) -> u32 {
        u32::try_from(text.len().min(self.bytes)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: usize) -> Utf8Bytes {
        "x".repeat(bytes).into()
    }

    proptest! {
        #[test]
        fn the_bytes_that_wait_are_bounded(sizes in prop::collection::vec(0_usize..40, 1..100), read in 0_usize..4) {
            let (outbox, mut inbox) = outbox(100);
            let mut waiting = std::collections::VecDeque::new();
            for size in sizes {
                let fits = waiting.iter().sum::<usize>() + size <= 100;
                prop_assert_eq!(outbox.post(text(size)), if fits { Ok(()) } else { Err(NotPosted::Full) });
                if fits {
                    waiting.push_back(size);
                }
                prop_assert_eq!(outbox.waiting(), waiting.iter().sum::<usize>());
                for _ in 0..read {
                    prop_assert_eq!(inbox.try_recv().ok().map(|message| message.text.len()), waiting.pop_front());
                }
            }
        }
    }

    #[tokio::test]
    async fn their_number_is_bounded_too_and_the_end_of_the_connection_is_told() {
        let (outbox, inbox) = outbox(10);
        for _ in 0..MESSAGES {
            assert_eq!(outbox.post(text(0)), Ok(()));
        }
        assert_eq!(outbox.post(text(0)), Err(NotPosted::Full));
        drop(inbox);
        assert_eq!(outbox.post(text(1)), Err(NotPosted::Closed));
        outbox.send(text(11)).await;
    }

    #[tokio::test]
    async fn a_message_larger_than_the_room_is_alone_in_it() {
        let (outbox, mut inbox) = outbox(10);
        assert_eq!(outbox.post(text(11)), Ok(()));
        assert_eq!((outbox.waiting(), outbox.post(text(1))), (10, Err(NotPosted::Full)));
        drop(inbox.recv().await);
        assert_eq!(outbox.post(text(1)), Ok(()));
    }
}
