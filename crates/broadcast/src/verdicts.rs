use std::collections::HashMap;
use std::sync::Arc;

use entity_stream_protocol::{ChangeFacts, EntityChange};

use crate::selection_cache::SelectionCache;

/// The verdicts of filters on the events of one batch. Thousands of connections share a few filters, so each filter is
/// evaluated once for an event.
#[derive(Debug)]
pub struct Verdicts<'a> {
    selections: &'a SelectionCache,
    facts: Vec<ChangeFacts<'a>>,
    /// Of interests in types or in everything: each event of the batch may match.
    shared: Scoped,
    /// Of interests in one entity: only its events may match.
    of_entities: HashMap<&'a str, Scoped>,
}

/// The verdicts on some of the events.
#[derive(Debug, Default)]
struct Scoped {
    all: Arc<[usize]>,
    none: Arc<[usize]>,
    known: HashMap<Box<str>, Arc<[usize]>>,
    /// Filters that are evaluated on some of the events: the matching ones of them, and their number.
    begun: HashMap<Box<str>, (Vec<usize>, usize)>,
}

impl<'a> Verdicts<'a> {
    /// Evaluates filters on these changes.
    pub fn new(selections: &'a SelectionCache, changes: impl IntoIterator<Item = &'a EntityChange>) -> Self {
        let facts: Vec<_> = changes.into_iter().map(ChangeFacts::new).collect();
        let mut of_entities = HashMap::<&str, Vec<usize>>::new();
        for (event, facts) in facts.iter().enumerate() {
            of_entities.entry(facts.change().entity_id.as_str()).or_default().push(event);
        }
        let scoped = |events: Vec<usize>| Scoped { all: events.into(), ..Scoped::default() };
        Self {
            selections,
            shared: scoped((0..facts.len()).collect()),
            of_entities: of_entities.into_iter().map(|(id, events)| (id, scoped(events))).collect(),
            facts,
        }
    }

    /// Returns the indices of the events that pass a filter, in ascending order. The filter is JSON; each event passes an empty
    /// one. With the id of an entity, only its events are judged. `None` if `is_over` interrupts the work between two events;
    /// the next call for this filter goes on.
    pub fn matching(
        &mut self,
        entity_id: Option<&str>,
        filter: &str,
        is_over: impl Fn() -> bool,
    ) -> Option<Arc<[usize]>> {
        let scoped = match entity_id {
            None => &mut self.shared,
            Some(id) => match self.of_entities.get_mut(id) {
                Some(scoped) => scoped,
                // An interest in an entity without an event in the batch.
                None => return Some(Arc::default()),
            },
        };
        scoped.matching(filter, |event| self.selections.matches(filter, &self.facts[event]), is_over)
    }
}

impl Scoped {
    fn matching(
        &mut self,
        filter: &str,
        passes: impl Fn(usize) -> bool,
        is_over: impl Fn() -> bool,
    ) -> Option<Arc<[usize]>> {
        if filter.is_empty() {
            return Some(Arc::clone(&self.all));
        }
        if let Some(known) = self.known.get(filter) {
            return Some(Arc::clone(known));
        }
        let begun = if self.begun.is_empty() { None } else { self.begun.remove(filter) };
        let (mut matching, begun) = begun.unwrap_or_default();
        for (count, event) in self.all.iter().copied().enumerate().skip(begun) {
            if count > begun && is_over() {
                self.begun.insert(filter.into(), (matching, count));
                return None;
            }
            if passes(event) {
                matching.push(event);
            }
        }
        let matching = match matching.len() {
            0 => Arc::clone(&self.none),
            matches if matches == self.all.len() => Arc::clone(&self.all),
            _ => matching.into(),
        };
        self.known.insert(filter.into(), Arc::clone(&matching));
        Some(matching)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(ids: &[&str]) -> Vec<EntityChange> {
        let detail = |id: &&str| {
            serde_json::json!({ "type": "entityUpdated", "tenant": "t", "entityType": "T", "entityId": id }).to_string()
        };
        ids.iter().map(|id| EntityChange::parse(&detail(id)).unwrap()).collect()
    }

    #[test]
    fn a_filter_selects_the_events_that_pass_it() {
        let cache = SelectionCache::default();
        let changes = changes(&["Room:1", "Car:1", "Room:2"]);
        let mut verdicts = Verdicts::new(&cache, &changes);
        for _ in 0..2 {
            for (pattern, matching) in
                [("^Room", &[0, 2][..]), ("1$", &[0, 1]), (".", &[0, 1, 2]), ("Bus", &[]), ("^Car:1$", &[1])]
            {
                let filter = format!(r#"{{"idPattern":"{pattern}"}}"#);
                assert_eq!(&*verdicts.matching(None, &filter, || false).unwrap(), matching, "{pattern:?}");
            }
            assert_eq!(&*verdicts.matching(None, "", || false).unwrap(), [0, 1, 2]);
        }
    }

    #[test]
    fn an_interest_in_an_entity_selects_only_its_events() {
        let cache = SelectionCache::default();
        let changes = changes(&["Room:1", "Car:1", "Room:1"]);
        let mut verdicts = Verdicts::new(&cache, &changes);
        assert_eq!(&*verdicts.matching(Some("Room:1"), "", || false).unwrap(), [0, 2]);
        let every = r#"{"idPattern":"."}"#;
        assert_eq!(&*verdicts.matching(Some("Car:1"), every, || false).unwrap(), [1]);
        assert_eq!(&*verdicts.matching(Some("Room:1"), every, || false).unwrap(), [0, 2]);
        assert_eq!(&*verdicts.matching(None, every, || false).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn an_interrupted_evaluation_goes_on() {
        let cache = SelectionCache::default();
        let changes = changes(&["Room:1", "Car:1", "Room:2"]);
        let mut verdicts = Verdicts::new(&cache, &changes);
        let filter = r#"{"idPattern":"^Room"}"#;
        assert_eq!(verdicts.matching(None, filter, || true), None);
        assert_eq!(verdicts.matching(None, filter, || true), None);
        assert_eq!(verdicts.matching(None, filter, || true).as_deref(), Some(&[0, 2][..]));
    }
}
