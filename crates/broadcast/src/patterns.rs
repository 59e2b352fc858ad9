use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use entity_stream_protocol::{IdPattern, PatternMatcher};
use lru::LruCache;

/// Most compiled patterns that are kept, those used last. Each is limited in size itself.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Compiled patterns, kept between invocations: clients come and go, but their patterns are few and stay the same.
#[derive(Debug)]
pub(crate) struct PatternCache(Mutex<LruCache<IdPattern, Option<PatternMatcher>>>);

impl Default for PatternCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl PatternCache {
    /// Whether a pattern matches an id. One that does not compile, which no client could have stored, matches nothing.
    fn matches(&self, pattern: &IdPattern, entity_id: &str) -> bool {
        let mut compiled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let matcher = compiled.get_or_insert_ref(pattern, || {
            PatternMatcher::compile(pattern)
                .inspect_err(|error| tracing::error!(%error, "a stored pattern does not compile"))
                .ok()
        });
        matcher.as_ref().is_some_and(|matcher| matcher.matches(entity_id))
    }
}

/// What the patterns say of one event's entity. Thousands of connections share a few: each is asked once.
pub(crate) struct Verdicts<'a> {
    patterns: &'a PatternCache,
    entity_id: &'a str,
    known: HashMap<IdPattern, bool>,
}

impl<'a> Verdicts<'a> {
    pub(crate) fn new(patterns: &'a PatternCache, entity_id: &'a str) -> Self {
        Self { patterns, entity_id, known: HashMap::new() }
    }

    /// Whether a connection's pattern, if it has one, matches.
    pub(crate) fn accept(&mut self, pattern: Option<&IdPattern>) -> bool {
        let Some(pattern) = pattern else { return true };
        if let Some(known) = self.known.get(pattern) {
            return *known;
        }
        let matches = self.patterns.matches(pattern, self.entity_id);
        self.known.insert(pattern.clone(), matches);
        matches
    }
}
