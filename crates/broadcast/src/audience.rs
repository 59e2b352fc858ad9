use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use entity_stream_clock::Clock;
use entity_stream_connections::{HashRange, Interest, InterestPage, InterestPages, Table, TableError, Want};
use entity_stream_protocol::{EntityTypes, Tenant};
use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, timeout_at};

use crate::candidate::{Candidate, Match};
use crate::matched::Matched;
use crate::recording::Permits;
use crate::verdicts::Verdicts;
use crate::work_turns::{TenantTurns, WorkTurn};

/// The longest time of a read of a page. DynamoDB answers in milliseconds; a read that is cut off is repeated.
const READ_TIME: Duration = Duration::from_secs(2);

/// Reads the audience of a batch: the interests in its partitions, as far as they match an event.
///
/// Every page is filtered when it arrives, and nowhere else. Interests that match no event are dropped there. Filters take
/// turns with those of other tenants, and reading ends in time however slow they are.
#[derive(Debug)]
pub(crate) struct Audience<'a> {
    table: &'a Table,
    clock: &'a Clock,
    tenant: &'a Tenant,
    entity_types: &'a EntityTypes,
    entity_ids: Vec<&'a str>,
    verdicts: Mutex<Verdicts<'a>>,
    turns: TenantTurns,
    permits: Permits<'a>,
    /// Reading ends here, because the unread part then has to be handed on.
    stop: Instant,
    /// The time that the table has to answer.
    table_time: Duration,
    /// The time of the table's last answer. `None`: the table has failed, and nothing more is read.
    answered: Mutex<Option<Instant>>,
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

/// The reason why a range was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    OutOfTime,
    Table(TableError),
}

