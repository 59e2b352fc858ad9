use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// The latest events, by the hash of their ids. The server delivers each event at least once, and this finds the repeats.
///
/// It keeps hashes because publishers choose the length of an id. The chance that a new id has the hash of one of 10,000
/// others is 5 in 10^16.
#[derive(Debug)]
pub(crate) struct SeenEvents {
    capacity: usize,
    hasher: RandomState,
    order: VecDeque<u64>,
    known: HashSet<u64>,
}

impl SeenEvents {
    /// Remembers the latest `capacity` events.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, hasher: RandomState::new(), order: VecDeque::new(), known: HashSet::new() }
    }

    /// Remembers this event. Returns false if it was known already.
    pub(crate) fn insert(&mut self, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
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

    #[test]
    fn the_latest_are_known_and_the_oldest_is_forgotten() {
        let mut seen = SeenEvents::new(3);
        for id in ["a", "b", "c"] {
            assert!(seen.insert(id));
            assert!(!seen.insert(id));
        }
        assert!(seen.insert("d"));
        assert!(!seen.insert("b"));
        assert!(seen.insert("a"), "the oldest is forgotten");
        assert_eq!((seen.order.len(), seen.known.len()), (3, 3));
    }
}
