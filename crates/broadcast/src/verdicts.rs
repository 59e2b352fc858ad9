use std::collections::HashMap;
use std::sync::Arc;

use entity_stream_protocol::IdPattern;

use crate::pattern_cache::PatternCache;

/// The verdicts of patterns on the events of one batch. Thousands of connections share a few patterns, so each pattern is
/// evaluated once for an event.
#[derive(Debug)]
pub struct Verdicts<'a> {
    patterns: &'a PatternCache,
    entity_ids: Vec<&'a str>,
    all: Arc<[usize]>,
    none: Arc<[usize]>,
    known: HashMap<IdPattern, Arc<[usize]>>,
    /// Patterns that are evaluated on some events: the matching ones, and the next event.
    begun: HashMap<IdPattern, (Vec<usize>, usize)>,
}

impl<'a> Verdicts<'a> {
    /// Evaluates patterns on events with these entity ids.
    pub fn new(patterns: &'a PatternCache, entity_ids: Vec<&'a str>) -> Self {
        let all = (0..entity_ids.len()).collect();
        Self { patterns, entity_ids, all, none: Arc::default(), known: HashMap::new(), begun: HashMap::new() }
    }

    /// Returns the indices of the events that match, in ascending order. Without a pattern, each event matches. `None` if
    /// `is_over` interrupts the work between two events; the next call goes on.
    pub fn matching(&mut self, pattern: Option<&IdPattern>, is_over: impl Fn() -> bool) -> Option<Arc<[usize]>> {
        let Some(pattern) = pattern else { return Some(Arc::clone(&self.all)) };
        if let Some(known) = self.known.get(pattern) {
            return Some(Arc::clone(known));
        }
        let begun = if self.begun.is_empty() { None } else { self.begun.remove(pattern) };
        let (mut matching, begun) = begun.unwrap_or_default();
        for (event, id) in self.entity_ids.iter().enumerate().skip(begun) {
            if event > begun && is_over() {
                self.begun.insert(pattern.clone(), (matching, event));
                return None;
            }
            if self.patterns.matches(pattern, id) {
                matching.push(event);
            }
        }
        let matching = match matching.len() {
            0 => Arc::clone(&self.none),
            matches if matches == self.all.len() => Arc::clone(&self.all),
            _ => matching.into(),
        };
        self.known.insert(pattern.clone(), Arc::clone(&matching));
        Some(matching)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_selects_the_events_that_it_matches() {
        let cache = PatternCache::default();
        let mut verdicts = Verdicts::new(&cache, vec!["Room:1", "Car:1", "Room:2"]);
        for _ in 0..2 {
            for (pattern, matching) in
                [("^Room", &[0, 2][..]), ("1$", &[0, 1]), (".", &[0, 1, 2]), ("Bus", &[]), ("^Car:1$", &[1])]
            {
                let pattern = IdPattern::parse(pattern).unwrap();
                assert_eq!(&*verdicts.matching(Some(&pattern), || false).unwrap(), matching, "{pattern:?}");
            }
            assert_eq!(&*verdicts.matching(None, || false).unwrap(), [0, 1, 2]);
        }
    }

    #[test]
    fn an_interrupted_evaluation_goes_on() {
        let cache = PatternCache::default();
        let mut verdicts = Verdicts::new(&cache, vec!["Room:1", "Car:1", "Room:2"]);
        let pattern = IdPattern::parse("^Room").unwrap();
        assert_eq!(verdicts.matching(Some(&pattern), || true), None);
        assert_eq!(verdicts.matching(Some(&pattern), || true), None);
        assert_eq!(verdicts.matching(Some(&pattern), || true).as_deref(), Some(&[0, 2][..]));
    }
}
