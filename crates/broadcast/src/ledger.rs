use entity_stream_connections::HashRange;
use entity_stream_protocol::EpochMillis;
use entity_stream_runtime::Failure;

use crate::recipients::Resolved;
use crate::resolution::Resolution;
use crate::summary::Summary;

/// The account of one event.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) summary: Summary,
    /// The hashes at which connections did not receive the event.
    pub(crate) left: Vec<HashRange>,
    /// The number of ranges in `left` that were not read.
    unread: usize,
    /// The times of the first and the last delivery.
    pub(crate) delivered_at: Option<(EpochMillis, EpochMillis)>,
    /// The reason why Lambda has to repeat the event.
    pub(crate) failure: Option<Failure>,
}

impl Ledger {
    /// Counts a connection.
    pub(crate) fn resolved(&mut self, resolved: &Resolved) {
        self.summary.matched += 1;
        match resolved.resolution {
            Resolution::Delivered => {
                self.summary.delivered += 1;
                let first = self.delivered_at.map_or(resolved.at, |(first, _)| first.min(resolved.at));
                let last = self.delivered_at.map_or(resolved.at, |(_, last)| last.max(resolved.at));
                self.delivered_at = Some((first, last));
            }
            Resolution::Gone => self.summary.gone += 1,
            Resolution::Expired => self.summary.expired += 1,
            Resolution::Rejected => self.summary.rejected += 1,
            Resolution::Closed => self.summary.closed += 1,
        }
    }

    /// Counts a connection, or a group, that could not be tried for long enough.
    pub(crate) fn failed(&mut self, hash: u64) {
        self.summary.matched += 1;
        self.summary.failed += 1;
        self.left.push(HashRange::only(hash));
    }

    /// Counts a part of the audience that was not read.
    pub(crate) fn unread(&mut self, range: HashRange) {
        self.unread += 1;
        self.left.push(range);
    }

    /// Counts a connection, or a group, for which Lambda has to repeat the event.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.summary.matched += 1;
        self.summary.failed += 1;
        self.failure.get_or_insert_with(|| failure.clone());
    }

    /// Records that Lambda has to repeat the event, because the table did not answer.
    pub(crate) fn fail_unread(&mut self, failure: &Failure) {
        self.failure.get_or_insert_with(|| failure.clone());
    }

    /// Describes the rest of the audience, for the log and for dead letters.
    pub(crate) fn describe_left(&self) -> String {
        let Summary { failed, matched, .. } = self.summary;
        let unread = match self.unread {
            0 => String::new(),
            ranges => format!("; {ranges} ranges of the audience were not read"),
        };
        format!("{failed} of {matched} connections did not receive the event in time{unread}")
    }
}
