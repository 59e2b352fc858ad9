use std::collections::HashSet;

use entity_stream_connections::{HashRange, Interest, InterestPage, InterestPages, TableError};
use entity_stream_delivery::backoff;
use entity_stream_protocol::Event;
use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, timeout_at};

use crate::handler::Broadcast;
use crate::patterns::Verdicts;

/// Most slices that a range is cut into.
const SLICES: usize = 512;
/// Most invocations that share what one hands on.
const PARTS: usize = 200;
/// How much of a page a slice is to fill: hashes are even, but not perfectly so, and a slice that runs over takes two reads.
const FILL: f64 = 0.9;
/// What is taken for the share that was read if it cannot be told: a first page of nothing but one huge group.
const LEAST_SHARE: f64 = 1.0 / SLICES as f64;

/// A part of the audience that is whole in itself: no connection and no group is in two of them.
pub(crate) enum Slice {
    Read { interests: Vec<Interest>, range: HashRange },
    Unread(HashRange),
}

/// What this invocation serves, and what it leaves to others from the start.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) slices: Vec<Slice>,
    /// Ranges of about the size that one invocation serves.
    pub(crate) beyond: Vec<HashRange>,
    /// The read capacity units consumed so far.
    pub(crate) capacity: f64,
}

impl Broadcast {
    #[allow(clippy::cast_precision_loss, reason = "estimates of at most millions")]
    /// Looks at the first page of each of the event's partitions, one round after the other, as
    /// [`entity_stream_connections::Table::interests`] asks. Where that is not all, it tells how many connections
    /// there are, because hashes are even; and so into how many slices to cut the rest, to be read side by side, and
    /// whether there are more than `split_at`.
    ///
    /// # Errors
    /// [`TableError`] if the table does not answer before `stop`. Nobody has got anything then.
    pub(crate) async fn plan(
        &self,
        event: &Event,
        ranges: &[HashRange],
        split_at: Option<usize>,
        stop: Instant,
    ) -> Result<Plan, TableError> {
        let [range] = ranges else {
            // What somebody else could not serve; it is small.
            return Ok(Plan { slices: ranges.iter().copied().map(Slice::Unread).collect(), ..Plan::default() });
        };
        let (mut interests, mut capacity) = (Vec::new(), 0.0);
        // Up to here every partition has been read, in every round; to the end, without it.
        let mut read_up_to: Option<u64> = None;
        for mut round in self.rounds(event, *range) {
            let firsts = try_join_all(round.iter_mut().map(|pages| next(pages, stop))).await?;
            for page in firsts.into_iter().flatten() {
                capacity += page.capacity;
                interests.extend(page.interests);
            }
            read_up_to = round.iter().filter_map(InterestPages::position).chain(read_up_to).min();
        }
        interests.retain(|interest| read_up_to.is_none_or(|end| interest.hash() < end));
        let read_share = read_up_to.map_or(1.0, |end| range.share_below(end).max(LEAST_SHARE));

        let mut plan = Plan { capacity, ..Plan::default() };
        let mut own = *range;
        // The patterns are only asked where there may be too many.
        if let Some(split_at) = split_at.filter(|split_at| interests.len() as f64 / read_share > *split_at as f64) {
            let mut verdicts = Verdicts::new(&self.patterns, &event.change().entity_id);
            interests.retain(|interest| verdicts.accept(interest.id_pattern.as_ref()));
            // Who is met several times counts once. Not before the patterns were asked: of a filter that was changed in
            // between, both are there, and either is enough.
            let mut seen = HashSet::with_capacity(interests.len());
            interests.retain(|interest| seen.insert(interest.connection_id.clone()));
            let (matching, split_at) = (interests.len() as f64 / read_share, split_at as f64);
            if let (Some(below), Some(rest)) = range.split_at(range.at_share(split_at / matching))
                && matching > split_at
            {
                own = below;
                plan.beyond = rest.parts(up_to(matching / split_at - 1.0, PARTS)).collect();
                interests.retain(|interest| own.contains(interest.hash()));
            }
        }
        let (read, unread) = read_up_to.map_or((Some(own), None), |end| own.split_at(end));
        plan.slices.extend(read.map(|range| Slice::Read { interests, range }));
        if let Some(unread) = unread {
            let unread_share = range.share_below(own.last()) - range.share_below(unread.first());
            let slices = up_to(unread_share / (read_share * FILL), SLICES);
            plan.slices.extend(unread.parts(slices).map(Slice::Unread));
        }
        Ok(plan)
    }

    /// Reads a slice to its end, or says with its range that it could not.
    pub(crate) async fn read(
        &self,
        event: &Event,
        slice: Slice,
        stop: Instant,
    ) -> (Result<Vec<Interest>, HashRange>, f64) {
        let range = match slice {
            // What is in hand takes time to serve.
            Slice::Read { range, .. } | Slice::Unread(range) if Instant::now() >= stop => return (Err(range), 0.0),
            Slice::Read { interests, .. } => return (Ok(interests), 0.0),
            Slice::Unread(range) => range,
        };
        let (mut interests, mut capacity) = (Vec::new(), 0.0);
        for round in self.rounds(event, range) {
            let mut unread = false;
            for (read, units) in join_all(round.into_iter().map(|pages| to_the_end(pages, stop))).await {
                capacity += units;
                match read {
                    Ok(read) => interests.extend(read),
                    Err(error) => {
                        tracing::error!(%error, %range, "a part of the audience could not be read");
                        unread = true;
                    }
                }
            }
            if unread {
                return (Err(range), capacity);
            }
        }
        (Ok(interests), capacity)
    }

    fn rounds(&self, event: &Event, range: HashRange) -> Vec<Vec<InterestPages>> {
        let change = event.change();
        self.table.interests_in(&change.tenant, change.entity_types.iter(), range, self.clock.now())
    }
}

/// The interests of a whole partition, and the read capacity units that it took, even in vain.
async fn to_the_end(mut pages: InterestPages, stop: Instant) -> (Result<Vec<Interest>, TableError>, f64) {
    let (mut interests, mut capacity) = (Vec::new(), 0.0);
    loop {
        match next(&mut pages, stop).await {
            Ok(Some(page)) => {
                interests.extend(page.interests);
                capacity += page.capacity;
            }
            Ok(None) => return (Ok(interests), capacity),
            Err(error) => return (Err(error), capacity),
        }
    }
}

/// A count that was estimated, from 1 to `most`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn up_to(estimate: f64, most: usize) -> usize {
    (estimate.ceil() as usize).clamp(1, most)
}

/// The next page, asked for again until `stop` if the table does not answer, after the SDK's own retries.
async fn next(pages: &mut InterestPages, stop: Instant) -> Result<Option<InterestPage>, TableError> {
    let mut delays = backoff();
    loop {
        // What is not read by then is handed on, for which there has to be time.
        let error = match timeout_at(stop, pages.next()).await {
            Ok(Ok(page)) => return Ok(page),
            Ok(Err(error)) => error,
            Err(_) => return Err(TableError::TimedOut { operation: "Query" }),
        };
        let delay = delays.next().unwrap_or_default();
        if Instant::now() + delay >= stop {
            return Err(error);
        }
        tracing::warn!(%error, "a page of the audience is asked for again");
        tokio::time::sleep(delay).await;
    }
}
