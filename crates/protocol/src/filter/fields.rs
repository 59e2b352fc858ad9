use std::collections::HashSet;
use std::hash::Hash;

use serde_json::Value;

use super::definition::Filter;
use super::invalid::InvalidFilter;
use crate::change_type::ChangeType;
use crate::entity_id::EntityId;
use crate::entity_type::EntityType;
use crate::geo_query::GeoQuery;
use crate::limits::{
    ATTRIBUTE_NAME_LENGTH, FILTER_IDS, FILTER_TEXT_BYTES, FILTER_TYPES, ID_PATTERN_LENGTH, WATCHED_ATTRIBUTES,
};
use crate::pattern::IdPattern;
use crate::query::Query;
use crate::service_path_pattern::ServicePathPattern;

/// The parts of a filter as a client writes them. Repeated entries count once; an empty list or text does not restrict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilterFields {
    /// At most 49 types of 1 to 256 characters.
    pub entity_types: Vec<String>,
    /// At most 49 ids of 1 to 512 characters.
    pub entity_ids: Vec<String>,
    /// A regular expression that [`IdPattern::parse`] accepts.
    pub id_pattern: Option<String>,
    /// Names of change types.
    pub notification_trigger: Vec<String>,
    /// At most 49 names of attributes of 1 to 256 characters.
    pub watched_attributes: Vec<String>,
    /// A query that [`Query::parse`] accepts.
    pub q: Option<String>,
    /// A geo-query that [`GeoQuery::parse`] accepts.
    pub geo_q: Option<Value>,
    /// A service path, or one with `#` as its last segment.
    pub service_path: Option<String>,
}

impl FilterFields {
    /// Checks the parts.
    ///
    /// # Errors
    /// [`InvalidFilter`] names the part that is invalid or exceeds a limit. All parts but the ids have at most 1,024 bytes
    /// together.
    pub fn check(self) -> Result<Filter, InvalidFilter> {
        let entity_types = distinct(self.entity_types, FILTER_TYPES, InvalidFilter::TooManyTypes, EntityType::parse)?;
        let entity_ids = distinct(self.entity_ids, FILTER_IDS, InvalidFilter::TooManyIds, EntityId::parse)?;
        let notification_trigger =
            distinct(self.notification_trigger, ChangeType::ALL.len(), InvalidFilter::Trigger, |name| trigger(&name))?;
        let watched_attributes =
            distinct(self.watched_attributes, WATCHED_ATTRIBUTES, InvalidFilter::WatchedAttributes, |name| {
                if is_attribute_name(&name) { Ok(name) } else { Err(InvalidFilter::WatchedAttributes) }
            })?;
        let geo_q = self.geo_q.filter(|geo_q| !geo_q.is_null());
        let geo_q = geo_q.map(|geo_q| GeoQuery::parse(&geo_q)).transpose()?;
        let id_pattern = self.id_pattern.filter(|pattern| !pattern.is_empty());
        let q = self.q.filter(|q| !q.is_empty());
        let service_path = self.service_path.filter(|path| !path.is_empty());
        let texts = [&id_pattern, &q, &service_path].into_iter().flatten();
        let text = texts.chain(&watched_attributes).map(String::len).sum::<usize>()
            + entity_types.iter().map(|each| each.as_str().len()).sum::<usize>()
            + geo_q.as_ref().map_or(0, GeoQuery::text_bytes);
        // A pattern that is too long for the filter is not compiled.
        let has_long_pattern = id_pattern.as_ref().is_some_and(|pattern| pattern.chars().count() > ID_PATTERN_LENGTH);
        if text > FILTER_TEXT_BYTES && !has_long_pattern {
            return Err(InvalidFilter::TooMuchText);
        }
        let service_path = service_path.map(ServicePathPattern::parse).transpose()?;
        let id_pattern = id_pattern.map(|pattern| IdPattern::parse(&pattern)).transpose()?;
        if let Some(q) = &q {
            Query::parse(q)?;
        }
        Ok(Filter {
            entity_types,
            entity_ids,
            id_pattern,
            notification_trigger,
            watched_attributes,
            q,
            geo_q,
            service_path,
        })
    }
}

impl Filter {
    /// A filter of these types and this pattern, which [`FilterFields::check`] checks. An empty pattern does not restrict the
    /// ids.
    ///
    /// # Errors
    /// [`InvalidFilter`] as for [`FilterFields::check`].
    pub fn new<T: Into<String>>(
        types: impl IntoIterator<Item = T>,
        id_pattern: Option<&str>,
    ) -> Result<Self, InvalidFilter> {
        let entity_types = types.into_iter().map(Into::into).collect();
        FilterFields { entity_types, id_pattern: id_pattern.map(str::to_owned), ..FilterFields::default() }.check()
    }
}

/// Reads a list of at most `most` entries, each of which counts once.
fn distinct<T: Clone + Eq + Hash, E>(
    texts: Vec<String>,
    most: usize,
    too_many: InvalidFilter,
    read: impl Fn(String) -> Result<T, E>,
) -> Result<Vec<T>, InvalidFilter>
where
    InvalidFilter: From<E>,
{
    let (mut seen, mut distinct) = (HashSet::new(), Vec::new());
    for text in texts {
        let entry = read(text)?;
        if seen.insert(entry.clone()) {
            distinct.push(entry);
        }
        if distinct.len() > most {
            return Err(too_many);
        }
    }
    Ok(distinct)
}

fn trigger(name: &str) -> Result<ChangeType, InvalidFilter> {
    let known = ChangeType::ALL.into_iter().find(|each| each.as_str() == name);
    known.ok_or(match name {
        "attributeCreated" | "attributeUpdated" | "attributeDeleted" => InvalidFilter::AttributeTrigger,
        _ => InvalidFilter::Trigger,
    })
}

fn is_attribute_name(name: &str) -> bool {
    (1..=ATTRIBUTE_NAME_LENGTH).contains(&name.chars().take(ATTRIBUTE_NAME_LENGTH + 1).count())
}
