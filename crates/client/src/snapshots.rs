//! The snapshot that a stream receives in parts, without I/O.
//!
//! Invariants:
//! - At most one snapshot is under way, and no request about subscriptions at the same time: its token belongs to the subscriptions
//!   for which it was begun.
//! - The bookmark waits for the end of the snapshot. A connection that is lost before begins the snapshot anew.
//! - A snapshot that the program requested while the stream was open is owed until it is complete, also if the stream resumes in
//!   between and the server sends none.

use std::collections::BTreeSet;
use std::time::Duration;

use entity_stream_protocol::{RequestId, SnapshotToken, SubscriptionName};

use crate::resumption::BookmarkStep;

/// The time before the client asks again after an empty part or a temporary error.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// The most temporary errors in a row. After them the client connects again.
const FAILURES: u32 = 5;
/// The most times that a snapshot begins anew on one connection because the server does not know its token.
const RESTARTS: u32 = 3;

/// A part of a snapshot that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedPart {
    pub(crate) entities: u32,
    pub(crate) next: Option<SnapshotToken>,
}

/// The request that comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotStep {
    /// Ask for the part at this place.
    Continue(SnapshotToken),
    /// Subscribe to these subscriptions once more, with a snapshot.
    Begin(BTreeSet<SubscriptionName>),
}

/// A snapshot that has arrived.
#[derive(Debug)]
pub(crate) struct WholeSnapshot {
    pub(crate) subscriptions: BTreeSet<SubscriptionName>,
    pub(crate) entities: u64,
    /// The step of the bookmark that waited for it.
    pub(crate) held: Option<BookmarkStep>,
}

/// The snapshots of one stream.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// The subscriptions whose snapshot the program waits for, even if the stream resumes.
    owed: BTreeSet<SubscriptionName>,
    under_way: Option<SnapshotUnderWay>,
    /// The number of requests so far, which tells their answers apart.
    messages: u64,
}

#[derive(Debug)]
struct SnapshotUnderWay {
    subscriptions: BTreeSet<SubscriptionName>,
    entities: u64,
    held: Option<BookmarkStep>,
    step: SnapshotStep,
    /// The id of the request under way. `None` in a pause.
    request_id: Option<RequestId>,
    failures: u32,
    restarts: u32,
}

impl Snapshots {
    /// The program waits for the snapshot of these subscriptions.
    pub(crate) fn owe(&mut self, subscriptions: BTreeSet<SubscriptionName>) {
        self.owed.extend(subscriptions);
    }

    /// The subscriptions whose snapshot is owed, among those that still begin with one.
    pub(crate) fn owed(&mut self, present: &BTreeSet<SubscriptionName>) -> BTreeSet<SubscriptionName> {
        self.owed.retain(|name| present.contains(name));
        self.owed.clone()
    }

    /// True if a snapshot is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Returns whether this is the id of the request under way.
    pub(crate) fn awaits(&self, request_id: Option<&RequestId>) -> bool {
        let awaited = self.under_way.as_ref().and_then(|snapshot| snapshot.request_id.as_ref());
        awaited.is_some() && awaited == request_id
    }

    /// Begins a snapshot of these subscriptions, before any part of it.
    pub(crate) fn begin(&mut self, subscriptions: BTreeSet<SubscriptionName>, held: Option<BookmarkStep>) {
        let step = SnapshotStep::Begin(subscriptions.clone());
        self.under_way = Some(SnapshotUnderWay {
            subscriptions,
            entities: 0,
            held,
            step,
            request_id: None,
            failures: 0,
            restarts: 0,
        });
    }

    /// The answer to a `subscribe` of the snapshot moves the bookmark once the snapshot is complete.
    pub(crate) fn hold(&mut self, step: BookmarkStep) {
        if let Some(snapshot) = &mut self.under_way {
            snapshot.held = Some(match (snapshot.held.take(), step) {
                (Some(BookmarkStep::BeginsAnew(_)), BookmarkStep::Continues(bookmark)) => {
                    BookmarkStep::BeginsAnew(bookmark)
                }
                (_, step) => step,
            });
        }
    }

    /// A part arrived. Returns the snapshot if it was the last; otherwise the next request is due, after a pause if the part was
    /// empty.
    pub(crate) fn arrived(&mut self, part: ReceivedPart) -> Option<WholeSnapshot> {
        let snapshot = self.under_way.as_mut()?;
        snapshot.request_id = None;
        snapshot.failures = 0;
        snapshot.entities += u64::from(part.entities);
        if let Some(next) = part.next {
            snapshot.step = SnapshotStep::Continue(next);
            return None;
        }
        let SnapshotUnderWay { subscriptions, entities, held, .. } = self.under_way.take()?;
        self.owed.retain(|name| !subscriptions.contains(name));
        Some(WholeSnapshot { subscriptions, entities, held })
    }

    /// The next request, which is under way from now on. `None` if one is under way already.
    pub(crate) fn next_request(&mut self) -> Option<(SnapshotStep, RequestId)> {
        let snapshot = self.under_way.as_mut().filter(|snapshot| snapshot.request_id.is_none())?;
        self.messages += 1;
        let id = RequestId::parse(format!("snapshot-{}", self.messages)).ok()?;
        snapshot.request_id = Some(id.clone());
        if matches!(snapshot.step, SnapshotStep::Begin(_)) {
            snapshot.entities = 0;
        }
        Some((snapshot.step.clone(), id))
    }

    /// The server does not know the token. Returns true if the snapshot begins anew.
    pub(crate) fn restarts(&mut self) -> bool {
        self.under_way.as_mut().is_some_and(|snapshot| {
            snapshot.restarts += 1;
            snapshot.request_id = None;
            snapshot.step = SnapshotStep::Begin(snapshot.subscriptions.clone());
            snapshot.restarts <= RESTARTS
        })
    }

    /// The server failed. Returns true if the same request can be sent again.
    pub(crate) fn can_retry(&mut self) -> bool {
        self.under_way.as_mut().is_some_and(|snapshot| {
            snapshot.failures += 1;
            snapshot.request_id = None;
            snapshot.failures <= FAILURES
        })
    }

    /// The subscriptions of the snapshot under way.
    pub(crate) fn subscriptions(&self) -> Option<&BTreeSet<SubscriptionName>> {
        self.under_way.as_ref().map(|snapshot| &snapshot.subscriptions)
    }

    /// The program has ended the subscriptions of the snapshot. Returns the step of the bookmark that waited for it.
    pub(crate) fn abandon(&mut self) -> Option<BookmarkStep> {
        self.under_way.take()?.held
    }

    /// The connection ended.
    pub(crate) fn lost(&mut self) {
        self.under_way = None;
    }
}
