use entity_stream_protocol::EntityTypes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::members::EntityMembers;

/// An entity that a program has read from another source, such as a context broker, for a
/// [collection](crate::Client::loaded_entities).
#[derive(Clone, Debug)]
pub struct LoadedEntity {
    pub(super) id: String,
    pub(super) types: EntityTypes,
    pub(super) service_path: String,
    pub(super) data: Box<RawValue>,
}

/// A text is no entity, or no array of entities. The message repeats no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLoadedEntity {
    /// It is not JSON, or no array.
    #[error("expected a JSON array of entities, as a broker answers")]
    NoArray,
    /// An entry has no `id` or no `type`.
    #[error("entity {0} of the array has no `id` or no `type`; each is a text, and `type` can be an array of texts")]
    NoEntity(usize),
}

#[derive(Deserialize)]
struct LoadedIdentity {
    id: String,
    #[serde(rename = "type")]
    types: EntityTypes,
}

impl LoadedEntity {
    /// Reads an array of entities in the form of NGSIv2 and NGSI-LD brokers: objects with `id`, `type` and the attributes. All of
    /// them have this `Fiware-ServicePath`; it is `/` for NGSI-LD.
    ///
    /// # Errors
    /// [`InvalidLoadedEntity`] if the text is something else.
    pub fn from_array(json: &str, service_path: &str) -> Result<Vec<Self>, InvalidLoadedEntity> {
        let entries: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| InvalidLoadedEntity::NoArray)?;
        let read = |(index, entry): (usize, &&RawValue)| {
            Self::read(entry, service_path).ok_or(InvalidLoadedEntity::NoEntity(index + 1))
        };
        entries.iter().enumerate().map(read).collect()
    }

    fn read(entry: &RawValue, service_path: &str) -> Option<Self> {
        let LoadedIdentity { id, types } = serde_json::from_str(entry.get()).ok()?;
        let mut members = EntityMembers::of(entry);
        members.0.retain(|(name, _)| !matches!(name.as_str(), "id" | "type" | "@context"));
        Some(Self { id, types, service_path: service_path.to_owned(), data: members.to_object()? })
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_a_broker_is_read() {
        let json = r#"[{"id":"urn:1","type":"Room","@context":"c","n":{"value":1.50}},{"type":["A","B"],"id":"x"}]"#;
        let entities = LoadedEntity::from_array(json, "/madrid").unwrap();
        let shown: Vec<_> = entities.iter().map(|entity| (entity.id(), entity.data.get())).collect();
        assert_eq!(shown, [("urn:1", r#"{"n":{"value":1.50}}"#), ("x", "{}")]);
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_place() {
        for (json, expected) in [
            ("{}", InvalidLoadedEntity::NoArray),
            ("[", InvalidLoadedEntity::NoArray),
            (r#"[{"id":"a","type":"T"},{"id":"b"}]"#, InvalidLoadedEntity::NoEntity(2)),
            (r#"[{"id":1,"type":"T"}]"#, InvalidLoadedEntity::NoEntity(1)),
        ] {
            assert_eq!(LoadedEntity::from_array(json, "/").unwrap_err(), expected, "{json}");
        }
    }
}
