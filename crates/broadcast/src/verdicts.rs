use std::collections::HashMap;
use std::sync::Arc;

use entity_stream_protocol::{ChangeFacts, Event, Verdict, View};

use crate::matched::Matched;
use crate::selection_cache::SelectionCache;

/// The verdicts of filters on the events of one batch. Thousands of connections share a few filters, so each filter is
/// evaluated once for an event.
///
/// Subscriptions with a view of the whole entity mirror entities: if an entity has changed again since its event, they are judged by the
/// entity as it is now. All others are judged by the entity after the change.
#[derive(Debug)]
pub struct Verdicts<'a> {
    selections: &'a SelectionCache,
    after_changes: Judged<'a>,
    /// `None`: no entity has changed again.
    at_present: Option<Judged<'a>>,
}

/// The events of a batch, judged by the states of their entities at one time.
#[derive(Debug)]
struct Judged<'a> {
    facts: Vec<ChangeFacts<'a>>,
    /// Verdicts of interests in types or in everything: each event of the batch may match.
    shared: Scoped,
    /// Verdicts of interests in one entity: only its events may match.
    of_entities: HashMap<&'a str, Scoped>,
}

/// The verdicts on some of the events.
#[derive(Debug, Default)]
struct Scoped {
    all: Arc<[usize]>,
    none: Arc<[usize]>,
    known: HashMap<Box<str>, Matched>,
    /// Filters that are evaluated on some of the events: the verdicts on them, and their number.
    begun: HashMap<Box<str>, Begun>,
}

#[derive(Debug, Default)]
struct Begun {
    passing: Vec<usize>,
    leaving: Vec<usize>,
    events: usize,
}

impl<'a> Verdicts<'a> {
    /// Evaluates filters on these events.
    pub fn new(selections: &'a SelectionCache, events: impl IntoIterator<Item = &'a Event>) -> Self {
        let events: Vec<&Event> = events.into_iter().collect();
        let has_present = events.iter().any(|event| event.shows_present());
        let at_present = || Judged::new(events.iter().copied().map(ChangeFacts::of_whole_entity).collect());
        Self {
            selections,
            at_present: has_present.then(at_present),
            after_changes: Judged::new(events.iter().copied().map(ChangeFacts::of).collect()),
        }
    }

    /// Returns the events that concern a filter. The filter and the view of its subscription are JSON; each event passes an empty
    /// filter. With the id of an entity, only its events are judged. `None` if `is_over` interrupts the work between two events; the
    /// next call for this filter goes on.
    pub fn matching(
        &mut self,
        entity_id: Option<&str>,
        (filter, view): (&str, &str),
        is_over: impl Fn() -> bool,
    ) -> Option<Matched> {
        let judged = match &mut self.at_present {
            Some(at_present) if shows_whole_entity(view) => at_present,
            _ => &mut self.after_changes,
        };
        judged.matching(self.selections, entity_id, filter, is_over)
    }
}

/// A view that cannot be read is shown as the default one.
fn shows_whole_entity(view: &str) -> bool {
    !view.is_empty() && serde_json::from_str(view).is_ok_and(|view: View| view.shows_whole_entity())
}

impl<'a> Judged<'a> {
    fn new(facts: Vec<ChangeFacts<'a>>) -> Self {
        let mut of_entities = HashMap::<&str, Vec<usize>>::new();
        for (event, facts) in facts.iter().enumerate() {
            of_entities.entry(facts.change().entity_id.as_str()).or_default().push(event);
        }
        let scoped = |events: Vec<usize>| Scoped { all: events.into(), ..Scoped::default() };
        Self {
            shared: scoped((0..facts.len()).collect()),
            of_entities: of_entities.into_iter().map(|(id, events)| (id, scoped(events))).collect(),
            facts,
        }
    }

    fn matching(
        &mut self,
        selections: &SelectionCache,
        entity_id: Option<&str>,
        filter: &str,
        is_over: impl Fn() -> bool,
    ) -> Option<Matched> {
        let scoped = match entity_id {
            None => &mut self.shared,
            Some(id) => match self.of_entities.get_mut(id) {
                Some(scoped) => scoped,
                // An interest in an entity without an event in the batch.
                None => return Some(Matched::default()),
            },
        };
        scoped.matching(filter, |event| selections.judge(filter, &self.facts[event]), is_over)
    }
}

