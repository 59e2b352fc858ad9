use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use entity_stream_protocol::{IdPattern, PatternMatcher};
use lru::LruCache;

/// Most memory that compiled patterns are kept in: a sixteenth of what the template gives the function.
const BYTES: usize = 32 * 1024 * 1024;
/// What is counted for each pattern besides: the pattern itself, and its place.
const OVERHEAD: usize = 1024;

/// Compiled patterns, kept between invocations: clients come and go, but their patterns are few and stay the same.
#[derive(Debug, Default)]
pub struct PatternCache(Mutex<Compiled>);

#[derive(Debug)]
struct Compiled {
    /// Those that were used last. One that does not compile, which no client could have stored, is `None`.
    matchers: LruCache<IdPattern, Option<PatternMatcher>>,
    bytes: usize,
}

impl Default for Compiled {
    fn default() -> Self {
        Self { matchers: LruCache::unbounded(), bytes: 0 }
    }
}

impl PatternCache {
    /// Whether a pattern matches an id. One that does not compile matches nothing.
    fn matches(&self, pattern: &IdPattern, entity_id: &str) -> bool {
        let mut compiled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(matcher) = compiled.matchers.get(pattern) {
            return matcher.as_ref().is_some_and(|matcher| matcher.matches(entity_id));
        }
        let matcher = PatternMatcher::compile(pattern)
            .inspect_err(|error| tracing::error!(%error, "a stored pattern does not compile"))
            .ok();
        let matches = matcher.as_ref().is_some_and(|matcher| matcher.matches(entity_id));
        compiled.keep(pattern.clone(), matcher);
        matches
    }
}

impl Compiled {
    fn keep(&mut self, pattern: IdPattern, matcher: Option<PatternMatcher>) {
        self.bytes += bytes(matcher.as_ref());
        self.matchers.put(pattern, matcher);
        while self.bytes > BYTES
            && let Some((_, oldest)) = self.matchers.pop_lru()
        {
            self.bytes -= bytes(oldest.as_ref());
        }
    }
}

fn bytes(matcher: Option<&PatternMatcher>) -> usize {
    OVERHEAD + matcher.map_or(0, PatternMatcher::memory)
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
        let compiled = cache.0.lock().unwrap();
        let counted: usize = compiled.matchers.iter().map(|(_, matcher)| bytes(matcher.as_ref())).sum();
        assert_eq!(compiled.bytes, counted);
        assert!((BYTES / 2..=BYTES).contains(&counted), "{counted}");
        assert!(compiled.matchers.len() < 800);
    }

    #[test]
    fn a_pattern_that_does_not_compile_matches_nothing() {
        let cache = PatternCache::default();
        for _ in 0..2 {
            assert!(!verdict(&cache, "("));
        }
    }
}
