use std::ops::AddAssign;

use serde::Serialize;

/// The counts of an invocation. The function returns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Connections that match an event. A connection counts once for each event.
    pub matched: usize,
    /// Connections that received an event.
    pub delivered: usize,
    /// Connections that had ended and were forgotten.
    pub gone: usize,
    /// Connections whose authorisation had expired and that were closed.
    pub expired: usize,
    /// Connections that took nothing for ten seconds and were closed.
    pub closed: usize,
    /// Connections that could not be tried for long enough. A continuation event, or a retry, is meant to reach them.
    pub failed: usize,
    /// Connections for which API Gateway refuses an event for good.
    pub rejected: usize,
    /// Malformed events, which no connection can receive.
    pub undeliverable: usize,
    /// Continuation events that were published.
    pub continued: usize,
    /// Events that had already been delivered.
    pub duplicates: usize,
    /// Old events that a replay of the bus sent again. They are not delivered.
    pub replays: usize,
    /// Consumed DynamoDB read capacity units.
    pub read_capacity: f64,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.delivered += other.delivered;
        self.gone += other.gone;
        self.expired += other.expired;
        self.closed += other.closed;
        self.failed += other.failed;
        self.rejected += other.rejected;
        self.undeliverable += other.undeliverable;
        self.continued += other.continued;
        self.duplicates += other.duplicates;
        self.replays += other.replays;
        self.read_capacity += other.read_capacity;
    }
}
