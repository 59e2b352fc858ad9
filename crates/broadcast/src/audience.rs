use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use entity_stream_clock::Clock;
use entity_stream_connections::{HashRange, InterestPage, InterestPages, Table, TableError};
use entity_stream_protocol::{EntityTypes, Tenant};
use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, timeout_at};

use crate::candidate::Candidate;
use crate::verdicts::Verdicts;

/// Reads the audience of a batch: the interests in its partitions, as far as they match an event.
///
/// Every page is filtered when it arrives, and nowhere else. Interests that match no event are dropped there.
#[derive(Debug)]
pub(crate) struct Audience<'a> {
    table: &'a Table,
    clock: &'a Clock,
    tenant: &'a Tenant,
    entity_types: &'a EntityTypes,
    verdicts: Mutex<Verdicts<'a>>,
    /// Reading ends here, because the unread part then has to be handed on.
    stop: Instant,
}

/// A part of the audience. It is complete in itself: no connection and no group is in two slices.
#[derive(Debug)]
pub(crate) enum Slice {
    Read { candidates: Vec<Candidate>, range: HashRange },
    Unread(HashRange),
}

/// The result of reading.
#[derive(Debug)]
pub(crate) struct Reading<T> {
    pub(crate) result: T,
    /// The consumed read capacity units, also if reading failed.
    pub(crate) capacity: f64,
}

/// The matching interests in the first pages of all partitions.
#[derive(Debug)]
pub(crate) struct First {
    pub(crate) candidates: Vec<Candidate>,
    /// Each partition was read below this hash. `None`: to the end.
    pub(crate) read_up_to: Option<u64>,
}

impl<'a> Audience<'a> {
    pub(crate) fn new(
        table: &'a Table,
        clock: &'a Clock,
        (tenant, entity_types): (&'a Tenant, &'a EntityTypes),
        verdicts: Verdicts<'a>,
        stop: Instant,
    ) -> Self {
        Self { table, clock, tenant, entity_types, verdicts: Mutex::new(verdicts), stop }
    }

    /// Reads the first page of each partition, one round after the other, as
    /// [`entity_stream_connections::Table::interests`] requires.
    ///
    /// # Errors
    /// [`TableError`] if the table does not answer in time.
    pub(crate) async fn read_first_pages(&self, range: HashRange) -> Result<Reading<First>, TableError> {
        let (mut candidates, mut capacity, mut read_up_to) = (Vec::new(), 0.0, None);
        for mut round in self.rounds(range) {
            for page in try_join_all(round.iter_mut().map(|pages| self.next(pages))).await?.into_iter().flatten() {
                candidates.extend(page.result);
                capacity += page.capacity;
            }
            read_up_to = round.iter().filter_map(InterestPages::position).chain(read_up_to).min();
        }
        Ok(Reading { result: First { candidates, read_up_to }, capacity })
    }

    /// Reads a slice to its end. The error is the range of a slice that was not read in time.
    pub(crate) async fn read(&self, slice: Slice) -> Reading<Result<Vec<Candidate>, HashRange>> {
        let range = match slice {
            // Candidates that were read take time to serve as well.
            Slice::Read { range, .. } | Slice::Unread(range) if Instant::now() >= self.stop => {
                return Reading { result: Err(range), capacity: 0.0 };
            }
            Slice::Read { candidates, .. } => return Reading { result: Ok(candidates), capacity: 0.0 },
            Slice::Unread(range) => range,
        };
        let mut slice = Reading { result: Ok(Vec::new()), capacity: 0.0 };
        for round in self.rounds(range) {
            for partition in join_all(round.into_iter().map(|pages| self.read_partition(pages))).await {
                slice.capacity += partition.capacity;
                match (&mut slice.result, partition.result) {
                    (Ok(candidates), Ok(more)) => candidates.extend(more),
                    (_, Err(error)) => {
                        tracing::error!(%error, %range, "a part of the audience was not read");
                        slice.result = Err(range);
                    }
                    (Err(_), Ok(_)) => {}
                }
            }
            if slice.result.is_err() {
                break;
            }
        }
        slice
    }

    async fn read_partition(&self, mut pages: InterestPages) -> Reading<Result<Vec<Candidate>, TableError>> {
        let (mut candidates, mut capacity) = (Vec::new(), 0.0);
        loop {
            match self.next(&mut pages).await {
                Ok(Some(page)) => {
                    candidates.extend(page.result);
                    capacity += page.capacity;
                }
                Ok(None) => return Reading { result: Ok(candidates), capacity },
                Err(error) => return Reading { result: Err(error), capacity },
            }
        }
    }

    /// Reads the next page and filters it. If the table does not answer even after the SDK's retries, the read is repeated
    /// until it is too late.
    async fn next(&self, pages: &mut InterestPages) -> Result<Option<Reading<Vec<Candidate>>>, TableError> {
        let mut delays = delays();
        loop {
            let error = match timeout_at(self.stop, pages.next()).await {
                Ok(Ok(page)) => return Ok(page.map(|page| self.filter(page))),
                Ok(Err(error)) => error,
                Err(_) => return Err(TableError::TimedOut { operation: "Query" }),
            };
            let delay = delays.next().unwrap_or_default();
            if Instant::now() + delay >= self.stop {
                return Err(error);
            }
            tracing::warn!(%error, "reading a page of the audience again");
            tokio::time::sleep(delay).await;
        }
    }

    fn filter(&self, page: InterestPage) -> Reading<Vec<Candidate>> {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        let candidates = page.interests.into_iter().filter_map(|interest| {
            let events = verdicts.matching(interest.id_pattern.as_ref());
            (!events.is_empty()).then_some(Candidate { interest, events })
        });
        Reading { result: candidates.collect(), capacity: page.capacity }
    }

    fn rounds(&self, range: HashRange) -> Vec<Vec<InterestPages>> {
        self.table.interests_in(self.tenant, self.entity_types.iter(), range, self.clock.now())
    }
}

/// Returns the waits between two reads of a page: exponential from 50 ms to 2 s, with jitter, without end.
fn delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .with_jitter()
        .without_max_times()
        .build()
}
