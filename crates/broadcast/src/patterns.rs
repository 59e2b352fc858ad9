use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use entity_stream_protocol::{IdPattern, PatternMatcher, Prefilter};
use lru::LruCache;

/// Most memory that compiled patterns are kept in: a sixteenth of what the template gives the function.
const BYTES: usize = 32 * 1024 * 1024;
/// What is counted for each pattern besides: the pattern itself, and its place.
const OVERHEAD: usize = 1024;

/// What is known of patterns, kept between invocations: clients come and go, but their patterns stay the same.
#[derive(Debug, Default)]
pub struct PatternCache(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// Those that were used last.
    patterns: LruCache<IdPattern, Pattern>,
    bytes: usize,
}

#[derive(Debug)]
struct Pattern {
    prefilter: Prefilter,
    /// Compiled for the first id that the prefilter lets pass: where each client wants an entity of its own, an event is
    /// for a few of thousands.
    matcher: OnceCell<Option<PatternMatcher>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { patterns: LruCache::unbounded(), bytes: 0 }
    }
}

impl PatternCache {
    /// Whether a pattern matches an id. One that does not compile, which no client could have stored, matches nothing.
    fn matches(&self, pattern: &IdPattern, entity_id: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        let asked = known.patterns.get_or_insert_ref(pattern, || {
            let fresh = Pattern { prefilter: Prefilter::of(pattern), matcher: OnceCell::new() };
            known.bytes += fresh.bytes();
            fresh
        });
        if !asked.prefilter.may_match(entity_id) {
            return false;
        }
        let matcher = asked.matcher.get_or_init(|| {
            let matcher = PatternMatcher::compile(pattern);
            let matcher =
                matcher.inspect_err(|error| tracing::error!(%error, "a stored pattern does not compile")).ok();
            known.bytes += matcher.as_ref().map_or(0, PatternMatcher::memory);
            matcher
        });
        let matches = matcher.as_ref().is_some_and(|matcher| matcher.matches(entity_id));
        known.shrink();
        matches
    }
}

impl Known {
    fn shrink(&mut self) {
        while self.bytes > BYTES
            && let Some((_, oldest)) = self.patterns.pop_lru()
        {
            self.bytes -= oldest.bytes();
        }
    }
}

impl Pattern {
    fn bytes(&self) -> usize {
        let matcher = self.matcher.get().and_then(Option::as_ref).map_or(0, PatternMatcher::memory);
        OVERHEAD + self.prefilter.memory() + matcher
    }
}

/// What the patterns say of one event's entity. Thousands of connections share a few: each is asked once.
pub struct Verdicts<'a> {
    patterns: &'a PatternCache,
    entity_id: &'a str,
    known: HashMap<IdPattern, bool>,
}

impl<'a> Verdicts<'a> {
    /// What these patterns say of this id.
    pub fn new(patterns: &'a PatternCache, entity_id: &'a str) -> Self {
        Self { patterns, entity_id, known: HashMap::new() }
    }

    /// Whether a connection's pattern, if it has one, matches.
    pub fn accept(&mut self, pattern: Option<&IdPattern>) -> bool {
        let Some(pattern) = pattern else { return true };
        if let Some(known) = self.known.get(pattern) {
            return *known;
        }
        let matches = self.patterns.matches(pattern, self.entity_id);
        self.known.insert(pattern.clone(), matches);
        matches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(cache: &PatternCache, pattern: &str) -> bool {
        Verdicts::new(cache, "urn:ngsi-ld:Room:001").accept(Some(&IdPattern::from_stored(pattern.to_owned())))
    }

    #[test]
    fn what_is_kept_stays_within_its_memory() {
        let cache = PatternCache::default();
        for i in 0..400 {
            assert!(verdict(&cache, &format!(r"^urn:[\w-]+:\w+:\w+|{i}")));
            assert!(!verdict(&cache, &format!("Sensor:{i}")));
        }
        let known = cache.0.lock().unwrap();
        let counted: usize = known.patterns.iter().map(|(_, pattern)| pattern.bytes()).sum();
        assert_eq!(known.bytes, counted);
        assert!((BYTES / 2..=BYTES).contains(&counted), "{counted}");
        assert!(known.patterns.len() < 800);
    }

    #[test]
    fn a_pattern_is_compiled_for_the_first_id_that_it_may_match() {
        let cache = PatternCache::default();
        let is_compiled = |pattern: &str| {
            let known = cache.0.lock().unwrap();
            known.patterns.peek(&IdPattern::from_stored(pattern.to_owned())).unwrap().matcher.get().is_some()
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
