use std::time::Duration;

use entity_stream_protocol::EventType;
use tokio::time::Instant;

use crate::terminal::{counted, grouped};

/// Counts events, for the summary at the end.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The time of the first subscription or event.
    since: Option<Instant>,
    /// The number of entities of snapshots, which are no events.
    entities: u64,
    kinds: [u64; EventType::ALL.len()],
    connections: u64,
    /// The number of the current second, and of its events.
    second: (u64, u64),
    /// The most events in one second.
    most: u64,
}

impl Tally {
    /// Counts a subscription: the first, or one after another connection.
    pub(super) fn subscribed(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.connections += 1;
    }

    /// True if a connection has been subscribed. An event may come before that.
    pub(super) fn has_subscribed(&self) -> bool {
        self.connections > 0
    }

    /// True if more than one connection has been subscribed.
    pub(super) fn has_reconnected(&self) -> bool {
        self.connections > 1
    }

    /// True if a subscription or an event came.
    pub(super) fn has_begun(&self) -> bool {
        self.since.is_some()
    }

    /// Counts an event.
    pub(super) fn event(&mut self, event_type: EventType, now: Instant) {
        let since = *self.since.get_or_insert(now);
        self.kinds[event_type as usize] += 1;
        let second = now.duration_since(since).as_secs();
        let count = if self.second.0 == second { self.second.1 + 1 } else { 1 };
        self.second = (second, count);
        self.most = self.most.max(count);
    }

    /// Counts an entity of a snapshot.
    pub(super) fn snapshot(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.entities += 1;
    }

    /// The number of events.
    pub(super) fn events(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// The summary, for people: `1,234 events in 2m 3s (10.0/s, at most 52 in a second): 4 created, 1,230 updated`.
    pub(super) fn summary(&self, repeats: u64, now: Instant) -> String {
        let events = self.events();
        let time = self.since.map_or(Duration::ZERO, |since| now.duration_since(since));
        let mut text = format!("{} in {}", counted(events, "event"), indicatif::HumanDuration(time));
        if events > 1 {
            text.push_str(&format!(" ({}, at most {} in a second)", rate(events, time), grouped(self.most)));
        }
        let kinds = EventType::ALL.iter().zip(self.kinds).filter(|(_, count)| *count > 0);
        let verb = |event_type: EventType| event_type.as_str().trim_start_matches("entity").to_lowercase();
        let kinds: Vec<_> = kinds.map(|(kind, count)| format!("{} {}", grouped(count), verb(*kind))).collect();
        if !kinds.is_empty() {
            text.push_str(&format!(": {}", kinds.join(", ")));
        }
        if self.entities > 0 {
            text.push_str(&format!("; {} of a snapshot", grouped(self.entities)));
        }
        if repeats > 0 {
            text.push_str(&format!("; {} dropped", counted(repeats, "repeat")));
        }
        if self.connections > 1 {
            text.push_str(&format!("; {}", counted(self.connections, "connection")));
        }
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
fn rate(events: u64, time: Duration) -> String {
    let rate = events as f64 / time.as_secs_f64().max(0.001);
    if rate < 100.0 { format!("{rate:.1}/s") } else { format!("{}/s", grouped(rate as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_counts_rates_and_kinds() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut tally = Tally::default();
        assert!(!tally.has_begun());
        tally.subscribed(start);
        assert_eq!(tally.summary(0, at(4000)), "0 events in 4 seconds");
        tally.event(EventType::EntityCreated, at(100));
        assert_eq!(tally.summary(0, at(2000)), "1 event in 2 seconds: 1 created");
        for _ in 0..1200 {
            tally.event(EventType::EntityUpdated, at(1500));
        }
        tally.event(EventType::EntityDeleted, at(2500));
        tally.snapshot(at(2500));
        tally.subscribed(at(2600));
        assert_eq!(
            tally.summary(1, at(120_000)),
            "1,202 events in 2 minutes (10.0/s, at most 1,200 in a second): 1 created, 1,200 updated, 1 deleted; \
             1 of a snapshot; 1 repeat dropped; 2 connections"
        );
    }
}
