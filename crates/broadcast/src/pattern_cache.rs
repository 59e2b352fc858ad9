use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use entity_stream_protocol::{IdPattern, PatternMatcher, Prefilter};
use lru::LruCache;

/// The most memory that the cache uses: a sixteenth of the memory that the template gives the function.
const BYTES: usize = 32 * 1024 * 1024;
/// The estimated memory of an entry besides prefilter and matcher: the text of the pattern and its place in the cache.
const OVERHEAD: usize = 1024;

/// Prefilters and compiled patterns, kept between invocations. Clients come and go, but their patterns stay the same.
///
/// The lock is held to find an entry only. Compiling and matching take up to milliseconds, and another tenant may wait.
#[derive(Debug, Default)]
pub struct PatternCache(Mutex<Known>);

#[derive(Debug)]
struct Known {
    patterns: LruCache<IdPattern, Entry>,
    /// The estimated memory of all entries.
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    pattern: Arc<KnownPattern>,
    /// The estimated memory.
    bytes: usize,
}

#[derive(Debug)]
struct KnownPattern {
    prefilter: Prefilter,
    /// Compiled for the first id that passes the prefilter. If each client wants an entity of its own, most patterns are
    /// never compiled. `None` inside: the pattern does not compile.
    matcher: OnceLock<Option<PatternMatcher>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { patterns: LruCache::unbounded(), bytes: 0 }
    }
}

impl PatternCache {
    /// Returns whether a pattern matches an id. A pattern that does not compile matches nothing; clients cannot store one.
    pub(crate) fn matches(&self, pattern: &IdPattern, entity_id: &str) -> bool {
        let known = self.find(pattern);
        if !known.prefilter.may_match(entity_id) {
            return false;
        }
        let mut compiled = 0;
        let matcher = known.matcher.get_or_init(|| {
            let matcher = PatternMatcher::compile(pattern);
            let matcher =
                matcher.inspect_err(|error| tracing::error!(%error, "a stored pattern does not compile")).ok();
            compiled = matcher.as_ref().map_or(0, PatternMatcher::memory);
            matcher
        });
        if compiled > 0 {
            self.lock().grow(pattern, &known, compiled);
        }
        matcher.as_ref().is_some_and(|matcher| matcher.matches(entity_id))
    }

    fn find(&self, pattern: &IdPattern) -> Arc<KnownPattern> {
        if let Some(entry) = self.lock().patterns.get(pattern) {
            return Arc::clone(&entry.pattern);
        }
        let fresh = Arc::new(KnownPattern { prefilter: Prefilter::of(pattern), matcher: OnceLock::new() });
        self.lock().insert(pattern, &fresh);
        fresh
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn insert(&mut self, pattern: &IdPattern, known: &Arc<KnownPattern>) {
        let bytes = OVERHEAD + known.prefilter.memory();
        self.bytes += bytes;
        // Another task may have inserted the pattern meanwhile.
        let replaced = self.patterns.put(pattern.clone(), Entry { pattern: Arc::clone(known), bytes });
        self.bytes -= replaced.map_or(0, |entry| entry.bytes);
        self.shrink();
    }

    /// Adds the memory of a matcher to its entry, unless the entry is no longer there.
    fn grow(&mut self, pattern: &IdPattern, known: &Arc<KnownPattern>, bytes: usize) {
        if let Some(entry) = self.patterns.peek_mut(pattern)
            && Arc::ptr_eq(&entry.pattern, known)
        {
            entry.bytes += bytes;
            self.bytes += bytes;
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        while self.bytes > BYTES
            && let Some((_, oldest)) = self.patterns.pop_lru()
        {
            self.bytes -= oldest.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(cache: &PatternCache, pattern: &str) -> bool {
        cache.matches(&IdPattern::from_stored(pattern.to_owned()), "urn:ngsi-ld:Room:001")
    }

    #[test]
    fn the_cache_stays_within_its_memory() {
        let cache = PatternCache::default();
        for i in 0..800 {
            assert!(verdict(&cache, &format!(r"^urn:[\w-]+:\w+:\w+|{i}")));
            assert!(!verdict(&cache, &format!("Sensor:{i}")));
        }
        let known = cache.lock();
        let counted: usize = known.patterns.iter().map(|(_, entry)| entry.bytes).sum();
        assert_eq!(known.bytes, counted);
        assert!((BYTES / 2..=BYTES).contains(&counted), "{counted}");
        assert!(known.patterns.len() < 1600);
    }

    #[test]
    fn a_pattern_is_compiled_for_the_first_id_that_it_may_match() {
        let cache = PatternCache::default();
        let is_compiled = |pattern: &str| {
            let known = cache.lock();
            known.patterns.peek(&IdPattern::from_stored(pattern.to_owned())).unwrap().pattern.matcher.get().is_some()
        };
        assert!(!verdict(&cache, "Room:002") && !is_compiled("Room:002"));
        assert!(!verdict(&cache, r"Room:001\w") && is_compiled(r"Room:001\w"));
        assert!(verdict(&cache, "Room:001") && is_compiled("Room:001"));
    }

    #[test]
    fn a_pattern_that_does_not_compile_matches_nothing() {
        let cache = PatternCache::default();
        for _ in 0..2 {
            assert!(!verdict(&cache, "("));
        }
    }
}
