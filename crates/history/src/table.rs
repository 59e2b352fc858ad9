use std::time::Duration;

use aws_sdk_dynamodb::Client;
use entity_stream_protocol::{EpochMillis, Position};
use xxhash_rust::xxh3::xxh3_64;

use crate::timing::Timing;

/// The bits of a position's salt that tell events of the same millisecond apart. The others tell tables apart.
const RANDOM_BITS: u32 = 48;

/// The table of the history.
#[derive(Clone, Debug)]
pub struct HistoryTable {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) retention: Duration,
    pub(crate) timing: Timing,
    /// Stands in each position, so that no position of another table is taken for one of this.
    origin: u16,
}

impl HistoryTable {
    /// The table of this name or ARN, reached through this client. It keeps events for `retention`.
    pub fn new(client: Client, name: impl Into<String>, retention: Duration) -> Self {
        let name = name.into();
        // The lowest bits of a hash that is the same in every instance.
        let origin = (xxh3_64(name.as_bytes()) & u64::from(u16::MAX)).try_into().unwrap_or_default();
        Self { client, name, retention, timing: Timing::SERVICE, origin }
    }

    /// The name or ARN of the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The place in this history up to which a client has every event if its connection was registered at this time.
    pub fn position_of(&self, at: EpochMillis) -> Position {
        Position::new(at, self.salt(0))
    }

    /// A new position of this history.
    pub(crate) fn new_position(&self, at: EpochMillis) -> Position {
        Position::new(at, self.salt(fastrand::u64(..)))
    }

    /// Returns whether a position is one of this history.
    pub fn knows(&self, position: &Position) -> bool {
        position.salt().is_some_and(|salt| salt >> RANDOM_BITS == u64::from(self.origin))
    }

    fn salt(&self, random: u64) -> u64 {
        u64::from(self.origin) << RANDOM_BITS | random >> (64 - RANDOM_BITS)
    }

    /// The times of attempts and resumes.
    pub fn timing(&self) -> Timing {
        self.timing
    }
}
