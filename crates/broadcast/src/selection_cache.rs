use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity_stream_protocol::{ChangeFacts, Filter, Selection, Verdict};
use lru::LruCache;

/// The most memory that the cache uses: a sixteenth of the memory that the template gives the function.
const BYTES: usize = 32 * 1024 * 1024;
/// The estimated memory of an entry besides its selection: the text of the filter and its place in the cache.
const OVERHEAD: usize = 512;

/// Filters that were read, with their compiled patterns, kept between invocations. Clients come and go, but their filters stay
/// the same.
///
/// The lock is held to find an entry only. Compiling and matching take up to milliseconds, and another tenant may wait.
#[derive(Debug, Default)]
pub struct SelectionCache(Mutex<Known>);

#[derive(Debug)]
struct Known {
    selections: LruCache<Box<str>, Arc<KnownSelection>>,
    /// The estimated memory of all entries.
    bytes: usize,
}

#[derive(Debug)]
struct KnownSelection {
    /// `None`: the stored text is not a filter, and matches nothing. Clients cannot store one.
    selection: Option<Selection>,
    /// The memory that the cache counts for it.
    counted: AtomicUsize,
}

impl KnownSelection {
    fn read(filter: &str) -> Self {
        let read = serde_json::from_str::<Filter>(filter);
        let read = read.inspect_err(|error| tracing::error!(%error, "a stored filter cannot be read"));
        Self { selection: read.ok().map(Selection::new), counted: AtomicUsize::new(0) }
    }

    fn memory(&self, filter: &str) -> usize {
        OVERHEAD + filter.len() + self.selection.as_ref().map_or(0, Selection::memory)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self { selections: LruCache::unbounded(), bytes: 0 }
    }
}

impl SelectionCache {
    /// Judges a change by a filter, which is given as JSON.
    pub(crate) fn judge(&self, filter: &str, facts: &ChangeFacts<'_>) -> Verdict {
        let known = self.find(filter);
        let Some(selection) = &known.selection else { return Verdict::Fails };
        let verdict = selection.judge(facts);
        // A pattern may have been compiled.
        if known.memory(filter) != known.counted.load(Ordering::Relaxed) {
            if selection.is_broken() {
                tracing::error!("a stored filter has a pattern or a query that cannot be read");
            }
            self.lock().count(filter, &known);
        }
        verdict
    }

    fn find(&self, filter: &str) -> Arc<KnownSelection> {
        if let Some(known) = self.lock().selections.get(filter) {
            return Arc::clone(known);
        }
        let fresh = Arc::new(KnownSelection::read(filter));
        let mut all = self.lock();
        // Another task may have inserted the filter meanwhile.
        let replaced = all.selections.put(filter.into(), Arc::clone(&fresh));
        all.bytes -= replaced.map_or(0, |known| known.counted.load(Ordering::Relaxed));
        all.count(filter, &fresh);
        fresh
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Counts the present memory of an entry, unless the entry is no longer there.
    fn count(&mut self, filter: &str, known: &Arc<KnownSelection>) {
        if !self.selections.peek(filter).is_some_and(|entry| Arc::ptr_eq(entry, known)) {
            return;
        }
        let memory = known.memory(filter);
        self.bytes = self.bytes + memory - known.counted.swap(memory, Ordering::Relaxed);
        while self.bytes > BYTES
            && let Some((_, oldest)) = self.selections.pop_lru()
        {
            self.bytes -= oldest.counted.load(Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::EntityChange;

    use super::*;

    fn verdict(cache: &SelectionCache, filter: &str) -> bool {
        let detail = r#"{"type":"entityUpdated","tenant":"t","entityType":"Room","entityId":"urn:ngsi-ld:Room:001"}"#;
        cache.judge(filter, &ChangeFacts::new(&EntityChange::parse(detail).unwrap())) == Verdict::Passes
    }

    #[test]
    fn the_cache_stays_within_its_memory() {
        let cache = SelectionCache::default();
        for i in 0..800 {
            assert!(verdict(&cache, &format!(r#"{{"idPattern":"^urn:[\\w-]+:\\w+:\\w+|{i}"}}"#)));
            assert!(!verdict(&cache, &format!(r#"{{"idPattern":"Sensor:{i}"}}"#)));
            assert!(!verdict(&cache, &format!(r#"{{"q":"name~=\"^[a-z]+{i}$\""}}"#)));
        }
        let known = cache.lock();
        let counted: usize = known.selections.iter().map(|(_, known)| known.counted.load(Ordering::Relaxed)).sum();
        let present: usize = known.selections.iter().map(|(filter, known)| known.memory(filter)).sum();
        assert_eq!((known.bytes, known.bytes), (counted, present));
        assert!((BYTES / 2..=BYTES).contains(&counted), "{counted}");
        assert!(known.selections.len() < 2400);
    }

    /// Each client of a map has a place of its own. If the cache did not keep all of them, each event would read all again.
    #[test]
    fn ten_thousand_places_stay_in_the_cache() {
        let cache = SelectionCache::default();
        for i in 0..10_000 {
            let place = format!(r#""geometry":"Point","coordinates":[135.{i:06},34.{i:06}]"#);
            assert!(!verdict(&cache, &format!(r#"{{"geoQ":{{"georel":"near;maxDistance==2000",{place}}}}}"#)));
        }
        assert_eq!(cache.lock().selections.len(), 10_000);
    }

    #[test]
    fn what_cannot_be_read_matches_nothing() {
        let cache = SelectionCache::default();
        for filter in [r#"{"idPattern":"("}"#, r#"{"q":"(("}"#, "{", r#"{"geoQ":{}}"#] {
            for _ in 0..2 {
                assert!(!verdict(&cache, filter), "{filter}");
            }
        }
    }
}
