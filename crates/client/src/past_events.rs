use std::time::Duration;

use entity_stream_protocol::Since;
use tokio::time::Instant;

/// The past events that a program asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEvents {
    since: Since,
    asked_at: Instant,
}

impl PastEvents {
    /// The events since this place, or those of the seconds before now.
    pub(crate) fn new(since: Since, now: Instant) -> Self {
        Self { since, asked_at: now }
    }

    /// The place in the history, as the program asked for it.
    pub fn since(&self) -> &Since {
        &self.since
    }

    /// The place in a message of this time. Seconds count from the call of the program.
    pub(crate) fn at(&self, now: Instant) -> Since {
        match self.since {
            Since::Seconds { seconds } => {
                let waited = (now - self.asked_at + Duration::from_millis(999)).as_secs();
                Since::Seconds { seconds: seconds.saturating_add(u32::try_from(waited).unwrap_or(u32::MAX)) }
            }
            Since::Position { .. } => self.since.clone(),
        }
    }
}