/// A range that was not read.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) range: HashRange,
    pub(crate) error: ReadError,
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
        (table, clock): (&'a Table, &'a Clock),
        (tenant, entity_types, entity_ids): (&'a Tenant, &'a EntityTypes, Vec<&'a str>),
        (verdicts, turns): (Verdicts<'a>, TenantTurns),
        permits: Permits<'a>,
        (stop, table_time): (Instant, Duration),
    ) -> Self {
        let (verdicts, answered) = (Mutex::new(verdicts), Mutex::new(Some(Instant::now())));
        Self { table, clock, tenant, entity_types, entity_ids, verdicts, turns, permits, stop, table_time, answered }
    }

    /// Reads the first page of each partition.
    ///
    /// # Errors
    /// [`ReadError`] if the table does not answer, or if the time is over.
    pub(crate) async fn read_first_pages(&self, range: HashRange) -> Result<Reading<First>, ReadError> {
        let (mut candidates, mut capacity) = (Vec::new(), 0.0);
        let mut partitions = self.partitions(range);
        for page in try_join_all(partitions.iter_mut().map(|pages| self.next(pages))).await?.into_iter().flatten() {
            candidates.extend(page.result);
            capacity += page.capacity;
        }
        let read_up_to = partitions.iter().filter_map(InterestPages::position).min();
        Ok(Reading { result: First { candidates, read_up_to }, capacity })
    }

    /// Reads a slice to its end.
    pub(crate) async fn read(&self, slice: Slice) -> Reading<Result<Vec<Candidate>, Unread>> {
        let range = match slice {
            // Candidates that were read take time to serve as well.
            Slice::Read { range, .. } | Slice::Unread(range) if Instant::now() >= self.stop => {
                return Reading { result: Err(Unread { range, error: ReadError::OutOfTime }), capacity: 0.0 };
            }
            Slice::Read { candidates, .. } => return Reading { result: Ok(candidates), capacity: 0.0 },
            Slice::Unread(range) => range,
        };
        let mut slice = Reading { result: Ok(Vec::new()), capacity: 0.0 };
        let partitions = self.partitions(range).into_iter().map(|pages| self.read_partition(pages));
        for partition in join_all(partitions).await {
            slice.capacity += partition.capacity;
            match (&mut slice.result, partition.result) {
                (Ok(candidates), Ok(more)) => candidates.extend(more),
                (_, Err(error)) => {
                    tracing::error!(?error, %range, "a part of the audience was not read");
                    slice.result = Err(Unread { range, error });
                }
                (Err(_), Ok(_)) => {}
            }
        }
        slice
    }

    async fn read_partition(&self, mut pages: InterestPages) -> Reading<Result<Vec<Candidate>, ReadError>> {
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
    /// until the table has answered nothing for `table_time`.
    async fn next(&self, pages: &mut InterestPages) -> Result<Option<Reading<Vec<Candidate>>>, ReadError> {
        let mut delays = delays();
        let began = Instant::now();
        loop {
            let permitted = self.permits.next(READ_TIME).await;
            let until = self.stop.min(self.patience_ends(began)?);
            let until = permitted.map_or(until, |permitted| permitted.min(until));
            let error = match timeout_at(until, pages.next()).await {
                Ok(Ok(page)) => {
                    self.set_answered(Some(Instant::now()));
                    return match page {
                        Some(page) => self.filter(page).await.map(Some),
                        None => Ok(None),
                    };
                }
                Ok(Err(error)) => error,
                Err(_) => TableError::TimedOut { operation: "Query" },
            };
            let delay = delays.next().unwrap_or_default();
            if Instant::now() + delay >= self.stop {
                return Err(ReadError::OutOfTime);
            }
            if Instant::now() + delay >= self.patience_ends(began)? {
                self.set_answered(None);
                return Err(ReadError::Table(error));
            }
            tracing::warn!(%error, "reading a page of the audience again");
            tokio::time::sleep(delay).await;
        }
    }

    /// Returns the time at which a read of the table has failed. Answers to other reads put it off.
    ///
    /// # Errors
    /// If another read has failed.
    fn patience_ends(&self, began: Instant) -> Result<Instant, ReadError> {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = answered.ok_or(ReadError::Table(TableError::TimedOut { operation: "Query" }))?;
        Ok(answered.max(began) + self.table_time)
    }

    fn set_answered(&self, at: Option<Instant>) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Drops the interests that match no event. It ends with an error when the time is over, between two filters.
    async fn filter(&self, page: InterestPage) -> Result<Reading<Vec<Candidate>>, ReadError> {
        let mut candidates = Vec::new();
        let mut interests = page.interests.into_iter();
        loop {
            let turn = self.turns.next().await;
            if Instant::now() >= self.stop {
                return Err(ReadError::OutOfTime);
            }
            if self.filter_some(page.entity_id.as_deref(), &mut interests, &mut candidates, &turn) {
                return Ok(Reading { result: candidates, capacity: page.capacity });
            }
        }
    }

    /// Filters interests until the turn is over. Returns whether none is left.
    fn filter_some(
        &self,
        entity_id: Option<&str>,
        interests: &mut std::vec::IntoIter<Interest>,
        candidates: &mut Vec<Candidate>,
        turn: &WorkTurn<'_>,
    ) -> bool {
        let now = self.clock.now();
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(interest) = interests.as_slice().first() {
            let mut verdict = |want: &Want| verdicts.matching(entity_id, (&want.filter, &want.view), || turn.is_over());
            // If the turn ends within an interest, the next one finds the verdicts so far.
            let Some(events) = interest.wants.iter().map(&mut verdict).collect::<Option<Vec<_>>>() else {
                return false;
            };
            // The client of a connection that may still be proved receives nothing.
            let interest = interests.next().filter(|interest| !interest.may_be_proved(now));
            candidates.extend(interest.and_then(|interest| candidate(interest, events)));
            if turn.is_over() {
                return interests.as_slice().is_empty();
            }
        }
        true
    }

    fn partitions(&self, range: HashRange) -> Vec<InterestPages> {
        let ids = self.entity_ids.iter().copied();
        self.table.interests_in(self.tenant, self.entity_types.iter(), ids, range, self.clock.now())
    }
}

/// An interest with the events that concern the filter of each of its wants; `None` if no event concerns any.
fn candidate(mut interest: Interest, matched: Vec<Matched>) -> Option<Candidate> {
    let wants = std::mem::take(&mut interest.wants).into_iter().zip(matched).filter(|(_, matched)| !matched.is_empty());
    let matches: Vec<_> = wants.map(|(want, matched)| Match::new(want, matched)).collect();
    (!matches.is_empty()).then_some(Candidate { interest, matches })
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
