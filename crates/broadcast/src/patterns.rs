use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use entity_stream_protocol::{IdPattern, PatternMatcher};

/// Most compiled patterns that are kept. Each is limited in size itself.
const CAPACITY: usize = 1024;

/// Compiled patterns, kept between invocations: clients come and go, but their patterns are few and stay the same.
#[derive(Debug, Default)]
pub(crate) struct PatternCache(Mutex<HashMap<IdPattern, Option<PatternMatcher>>>);

impl PatternCache {
    /// Whether a pattern matches an id. One that does not compile, which no client could have stored, matches nothing.
    pub(crate) fn matches(&self, pattern: &IdPattern, entity_id: &str) -> bool {
        let mut compiled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(matcher) = compiled.get(pattern) {
            return matcher.as_ref().is_some_and(|matcher| matcher.matches(entity_id));
        }
        let matcher = PatternMatcher::compile(pattern)
            .inspect_err(|error| tracing::error!(%error, "a stored pattern does not compile"))
            .ok();
        let matches = matcher.as_ref().is_some_and(|matcher| matcher.matches(entity_id));
        if compiled.len() >= CAPACITY {
            compiled.clear();
        }
        compiled.insert(pattern.clone(), matcher);
        matches
    }
}
