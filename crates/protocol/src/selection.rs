//! Judges changes.
//!
//! Invariant: [`Selection::judge`] is the only definition of what a filter selects. A change passes if it passes each part
//! that the filter has:
//!
//! - `entityTypes` if one of its types is among them; `entityIds` if its id is; `idPattern` if that matches its id;
//! - `notificationTrigger` if its kind is among them; `servicePath` if that matches its path;
//! - `watchedAttributes` if one of them changed: one of `changedAttributes` or, if the publisher sent none, of `data`;
//! - `q` and `geoQ` if the entity after it matches or, if that is not known, its `data`.
//!
//! A creation passes `watchedAttributes`. A deletion passes these three, so that every client that may hold the entity learns
//! of it; a late deletion after which the entity still exists is judged as an update is.
//!
//! If the entity is known before and after a change, it leaves the filter if it matched `q` and `geoQ` before and does not after. It
//! counts as having matched if its former state is not known, or if an earlier attempt may have delivered the change and its
//! `data` matches. `notificationTrigger` and `watchedAttributes` do not matter then. An entity that does not exist matches no
//! `q` and no `geoQ`. An entity that is too large to be kept is judged by the `data` of each change. It leaves when it
//! becomes too large, and not again.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::value::RawValue;

use crate::change_type::ChangeType;
use crate::entity_change::EntityChange;
use crate::entity_data::EntityData;
use crate::entity_states::FormerState;
use crate::event::Event;
use crate::filter::Filter;
use crate::geo_query::{EntityGeometry, GeoQuery};
use crate::pattern::{IdPattern, PatternMatcher, Prefilter};
use crate::query::Query;

/// The estimated memory of a byte of the filter's text besides `geoQ`: it is kept as text, and as what it is read to. The
/// shortest literals take most.
const MEMORY_OF_A_BYTE: usize = 48;

/// The verdict of a filter on a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The change passes.
    Passes,
    /// The entity matched the filter before the change and does not match it any more.
    Leaves,
    /// The change does not concern the filter.
    Fails,
}

/// A change with what is read from it to judge it. Attributes are parsed when the first filter needs them, and once.
#[derive(Debug)]
pub struct ChangeFacts<'a> {
    change: &'a EntityChange,
    /// The entity that decides, if it is known. `Some(None)`: there is no such entity.
    entity: Option<Option<&'a RawValue>>,
    may_be_repeated: bool,
    /// True if the entity still exists after its deletion, although nothing more is known of it.
    is_outlived: bool,
    former: Option<&'a FormerState>,
    published: EntityFacts,
    after: EntityFacts,
    before: EntityFacts,
}

/// The values read from an entity at one time.
#[derive(Debug, Default)]
struct EntityFacts {
    data: OnceCell<EntityData>,
    /// The geometry of each attribute that a filter asked for.
    geometries: RefCell<HashMap<String, Option<EntityGeometry>>>,
}

impl<'a> ChangeFacts<'a> {
    /// Judges this change by its content. Nothing is read yet.
    pub fn new(change: &'a EntityChange) -> Self {
        let [published, after, before] = Default::default();
        Self {
            change,
            entity: None,
            may_be_repeated: false,
            is_outlived: false,
            former: None,
            published,
            after,
            before,
        }
    }

    /// Judges the change of an event by the entity before and after it, if that is known.
    pub fn of(event: &'a Event) -> Self {
        let entity = event.states().map(|states| states.after.as_deref());
        let may_be_repeated = event.states().is_some_and(|states| states.may_be_repeated);
        Self {
            entity,
            may_be_repeated,
            is_outlived: event.is_outlived(),
            former: event.former(),
            ..Self::new(event.change())
        }
    }

    /// Judges the change of an event by the entity before it and by the one that views of the whole entity show, if they are known.
    pub fn of_whole_entity(event: &'a Event) -> Self {
        Self { entity: event.whole_entity(), ..Self::of(event) }
    }

    /// The change.
    pub fn change(&self) -> &'a EntityChange {
        self.change
    }

    fn published(&self) -> &EntityData {
        self.published.data.get_or_init(|| EntityData::new(Some(&self.change.data)))
    }

    fn matches_as_published(&self, selection: &Selection) -> bool {
        self.published.match_data(selection, || EntityData::new(Some(&self.change.data)))
    }

    /// True if the entity does not exist after the change.
    fn is_deletion(&self) -> bool {
        let is_deletion = self.change.change_type == ChangeType::EntityDeleted;
        is_deletion && self.entity.flatten().is_none() && !self.is_outlived
    }

    fn matches_after(&self, selection: &Selection) -> bool {
        match self.entity {
            None => self.matches_as_published(selection),
            Some(None) => !selection.needs_attributes(),
            Some(Some(data)) => self.after.match_data(selection, || EntityData::new(Some(data))),
        }
    }

    fn matched_before(&self, selection: &Selection) -> bool {
        let matched = match self.former {
            None | Some(FormerState::Absent) => false,
            Some(FormerState::Unknown) => true,
            Some(FormerState::Data(data)) => self.before.match_data(selection, || EntityData::new(Some(data))),
        };
        matched || (self.may_be_repeated && self.matches_as_published(selection))
    }
}

impl EntityFacts {
    /// Returns whether `q` and `geoQ` match the attributes, which `data` reads.
    fn match_data(&self, selection: &Selection, data: impl Fn() -> EntityData) -> bool {
        let data = || self.data.get_or_init(&data);
        selection.query.as_ref().is_none_or(|query| query.as_ref().is_some_and(|query| query.matches(data())))
            && selection.filter.geo_q().is_none_or(|query| self.is_at(query, data))
    }

