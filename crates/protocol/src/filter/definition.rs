use serde::{Deserialize, Serialize};

use crate::change_type::ChangeType;
use crate::entity_id::EntityId;
use crate::entity_type::EntityType;
use crate::geo_query::GeoQuery;
use crate::json::to_json;
use crate::pattern::IdPattern;
use crate::service_path_pattern::ServicePathPattern;

/// Selects the changes that a subscription receives of its tenant. A change has to pass each part that the filter has; a
/// filter without parts selects every change. [`Selection`](crate::Selection) says what passes a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entity_types: Vec<EntityType>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entity_ids: Vec<EntityId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id_pattern: Option<IdPattern>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notification_trigger: Vec<ChangeType>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) watched_attributes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) q: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) geo_q: Option<GeoQuery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_path: Option<ServicePathPattern>,
}

impl Filter {
    /// The JSON object of the fields that it has.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// The types that pass, each once, in the order of the message. Every type passes if this is empty.
    pub fn entity_types(&self) -> &[EntityType] {
        &self.entity_types
    }

    /// The ids that pass, each once, in the order of the message. Every id passes if this is empty.
    pub fn entity_ids(&self) -> &[EntityId] {
        &self.entity_ids
    }

    /// The pattern of the ids that pass. Every id passes if this is `None`.
    pub fn id_pattern(&self) -> Option<&IdPattern> {
        self.id_pattern.as_ref()
    }

    /// The kinds of change that pass. Every kind passes if this is empty.
    pub fn notification_trigger(&self) -> &[ChangeType] {
        &self.notification_trigger
    }

    /// The attributes of which an update has to change one. Every update passes if this is empty.
    pub fn watched_attributes(&self) -> &[String] {
        &self.watched_attributes
    }

    /// The query that the values of attributes have to match, as the client wrote it.
    pub fn q(&self) -> Option<&str> {
        self.q.as_deref()
    }

    /// The query that the place of the entity has to match.
    pub fn geo_q(&self) -> Option<&GeoQuery> {
        self.geo_q.as_ref()
    }

    /// The service paths that pass. Every path passes if this is `None`.
    pub fn service_path(&self) -> Option<&ServicePathPattern> {
        self.service_path.as_ref()
    }

    /// The length of the filter's text without the ids, in bytes.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes_beside_place() + self.geo_q().map_or(0, GeoQuery::text_bytes)
    }

    /// The length of the filter's text without the ids and `geoQ`, in bytes.
    pub(crate) fn text_bytes_beside_place(&self) -> usize {
        let q = self.q().map_or(0, str::len);
        let pattern = self.id_pattern().map_or(0, |pattern| pattern.as_str().len());
        let service_path = self.service_path().map_or(0, |path| path.as_str().len());
        let types: usize = self.entity_types.iter().map(|each| each.as_str().len()).sum();
        let watched: usize = self.watched_attributes.iter().map(String::len).sum();
        q + pattern + service_path + types + watched
    }

    /// The rest of the filter for a change that is known to be of one of its types.
    #[must_use]
    pub fn without_types(&self) -> Self {
        Self { entity_types: Vec::new(), ..self.clone() }
    }

    /// The part of the filter that can be judged on a change whose data is not known: `q`, `geoQ` and `watchedAttributes` pass.
    #[must_use]
    pub fn without_data(&self) -> Self {
        Self { watched_attributes: Vec::new(), q: None, geo_q: None, ..self.clone() }
    }

    /// The part of the filter that selects entities, whatever changed: `notificationTrigger` and `watchedAttributes` pass.
    #[must_use]
    pub fn of_entities(&self) -> Self {
        Self { notification_trigger: Vec::new(), watched_attributes: Vec::new(), ..self.clone() }
    }

    /// The part of the filter beside `q` and `geoQ`.
    #[must_use]
    pub fn without_query(&self) -> Self {
        Self { q: None, geo_q: None, ..self.clone() }
    }

    /// True if the filter has `q` or `geoQ`, which are judged on the state of an entity where there is one.
    pub fn judges_attributes(&self) -> bool {
        self.q.is_some() || self.geo_q.is_some()
    }

    /// The rest of the filter for a change whose entity is known to have one of its ids.
    #[must_use]
    pub fn without_ids(&self) -> Self {
        Self { entity_ids: Vec::new(), ..self.clone() }
    }
}
