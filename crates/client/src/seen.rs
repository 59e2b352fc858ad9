use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use entity_stream_protocol::SubscriptionName;
use tokio::time::Instant;

use crate::online_time::OnlineTime;
use crate::subscription_request::SubscriptionRequest;

/// The most names with numbers, before those that are gone are forgotten.
const MOST_NUMBERS: usize = 256;

/// The latest events, by the hash of their ids and of each subscription that they matched. The server delivers each event
/// at least once, and once for each distinct view of the subscriptions that it matches. The memory finds the repeats: an event is
/// one if all its subscriptions have had it.
///
/// A subscription that takes the place of another has had the events of the other: while they are exchanged, an event can come once
/// for each of them.
///
/// A pair is remembered for a time that counts only while the stream is online. A stream that comes back after an hour still
/// knows the events that it had before, and the server repeats some of those when it resumes.
///
/// The memory keeps hashes because publishers choose the length of an id. The chance that a new pair has the hash of one of 100,000
/// others is one in 10^14.
#[derive(Debug)]
pub(crate) struct SeenEvents {
    limits: SeenLimits,
    hasher: RandomState,
    /// Each pair with its time.
    order: VecDeque<(u64, Duration)>,
    known: HashSet<u64>,
    /// The numbers of subscriptions that took another one's place, or a name that was free again.
    numbers: HashMap<SubscriptionName, u64>,
    last_number: u64,
    online: OnlineTime,
}

/// The limits of the pairs that are remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenLimits {
    /// The most pairs.
    pub(crate) pairs: usize,
    /// The longest time online.
    pub(crate) time: Duration,
}

impl SeenEvents {
    /// Remembers the latest pairs of an event and a subscription, within these limits.
    pub(crate) fn new(limits: SeenLimits) -> Self {
        Self {
            limits,
            hasher: RandomState::new(),
            order: VecDeque::new(),
            known: HashSet::new(),
            numbers: HashMap::new(),
            last_number: 0,
            online: OnlineTime::default(),
        }
    }

    /// A connection opened.
    pub(crate) fn online(&mut self, now: Instant) {
        self.online.online(now);
    }

    /// The connection ended.
    pub(crate) fn offline(&mut self, now: Instant) {
        self.online.offline(now);
    }

    /// The program makes this request. The stream has, or will have, subscriptions of these names before it.
    pub(crate) fn prepare(&mut self, request: &SubscriptionRequest, present: &[SubscriptionName]) {
        // A name that is gone is of use only as long as its last events are under way.
        if self.numbers.len() > MOST_NUMBERS {
            self.numbers.retain(|name, _| present.contains(name));
        }
        match request {
            SubscriptionRequest::Replace { old, new, .. } if *old != new.name => {
                let number = self.number(old);
                self.numbers.insert(old.clone(), number);
                self.numbers.insert(new.name.clone(), number);
            }
            request => {
                // Another subscription may have had the name.
                for subscription in request.added().iter().filter(|added| !present.contains(&added.name)) {
                    self.last_number += 1;
                    self.numbers.insert(subscription.name.clone(), self.last_number);
                }
            }
        }
    }

    fn number(&self, name: &SubscriptionName) -> u64 {
        self.numbers.get(name).copied().unwrap_or_else(|| self.hasher.hash_one(name))
    }

    /// Remembers that these subscriptions have had this event. Returns false if all of them had it before.
    pub(crate) fn insert(&mut self, id: &str, subscriptions: &[SubscriptionName], now: Instant) -> bool {
        let time = self.online.at(now);
        while self.order.front().is_some_and(|(_, seen)| time.saturating_sub(*seen) > self.limits.time) {
            self.forget_oldest();
        }
        // Each is inserted: this does not stop at the first new one.
        let new = subscriptions.iter().filter(|name| self.insert_one(id, name, time)).count();
        new > 0
    }

    fn insert_one(&mut self, id: &str, name: &SubscriptionName, time: Duration) -> bool {
        let hash = self.hasher.hash_one((id, self.number(name)));
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back((hash, time));
        if self.order.len() > self.limits.pairs {
            self.forget_oldest();
        }
        true
    }

    fn forget_oldest(&mut self) {
        if let Some((oldest, _)) = self.order.pop_front() {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &[SubscriptionName] = &[SubscriptionName::DEFAULT];
    const MINUTE: Duration = Duration::from_secs(60);

    fn names(names: &[&str]) -> Vec<SubscriptionName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn seen(pairs: usize) -> SeenEvents {
        SeenEvents::new(SeenLimits { pairs, time: 15 * MINUTE })
    }

    #[test]
    fn the_latest_are_known_and_the_oldest_is_forgotten() {
        let (mut seen, now) = (seen(3), Instant::now());
        for id in ["a", "b", "c"] {
            assert!(seen.insert(id, DEFAULT, now));
            assert!(!seen.insert(id, DEFAULT, now));
        }
        assert!(seen.insert("d", DEFAULT, now));
        assert!(!seen.insert("b", DEFAULT, now));
        assert!(seen.insert("a", DEFAULT, now), "the oldest is forgotten");
        assert_eq!((seen.order.len(), seen.known.len()), (3, 3));
    }

    #[test]
    fn only_the_time_online_counts() {
        let (mut seen, start) = (seen(10), Instant::now());
        seen.online(start);
        assert!(seen.insert("a", DEFAULT, start));
        seen.offline(start + MINUTE);
        let back = start + 60 * MINUTE;
        assert!(!seen.insert("a", DEFAULT, back), "a minute online, and an hour offline");
        seen.online(back);
        assert!(!seen.insert("a", DEFAULT, back + 14 * MINUTE));
        assert!(seen.insert("b", DEFAULT, back + 14 * MINUTE));
        assert!(seen.insert("a", DEFAULT, back + 15 * MINUTE));
        assert!(!seen.insert("b", DEFAULT, back + 15 * MINUTE));
        assert_eq!((seen.order.len(), seen.known.len()), (2, 2));
    }

    #[test]
    fn each_view_of_an_event_is_new_once() {
        let (mut seen, now) = (seen(10), Instant::now());
        let mut insert = |id: &str, names: &[SubscriptionName]| seen.insert(id, names, now);
        assert!(insert("a", &names(&["map", "list"])));
        assert!(insert("a", &names(&["chart"])), "another view of the same event");
        assert!(!insert("a", &names(&["list"])));
        assert!(!insert("a", &names(&["chart", "map"])));
        assert!(insert("a", &names(&["map", "new"])), "a subscription that has not had it");
        assert!(insert("a", DEFAULT));
        assert!(!insert("a", &[]), "no subscription");
    }
}
