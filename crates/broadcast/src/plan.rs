//! Decides which part of an audience an invocation serves, reads and hands on.
//!
//! Invariant, for each event of a batch: the hashes that the invocation serves ([`Plan::served`] of [`Plan::read`] and of
//! each range in [`Plan::unread`]) and the hashes that it hands on ([`Share::beyond`]) are disjoint ranges. Together they are
//! exactly the range that the event came with.
//!
//! A plan is a function of the pages that were read first. Hashes are distributed evenly, so the share of the hash space
//! that these pages cover tells how many connections the whole range holds. That number decides whether the invocation
//! serves the whole range, and into how many slices the unread part is cut.

use std::collections::HashSet;
use std::sync::Arc;

use entity_stream_connections::HashRange;
use entity_stream_protocol::ConnectionId;

/// The most slices that the unread part of a range is cut into.
const SLICES: usize = 512;
/// The most parts that an event is handed on in. An invocation serves each part.
const PARTS: usize = 200;
/// The most parts for each invocation's work that the first pages really hold. The rest of the range may hold fewer
/// connections than they let expect: an invocation that finds more hands on again.
const PARTS_FOR_SEEN: f64 = 16.0;
/// The share of a page that a slice should fill. Hashes are not distributed perfectly evenly, and a slice that exceeds a page
/// takes two reads.
const FILL: f64 = 0.9;
/// The share of the range that the first pages are assumed to cover at least. If they hold a part of one huge group, the
/// share that they cover is unknown.
const LEAST_SHARE: f64 = 1.0 / SLICES as f64;

/// The first pages of each partition of an audience.
#[derive(Debug)]
pub(crate) struct FirstPages<'a> {
    /// The range that is read.
    pub(crate) range: HashRange,
    /// Each partition was read below this hash. `None`: to the end of the range.
    pub(crate) read_up_to: Option<u64>,
    /// The interests that match. A connection can occur several times.
    pub(crate) matching: Vec<Sighting<'a>>,
}

/// An interest in the first pages.
#[derive(Clone, Debug)]
pub(crate) struct Sighting<'a> {
    pub(crate) hash: u64,
    pub(crate) connection_id: &'a ConnectionId,
    /// The events that the interest matches.
    pub(crate) events: Arc<[usize]>,
}

/// The plan for a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The range that the first pages cover. Its interests need no further read.
    pub(crate) read: Option<HashRange>,
    /// The slices to read next. Slices share no connection and no group.
    pub(crate) unread: Vec<HashRange>,
    /// The share of each event.
    pub(crate) shares: Vec<Share>,
}

/// The division of one event's range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The invocation serves the hashes up to this one.
    pub(crate) last: u64,
    /// The rest of the range, in parts that other invocations serve.
    pub(crate) beyond: Vec<HashRange>,
}

impl Plan {
    /// Plans the ranges of a continuation that has several. These are small leftovers, so the invocation serves all of them.
    pub(crate) fn of_ranges(ranges: &[HashRange], events: usize) -> Self {
        let share = || Share { last: u64::MAX, beyond: Vec::new() };
        Self { read: None, unread: ranges.to_vec(), shares: (0..events).map(|_| share()).collect() }
    }

    /// Plans a range whose first pages were read. `split_at` has an entry for each event: the number of connections that one
    /// invocation serves, or `None` if the event cannot be handed on.
    pub(crate) fn of_first_pages(pages: &FirstPages<'_>, split_at: &[Option<usize>]) -> Self {
        let range = pages.range;
        let read_share = pages.read_up_to.map_or(1.0, |end| range.share_below(end).max(LEAST_SHARE));
        let shares: Vec<Share> = estimates(pages, split_at, read_share)
            .into_iter()
            .zip(split_at)
            .map(|(matching, split_at)| share(range, (matching, matching * read_share), *split_at))
            .collect();
        let longest = shares.iter().map(|share| share.last).max().unwrap_or(range.last());
        // A share ends within the range, so the range of all shares is not empty.
        let own = HashRange::new(range.first(), longest).unwrap_or(range);
        let (read, unread) = pages.read_up_to.map_or((Some(own), None), |end| own.split_at(end));
        let unread = unread.map_or_else(Vec::new, |unread| {
            let unread_share = range.share_below(own.last()) - range.share_below(unread.first());
            unread.parts(up_to(unread_share / (read_share * FILL), SLICES)).collect()
        });
        Self { read, unread, shares }
    }

    /// Returns the part of `range` in which the invocation serves an event.
    pub(crate) fn served(&self, event: usize, range: HashRange) -> Option<HashRange> {
        HashRange::new(range.first(), range.last().min(self.shares.get(event)?.last))
    }

    /// Returns whether the invocation serves an event at this hash of a planned range.
    pub(crate) fn serves(&self, event: usize, hash: u64) -> bool {
        self.shares.get(event).is_some_and(|share| hash <= share.last)
    }
}

/// Estimates for each event how many connections of the range match. A connection that occurs several times counts once.
#[expect(clippy::cast_precision_loss, reason = "estimates of at most millions")]
fn estimates(pages: &FirstPages<'_>, split_at: &[Option<usize>], read_share: f64) -> Vec<f64> {
    let complete = || pages.matching.iter().filter(|each| pages.read_up_to.is_none_or(|end| each.hash < end));
    let mut counts = vec![0_usize; split_at.len()];
    for event in complete().flat_map(|each| &*each.events) {
        counts[*event] += 1;
    }
    // Interests are at least as many as connections. Connections are only counted where the interests exceed the limit.
    let exceeds = |event: usize| split_at[event].is_some_and(|most| counts[event] as f64 / read_share > most as f64);
    let mut connections: Vec<Option<HashSet<&ConnectionId>>> =
        (0..split_at.len()).map(|event| exceeds(event).then(HashSet::new)).collect();
    if connections.iter().any(Option::is_some) {
        for each in complete() {
            for event in &*each.events {
                if let Some(connections) = &mut connections[*event] {
                    connections.insert(each.connection_id);
                }
            }
        }
    }
    let counted = connections.iter().map(|connections| connections.as_ref().map(HashSet::len));
    counted.zip(counts).map(|(connections, count)| connections.unwrap_or(count) as f64 / read_share).collect()
}

/// Divides a range with an estimated number of matching connections, of which `seen` were really read.
#[expect(clippy::cast_precision_loss, reason = "limits of at most millions")]
fn share(range: HashRange, (matching, seen): (f64, f64), split_at: Option<usize>) -> Share {
    let whole = Share { last: range.last(), beyond: Vec::new() };
    let Some(split_at) = split_at.map(|split_at| split_at as f64) else { return whole };
    if matching <= split_at {
        return whole;
    }
    match range.split_at(range.at_share(split_at / matching)) {
        (Some(own), Some(rest)) => {
            let most = up_to(PARTS_FOR_SEEN * seen / split_at, PARTS);
            Share { last: own.last(), beyond: rest.parts(up_to(matching / split_at - 1.0, most)).collect() }
        }
        _ => whole,
    }
}

/// Rounds an estimated number up and limits it to 1 to `most`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn up_to(estimate: f64, most: usize) -> usize {
    (estimate.ceil() as usize).clamp(1, most)
}

#[cfg(test)]
mod tests;
