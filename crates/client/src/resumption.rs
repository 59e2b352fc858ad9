//! The place in the history from which a stream resumes, without I/O.
//!
//! Invariants:
//! - The bookmark begins with the answer to a `subscribe` that names all subscriptions of the stream. After that it is the
//!   greatest position that the stream has seen.
//! - The bookmark moves only when the stream hands out the items before it. [`BookmarkStep`] waits in the same queue as the items.
//! - A stream that has missed events, or may have, gets one verdict with its next `subscribed`.

use std::time::{Duration, SystemTime};

use entity_stream_protocol::limits::RESUME_INTERVAL;
use entity_stream_protocol::{NotRecovered, Position, Recovery, Since};
use tokio::time::Instant;

use crate::bookmark::Bookmark;
use crate::item::StreamItem;
use crate::requested_past::RequestedPast;

/// The place in the history from which a stream resumes.
#[derive(Debug)]
pub(crate) struct Resumption {
    bookmark: Option<Bookmark>,
    /// The time from which the stream wants events, until the first answer.
    rewind: Option<RequestedPast>,
    /// The lost connection, until the next answer.
    gap: Option<Gap>,
    /// The time of the last frame.
    heard: Option<SystemTime>,
    /// When the open connection asked for past events, or had the answer. `None` if it has not asked.
    asked_at: Option<Instant>,
    /// The number of past events that the open connection has brought, without repeats.
    replayed: u64,
    /// True if the server refused the last attempt because the one before was too recent.
    was_too_soon: bool,
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    since: Option<SystemTime>,
}

/// A step of the bookmark.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BookmarkStep {
    /// The stream has seen this position.
    Seen(Position),
    /// The server answered a `subscribe`, and the stream has all events up to there. `None` if the server keeps no history.
    Continues(Option<Bookmark>),
    /// The same, but the stream may have missed earlier events.
    BeginsAnew(Option<Bookmark>),
}

impl Resumption {
    /// A stream that begins at this place, or with the events that come.
    pub(crate) fn new(since: Option<Since>, now: Instant) -> Self {
        let (bookmark, rewind) = match since {
            None => (None, None),
            Some(Since::Position { position, session }) => (Some(Bookmark { position, session }), None),
            Some(since @ Since::Seconds { .. }) => (None, Some(RequestedPast::new(since, now))),
        };
        Self { bookmark, rewind, gap: None, heard: None, asked_at: None, replayed: 0, was_too_soon: false }
    }

    /// The place from which the next connection wants events. `None` for those that come.
    pub(crate) fn since(&self, now: Instant) -> Option<Since> {
        self.bookmark.clone().map(Since::from).or_else(|| self.rewind.as_ref().map(|past| past.at(now)))
    }

    /// The bookmark. `None` if the stream has none yet, or the server keeps no history.
    pub(crate) fn bookmark(&self) -> Option<&Bookmark> {
        self.bookmark.as_ref()
    }

    /// The connection opened, and asked for past events or not.
    pub(crate) fn opened(&mut self, has_asked: bool, now: Instant) {
        (self.asked_at, self.replayed) = (has_asked.then_some(now), 0);
    }

    /// The server says that the connection has asked for past events too recently.
    pub(crate) fn asked_too_soon(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// The time until the open connection may ask for past events. `None` if it may now.
    pub(crate) fn asks_in(&self, now: Instant) -> Option<Duration> {
        let rest = (self.asked_at? + RESUME_INTERVAL).saturating_duration_since(now);
        Some(rest).filter(|rest| !rest.is_zero())
    }

    /// The server sent a frame at this time.
    pub(crate) fn hear(&mut self, at: SystemTime) {
        self.heard = Some(at);
    }

    /// The stream received a past event that is not a repeat.
    pub(crate) fn count_replayed(&mut self) {
        self.replayed += 1;
    }

    /// The server answered the first `subscribe` of a connection. Returns the step of the bookmark and the verdict.
    pub(crate) fn answered(
        &mut self,
        bookmark: Option<Bookmark>,
        recovery: Option<Recovery>,
        now: Instant,
    ) -> (BookmarkStep, Option<StreamItem>) {
        let gap = self.gap.take();
        self.asked_at = self.asked_at.map(|_| now);
        let is_due = self.asked_at.is_some() || gap.is_some();
        self.rewind = None;
        self.was_too_soon = false;
        // A server that keeps no history, or does not know of it, gives no verdict.
        let recovery = recovery.or_else(|| is_due.then_some(Recovery::NotRecovered(NotRecovered::Unavailable)));
        match recovery {
            Some(Recovery::Recovered { .. }) => {
                let recovered = StreamItem::Recovered { replayed: self.replayed };
                (BookmarkStep::Continues(bookmark), Some(recovered))
            }
            Some(Recovery::NotRecovered(reason)) => {
                let missed_since = gap.and_then(|gap| gap.since);
                (BookmarkStep::BeginsAnew(bookmark), Some(StreamItem::NotRecovered { reason, missed_since }))
            }
            None => (BookmarkStep::BeginsAnew(bookmark), None),
        }
    }

    /// The server answered a later `subscribe` of the same connection. `asked_until` is the present time if that asked for past
    /// events.
    pub(crate) fn accepted(
        &mut self,
        bookmark: Option<Bookmark>,
        recovery: Option<Recovery>,
        asked_until: Option<Instant>,
    ) -> (BookmarkStep, Option<StreamItem>) {
        let has_asked = asked_until.is_some();
        self.asked_at = asked_until.or(self.asked_at);
        match recovery.or_else(|| has_asked.then_some(Recovery::NotRecovered(NotRecovered::Unavailable))) {
            Some(Recovery::NotRecovered(reason)) => {
                let not_recovered = StreamItem::NotRecovered { reason, missed_since: None };
                (BookmarkStep::BeginsAnew(bookmark), Some(not_recovered))
            }
            Some(Recovery::Recovered { .. }) | None => {
                let recovered = has_asked.then_some(StreamItem::Recovered { replayed: self.replayed });
                (BookmarkStep::Continues(bookmark), recovered)
            }
        }
    }

    /// Takes a step.
    pub(crate) fn proceed(&mut self, step: BookmarkStep) {
        match (step, &mut self.bookmark) {
            (BookmarkStep::Seen(position), Some(bookmark)) => {
                if position > bookmark.position {
                    bookmark.position = position;
                }
            }
            (BookmarkStep::Continues(Some(new)), Some(bookmark)) => {
                bookmark.session = new.session;
                if new.position > bookmark.position {
                    bookmark.position = new.position;
                }
            }
            (BookmarkStep::Seen(_), None) => {}
            (BookmarkStep::Continues(new) | BookmarkStep::BeginsAnew(new), bookmark) => *bookmark = new,
        }
    }

    /// A connection that had subscribed ended.
    pub(crate) fn lost(&mut self) {
        self.gap.get_or_insert(Gap { since: self.heard });
    }

    /// The stream misses nothing from now on, because it has no subscription or the server keeps no history.
    pub(crate) fn forget(&mut self) {
        (self.bookmark, self.rewind, self.gap) = (None, None, None);
    }

    /// The server refused the first `subscribe` of a connection by a limit. Returns true if that can be the limit of requests for
    /// past events: the next attempt tells.
    pub(crate) fn is_too_soon(&mut self) -> bool {
        self.asked_at.is_some() && !std::mem::replace(&mut self.was_too_soon, true)
    }
}