impl Scoped {
    fn matching(
        &mut self,
        filter: &str,
        judge: impl Fn(usize) -> Verdict,
        is_over: impl Fn() -> bool,
    ) -> Option<Matched> {
        if filter.is_empty() {
            return Some(Matched { passing: Arc::clone(&self.all), leaving: Arc::clone(&self.none) });
        }
        if let Some(known) = self.known.get(filter) {
            return Some(known.clone());
        }
        let begun = if self.begun.is_empty() { None } else { self.begun.remove(filter) };
        let mut begun = begun.unwrap_or_default();
        for (count, event) in self.all.iter().copied().enumerate().skip(begun.events) {
            if count > begun.events && is_over() {
                self.begun.insert(filter.into(), Begun { events: count, ..begun });
                return None;
            }
            match judge(event) {
                Verdict::Passes => begun.passing.push(event),
                Verdict::Leaves => begun.leaving.push(event),
                Verdict::Fails => {}
            }
        }
        let matched = Matched { passing: self.shared(begun.passing), leaving: self.shared(begun.leaving) };
        self.known.insert(filter.into(), matched.clone());
        Some(matched)
    }

    /// Most filters match all events or none.
    fn shared(&self, events: Vec<usize>) -> Arc<[usize]> {
        match events.len() {
            0 => Arc::clone(&self.none),
            matches if matches == self.all.len() => Arc::clone(&self.all),
            _ => events.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::EntityChange;

    use super::*;

    fn events(ids: &[&str]) -> Vec<Event> {
        let detail = |id: &&str| {
            serde_json::json!({ "type": "entityUpdated", "tenant": "t", "entityType": "T", "entityId": id }).to_string()
        };
        let event = |id| Event::new("e", "2026-01-02T03:04:05Z", EntityChange::parse(&detail(id)).unwrap());
        ids.iter().map(event).collect()
    }

    #[test]
    fn a_filter_selects_the_events_that_pass_it() {
        let cache = SelectionCache::default();
        let events = events(&["Room:1", "Car:1", "Room:2"]);
        let mut verdicts = Verdicts::new(&cache, &events);
        for _ in 0..2 {
            for (pattern, matching) in
                [("^Room", &[0, 2][..]), ("1$", &[0, 1]), (".", &[0, 1, 2]), ("Bus", &[]), ("^Car:1$", &[1])]
            {
                let filter = format!(r#"{{"idPattern":"{pattern}"}}"#);
                assert_eq!(
                    &*verdicts.matching(None, (&filter, ""), || false).unwrap().passing,
                    matching,
                    "{pattern:?}"
                );
            }
            assert_eq!(&*verdicts.matching(None, ("", ""), || false).unwrap().passing, [0, 1, 2]);
        }
    }

    #[test]
    fn an_interest_in_an_entity_selects_only_its_events() {
        let cache = SelectionCache::default();
        let events = events(&["Room:1", "Car:1", "Room:1"]);
        let mut verdicts = Verdicts::new(&cache, &events);
        assert_eq!(&*verdicts.matching(Some("Room:1"), ("", ""), || false).unwrap().passing, [0, 2]);
        let every = r#"{"idPattern":"."}"#;
        assert_eq!(&*verdicts.matching(Some("Car:1"), (every, ""), || false).unwrap().passing, [1]);
        assert_eq!(&*verdicts.matching(Some("Room:1"), (every, ""), || false).unwrap().passing, [0, 2]);
        assert_eq!(&*verdicts.matching(None, (every, ""), || false).unwrap().passing, [0, 1, 2]);
    }

    #[test]
    fn an_interrupted_evaluation_goes_on() {
        let cache = SelectionCache::default();
        let events = events(&["Room:1", "Car:1", "Room:2"]);
        let mut verdicts = Verdicts::new(&cache, &events);
        let filter = r#"{"idPattern":"^Room"}"#;
        assert_eq!(verdicts.matching(None, (filter, ""), || true), None);
        assert_eq!(verdicts.matching(None, (filter, ""), || true), None);
        assert_eq!(
            verdicts.matching(None, (filter, ""), || true).as_ref().map(|matched| &*matched.passing),
            Some(&[0, 2][..])
        );
    }
}
