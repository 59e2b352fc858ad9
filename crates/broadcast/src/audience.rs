use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use entity_stream_connections::{Interest, InterestPages, TableError};
use entity_stream_protocol::{Event, IdPattern};
use futures_util::{Stream, StreamExt, stream};

use crate::Broadcast;

/// The connections that want an event, read from all its partitions at once.
pub(crate) struct Audience<'a> {
    broadcast: &'a Broadcast,
    event: &'a Event,
    partitions: Vec<InterestPages>,
    reading: Reading,
}

/// How the reading went, to be asked when it is over.
#[derive(Default)]
pub(crate) struct Reading(Mutex<ReadingState>);

#[derive(Default)]
struct ReadingState {
    capacity: f64,
    error: Option<TableError>,
}

impl Broadcast {
    pub(crate) fn audience<'a>(&'a self, event: &'a Event) -> Audience<'a> {
        let change = event.change();
        let partitions = self.table.interests(&change.tenant, change.entity_types.iter(), self.clock.now());
        Audience { broadcast: self, event, partitions, reading: Reading::default() }
    }
}

impl Audience<'_> {
    /// The interests whose pattern matches, each connection once, as pages arrive; and how the reading went.
    pub(crate) fn split(&mut self) -> (impl Stream<Item = Interest> + '_, &Reading) {
        let reading = &self.reading;
        let partitions = std::mem::take(&mut self.partitions).into_iter().map(|pages| {
            let pages = stream::unfold(pages, async move |mut pages| match pages.next().await {
                Ok(Some(page)) => {
                    reading.update(|state| state.capacity += page.capacity);
                    Some((page.interests, pages))
                }
                Ok(None) => None,
                Err(error) => {
                    reading.update(|state| state.error = Some(error));
                    None
                }
            });
            Box::pin(pages.flat_map(stream::iter))
        });
        let (patterns, entity_id) = (&self.broadcast.patterns, self.event.change().entity_id.as_str());
        // Thousands of connections share a few patterns: each is asked once for an event.
        let mut verdicts = HashMap::<IdPattern, bool>::new();
        let mut seen = HashSet::new();
        let interests = stream::select_all(partitions).filter(move |interest| {
            let matches = interest.id_pattern.as_ref().is_none_or(|pattern| {
                verdicts.get(pattern).copied().unwrap_or_else(|| {
                    let matches = patterns.matches(pattern, entity_id);
                    verdicts.insert(pattern.clone(), matches);
                    matches
                })
            });
            // A connection stands in several partitions if its filter names several of the entity's types, or if it
            // changed its filter while they were read.
            std::future::ready(matches && seen.insert(interest.connection_id.clone()))
        });
        (interests, reading)
    }
}

impl Reading {
    fn update(&self, change: impl FnOnce(&mut ReadingState)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The read capacity units consumed.
    pub(crate) fn capacity(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).capacity
    }

    /// Why a partition could not be read to its end.
    pub(crate) fn error(&self) -> Option<TableError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).error.take()
    }
}
