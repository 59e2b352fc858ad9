use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use entity_stream_protocol::SubscriptionName;

/// The latest events, by the hash of their ids and of each subscription that they matched. The server delivers each event
/// at least once, and once for each distinct view of the subscriptions that it matches. This finds the repeats: an event is
/// one if all its subscriptions have had it.
///
/// It keeps hashes because publishers choose the length of an id. The chance that a new pair has the hash of one of 20,000
/// others is one in 10^15.
#[derive(Debug)]
pub(crate) struct SeenEvents {
    capacity: usize,
    hasher: RandomState,
    order: VecDeque<u64>,
    known: HashSet<u64>,
}

impl SeenEvents {
    /// Remembers the latest `capacity` pairs of an event and a subscription.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, hasher: RandomState::new(), order: VecDeque::new(), known: HashSet::new() }
    }

    /// Remembers that these subscriptions have had this event. Returns false if all of them had it before.
    pub(crate) fn insert(&mut self, id: &str, subscriptions: &[SubscriptionName]) -> bool {
        // Each is inserted: this does not stop at the first new one.
        let new = subscriptions.iter().filter(|name| self.insert_one(id, name)).count();
        new > 0
    }

    fn insert_one(&mut self, id: &str, name: &SubscriptionName) -> bool {
        let hash = self.hasher.hash_one((id, name));
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &[SubscriptionName] = &[SubscriptionName::DEFAULT];

    fn names(names: &[&str]) -> Vec<SubscriptionName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn the_latest_are_known_and_the_oldest_is_forgotten() {
        let mut seen = SeenEvents::new(3);
        for id in ["a", "b", "c"] {
            assert!(seen.insert(id, DEFAULT));
            assert!(!seen.insert(id, DEFAULT));
        }
        assert!(seen.insert("d", DEFAULT));
        assert!(!seen.insert("b", DEFAULT));
        assert!(seen.insert("a", DEFAULT), "the oldest is forgotten");
        assert_eq!((seen.order.len(), seen.known.len()), (3, 3));
    }

    #[test]
    fn each_view_of_an_event_is_new_once() {
        let mut seen = SeenEvents::new(10);
        assert!(seen.insert("a", &names(&["map", "list"])));
        assert!(seen.insert("a", &names(&["chart"])), "another view of the same event");
        assert!(!seen.insert("a", &names(&["list"])));
        assert!(!seen.insert("a", &names(&["chart", "map"])));
        assert!(seen.insert("a", &names(&["map", "new"])), "a subscription that has not had it");
        assert!(seen.insert("a", DEFAULT));
        assert!(!seen.insert("a", &[]), "no subscription");
    }
}
