use std::ops::AddAssign;

use serde::Serialize;

use crate::resolution::Resolution;

/// What became of an invocation's connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Connections whose filter matched.
    pub matched: usize,
    /// Those that got the event.
    pub delivered: usize,
    /// Those that had ended, and were forgotten.
    pub gone: usize,
    /// Those whose authorisation had expired, and were closed.
    pub expired: usize,
    /// Those that did not get it before the deadline: a continuation event is to reach them.
    pub failed: usize,
    /// Those that `@connections` will never take it for.
    pub rejected: usize,
    /// Events that can reach nobody.
    pub undeliverable: usize,
    /// Continuation events, for what was left to other invocations.
    pub continued: usize,
    /// Events that had been delivered already.
    pub duplicates: usize,
    /// DynamoDB read capacity units consumed.
    pub read_capacity: f64,
}

impl Report {
    pub(crate) fn count(&mut self, resolution: &Resolution) {
        self.matched += 1;
        match resolution {
            Resolution::Delivered => self.delivered += 1,
            Resolution::Gone => self.gone += 1,
            Resolution::Expired => self.expired += 1,
            Resolution::Rejected => self.rejected += 1,
            Resolution::Failed(_) => self.failed += 1,
        }
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.delivered += other.delivered;
        self.gone += other.gone;
        self.expired += other.expired;
        self.failed += other.failed;
        self.rejected += other.rejected;
        self.undeliverable += other.undeliverable;
        self.continued += other.continued;
        self.duplicates += other.duplicates;
        self.read_capacity += other.read_capacity;
    }
}
