use std::collections::{HashSet, VecDeque};

use entity_stream_protocol::stable_hash;

/// The events seen lately, by the hash of their ids: delivery is at least once. A hash, because an id's length is the
/// sender's; that a new id meets the hash of one of ten thousand others has a chance of 5 in 10^16.
#[derive(Debug)]
pub(crate) struct Seen {
    capacity: usize,
    order: VecDeque<u64>,
    known: HashSet<u64>,
}

impl Seen {
    /// Remembers the latest `capacity` events.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, order: VecDeque::new(), known: HashSet::new() }
    }

    /// Whether this event has not been seen; from now on it has.
    pub(crate) fn is_new(&mut self, id: &str) -> bool {
        let hash = stable_hash(id.as_bytes());
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
    fn knows_the_latest_and_forgets_the_oldest() {
        let mut seen = Seen::new(3);
        for id in ["a", "b", "c"] {
            assert!(seen.is_new(id));
            assert!(!seen.is_new(id));
        }
        assert!(seen.is_new("d"));
        assert!(!seen.is_new("b"));
        assert!(seen.is_new("a"), "the oldest is forgotten");
        assert_eq!((seen.order.len(), seen.known.len()), (3, 3));
    }
}