    fn is_at<'a>(&self, query: &GeoQuery, data: impl Fn() -> &'a EntityData) -> bool {
        let mut geometries = self.geometries.borrow_mut();
        if let Some(geometry) = geometries.get(query.geoproperty()) {
            return query.matches(geometry.as_ref());
        }
        let geometry = data().attribute(query.geoproperty()).and_then(EntityGeometry::read);
        query.matches(geometries.entry(query.geoproperty().to_owned()).or_insert(geometry).as_ref())
    }
}

/// A filter, ready to judge many changes.
#[derive(Debug)]
pub struct Selection {
    filter: Filter,
    pattern: Option<SelectionPattern>,
    /// `None` inside: the query cannot be read, and matches nothing. Clients cannot store one.
    query: Option<Option<Query>>,
    /// The estimated memory without the parts that are compiled later.
    memory: usize,
}

/// A pattern that is compiled for the first id that passes its prefilter. If each client wants an entity of its own, most
/// patterns are never compiled.
#[derive(Debug)]
struct SelectionPattern {
    pattern: IdPattern,
    prefilter: Prefilter,
    /// `None` inside: the pattern does not compile, and matches nothing. Clients cannot store one.
    matcher: OnceLock<Option<PatternMatcher>>,
}

impl Selection {
    /// Prepares a filter.
    pub fn new(filter: Filter) -> Self {
        let pattern = filter.id_pattern().cloned().map(|pattern| SelectionPattern {
            prefilter: Prefilter::of(&pattern),
            pattern,
            matcher: OnceLock::new(),
        });
        let query = filter.q().map(|text| Query::from_stored(text).ok());
        let texts =
            filter.text_bytes_beside_place() + filter.entity_ids().iter().map(|id| id.as_str().len()).sum::<usize>();
        let prefilter = pattern.as_ref().map_or(0, |pattern: &SelectionPattern| pattern.prefilter.memory());
        let place = filter.geo_q().map_or(0, GeoQuery::memory);
        let memory = size_of::<Self>() + MEMORY_OF_A_BYTE * texts + place + prefilter;
        Self { filter, pattern, query, memory }
    }

    /// Returns whether a change passes the filter.
    pub fn matches(&self, facts: &ChangeFacts<'_>) -> bool {
        self.judge(facts) == Verdict::Passes
    }

    /// Judges a change.
    pub fn judge(&self, facts: &ChangeFacts<'_>) -> Verdict {
        if !self.is_in_scope(facts.change()) {
            Verdict::Fails
        } else if facts.is_deletion() || facts.matches_after(self) {
            let passes = self.is_triggered(facts.change()) && self.is_watched(facts);
            if passes { Verdict::Passes } else { Verdict::Fails }
        } else if facts.matched_before(self) {
            Verdict::Leaves
        } else {
            Verdict::Fails
        }
    }

    /// Returns whether the filter concerns the entity of a change, whatever its attributes.
    fn is_in_scope(&self, change: &EntityChange) -> bool {
        let filter = &self.filter;
        passes(filter.entity_types(), |wanted| change.entity_types.iter().any(|each| each == wanted))
            && passes(filter.entity_ids(), |wanted| wanted.as_str() == change.entity_id)
            && filter.service_path().is_none_or(|pattern| pattern.matches(&change.service_path))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&change.entity_id))
    }

    /// Returns whether it judges attributes of the entity.
    fn needs_attributes(&self) -> bool {
        self.query.is_some() || self.filter.geo_q().is_some()
    }

    fn is_triggered(&self, change: &EntityChange) -> bool {
        passes(self.filter.notification_trigger(), |trigger| *trigger == change.change_type)
    }

    /// True if something that the filter needs cannot be read, so that it matches nothing. Only a filter from another version of
    /// this software can be like that.
    pub fn is_broken(&self) -> bool {
        matches!(self.query, Some(None))
            || self.pattern.as_ref().is_some_and(|pattern| matches!(pattern.matcher.get(), Some(None)))
    }

    /// The approximate memory, in bytes. It grows when the pattern is compiled.
    pub fn memory(&self) -> usize {
        let matcher = self.pattern.as_ref().and_then(|pattern| pattern.matcher.get()?.as_ref());
        let query = self.query.as_ref().and_then(Option::as_ref).map_or(0, Query::pattern_memory);
        self.memory + matcher.map_or(0, PatternMatcher::memory) + query
    }

    fn is_watched(&self, facts: &ChangeFacts<'_>) -> bool {
        if facts.change.change_type != ChangeType::EntityUpdated {
            return true;
        }
        passes(self.filter.watched_attributes(), |watched| match &facts.change.changed_attributes {
            Some(changed) => changed.contains(watched),
            None => facts.published().attribute(watched).is_some(),
        })
    }
}

impl Filter {
    /// Returns whether a change passes. To judge many changes, keep a [`Selection`]; to judge a change by many filters, keep its
    /// [`ChangeFacts`].
    pub fn matches(&self, change: &EntityChange) -> bool {
        Selection::new(self.clone()).matches(&ChangeFacts::new(change))
    }
}

impl SelectionPattern {
    fn matches(&self, entity_id: &str) -> bool {
        self.prefilter.may_match(entity_id)
            && self
                .matcher
                .get_or_init(|| PatternMatcher::compile(&self.pattern).ok())
                .as_ref()
                .is_some_and(|matcher| matcher.matches(entity_id))
    }
}

/// An empty list does not restrict.
fn passes<T>(wanted: &[T], is_met: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is_met)
}

#[cfg(test)]
mod tests;
