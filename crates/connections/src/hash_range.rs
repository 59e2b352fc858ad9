//! Ranges of the hashes by which connections are spread over a partition.
//!
//! **Invariant.** [`HashRange::parts`], [`HashRange::split_at`] and [`HashRange::merge`] neither lose nor duplicate a hash: each
//! hash of the input is in exactly one of the resulting ranges. A share of an audience that is cut and handed on therefore
//! reaches each of its connections, and none twice.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A range of hashes, both ends included. A connection has the same hash in all partitions, and all members of a consumer
/// group have one hash. The text form is two hexadecimal numbers, `first-last`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashRange {
    first: u64,
    last: u64,
}

impl HashRange {
    /// Every hash.
    pub const ALL: Self = Self { first: 0, last: u64::MAX };

    /// The range from one hash to another, both included; `None` if `first` is greater than `last`.
    pub fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// A range of one hash.
    pub fn only(hash: u64) -> Self {
        Self { first: hash, last: hash }
    }

    /// The lowest hash.
    pub fn first(self) -> u64 {
        self.first
    }

    /// The highest hash.
    pub fn last(self) -> u64 {
        self.last
    }

    /// True if the range contains a hash.
    pub fn contains(self, hash: u64) -> bool {
        (self.first..=self.last).contains(&hash)
    }

    /// The part below a hash, and the other part.
    pub fn split_at(self, hash: u64) -> (Option<Self>, Option<Self>) {
        let below = hash.checked_sub(1).and_then(|last| Self::new(self.first, last.min(self.last)));
        (below, Self::new(hash.max(self.first), self.last))
    }

    /// The range in at most `count` parts of equal size, in ascending order.
    pub fn parts(self, count: usize) -> impl Iterator<Item = Self> {
        let width = u128::from(self.last - self.first) + 1;
        let count = (count.max(1) as u128).min(width);
        // The quotient is less than the width of the range.
        let at = move |part: u128| self.first + u64::try_from(width * part / count).unwrap_or(u64::MAX);
        (0..count).map(move |part| {
            let last = if part + 1 == count { self.last } else { at(part + 1) - 1 };
            Self { first: at(part), last }
        })
    }

    /// The share of the range below a hash, from 0 to 1. It need not be exact.
    pub fn share_below(self, hash: u64) -> f64 {
        let below = hash.clamp(self.first, self.last) - self.first;
        below as f64 / ((self.last - self.first) as f64 + 1.0)
    }

    /// The hash below which this share of the range lies, from 0 to 1. It need not be exact.
    pub fn at_share(self, share: f64) -> u64 {
        self.first.saturating_add(((self.last - self.first) as f64 * share.clamp(0.0, 1.0)) as u64).min(self.last)
    }

    /// The hashes of these ranges in as few ranges as possible, in ascending order.
    pub fn merge(mut ranges: Vec<Self>) -> Vec<Self> {
        ranges.sort_unstable();
        let mut merged: Vec<Self> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.first <= last.last.saturating_add(1) => last.last = last.last.max(range.last),
                _ => merged.push(range),
            }
        }
        merged
    }
}

impl fmt::Display for HashRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.first, self.last)
    }
}

impl fmt::Debug for HashRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for HashRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HashRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = |digits: &str| u64::from_str_radix(digits, 16).ok();
        text.split_once('-').and_then(|(first, last)| Self::new(hash(first)?, hash(last)?)).ok_or_else(|| {
            D::Error::custom("a range of hashes is two hexadecimal numbers, the lower one first: 0-ffff")
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_range() -> impl Strategy<Value = HashRange> {
        let edge = prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 0..20u64];
        (edge.clone(), edge).prop_map(|(a, b)| HashRange { first: a.min(b), last: a.max(b) })
    }

    proptest! {
        #[test]
        fn parts_are_the_whole_and_do_not_overlap(range in any_range(), count in 0..300usize) {
            let parts: Vec<_> = range.parts(count).collect();
            prop_assert!(parts.len() <= count.max(1));
            prop_assert_eq!(parts[0].first, range.first);
            prop_assert_eq!(parts[parts.len() - 1].last, range.last);
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].last + 1, pair[1].first);
            }
            prop_assert_eq!(HashRange::merge(parts), vec![range]);
        }

        #[test]
        fn halves_are_the_whole(range in any_range(), hash in any::<u64>(), probe in any::<u64>()) {
            let (below, rest) = range.split_at(hash);
            let within = |part: Option<HashRange>| part.is_some_and(|part| part.contains(probe));
            prop_assert_eq!(within(below), range.contains(probe) && probe < hash);
            prop_assert_eq!(within(rest), range.contains(probe) && probe >= hash);
        }

        #[test]
        fn merged_ranges_hold_the_same_hashes(ranges in prop::collection::vec(any_range(), 0..6), probe in 0..30u64) {
            let merged = HashRange::merge(ranges.clone());
            prop_assert_eq!(
                merged.iter().filter(|range| range.contains(probe)).count(),
                usize::from(ranges.iter().any(|range| range.contains(probe)))
            );
        }

        #[test]
        fn shares_and_hashes_are_two_ways_to_say_the_same(range in any_range(), share in 0.0..1.0f64) {
            let hash = range.at_share(share);
            prop_assert!(range.contains(hash));
            let width = (range.last - range.first) as f64 + 1.0;
            prop_assert!((range.share_below(hash) - share).abs() <= 1e-9 + 2.0 / width);
        }

        #[test]
        fn is_read_as_it_was_written(range in any_range()) {
            let text = serde_json::to_string(&range).unwrap();
            prop_assert_eq!(serde_json::from_str::<HashRange>(&text).unwrap(), range);
        }

        #[test]
        fn nothing_else_is_read(text in "\\PC{0,40}") {
            if let Ok(range) = serde_json::from_value::<HashRange>(serde_json::json!(text)) {
                prop_assert!(range.first <= range.last);
            }
        }
    }
}
