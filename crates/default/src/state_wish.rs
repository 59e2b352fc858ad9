//! A wish of a subscription that follows the states of entities: each entity that changed, once, as it is now.

use std::collections::HashSet;

use entity_stream_history::{EntityKey, PastEvent};
use entity_stream_protocol::{ChangeFacts, Filter, Selection, Subscription, Verdict};

#[derive(Debug)]
pub(crate) struct StateWish {
    /// All of them have to select the entity of an event, whatever its attributes are.
    scopes: Vec<Selection>,
    /// The subscription has to receive the event, whatever the attributes are.
    changes: Selection,
    /// The filter that the entity has to match now.
    entities: Selection,
    /// The same for an entity whose attributes are not known.
    without_data: Selection,
    /// The entities that changed.
    changed: HashSet<EntityKey>,
    /// Those of them whose changes the subscription receives.
    passing: HashSet<EntityKey>,
}

impl StateWish {
    /// The wish of a subscription for entities that these filters select; `None` if it does not follow states.
    pub(crate) fn new(subscription: &Subscription, filters: &[&Filter]) -> Option<Self> {
        let filter = &subscription.filter;
        if !subscription.view.shows_whole_entity() && !filter.judges_attributes() {
            return None;
        }
        let scope = |filter: &&Filter| Selection::new(filter.of_entities().without_query());
        Some(Self {
            scopes: filters.iter().map(scope).collect(),
            changes: Selection::new(filter.without_query()),
            entities: Selection::new(filter.of_entities()),
            without_data: scope(&filter),
            changed: HashSet::new(),
            passing: HashSet::new(),
        })
    }

    /// Notes that an entity changed. Returns whether the wish concerns it.
    pub(crate) fn note(&mut self, past: &PastEvent, facts: &ChangeFacts<'_>, key: &EntityKey) -> bool {
        if !self.scopes.iter().all(|scope| scope.matches(facts)) {
            return false;
        }
        if past.event.is_left_out() || self.changes.matches(facts) {
            self.passing.insert(key.clone());
        }
        self.changed.insert(key.clone());
        true
    }

    /// Judges an entity as it is now. A client may hold one that does not match. An entity that is too large to be known matches
    /// whatever its attributes are.
    pub(crate) fn judge(&self, key: &EntityKey, facts: &ChangeFacts<'_>, is_known: bool) -> Verdict {
        if !self.changed.contains(key) {
            return Verdict::Fails;
        }
        let selection = if is_known { &self.entities } else { &self.without_data };
        match selection.judge(facts) {
            Verdict::Passes if self.passing.contains(key) => Verdict::Passes,
            Verdict::Passes => Verdict::Fails,
            Verdict::Leaves | Verdict::Fails => Verdict::Leaves,
        }
    }
}
