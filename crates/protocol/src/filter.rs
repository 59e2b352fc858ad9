use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::entity_change::EntityChange;
use crate::entity_type::{EntityType, InvalidEntityType};
use crate::error_code::ErrorCode;
use crate::limits::{FILTER_TEXT_BYTES, FILTER_TYPES, ID_PATTERN_LENGTH};
use crate::pattern::{IdPattern, InvalidPattern, PatternMatcher};

/// Selects the changes that a connection receives of its tenant. A change passes if one of its types is among the filter's
/// types, if the filter has any, and if the pattern matches its entity id, if the filter has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "FilterFields")]
pub struct Filter {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entity_types: Vec<EntityType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_pattern: Option<IdPattern>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterFields {
    entity_types: Option<Vec<String>>,
    id_pattern: Option<String>,
}

impl TryFrom<FilterFields> for Filter {
    type Error = InvalidFilter;

    fn try_from(fields: FilterFields) -> Result<Self, Self::Error> {
        Self::new(fields.entity_types.unwrap_or_default(), fields.id_pattern.as_deref())
    }
}

/// The filter is invalid. The messages are for clients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// An entity type is empty or too long.
    #[error("entityTypes: {0}")]
    EntityType(#[from] InvalidEntityType),
    /// The filter has too many entity types.
    #[error(
        "entityTypes: a filter has at most {FILTER_TYPES} types; send fewer, or leave entityTypes out to receive every type"
    )]
    TooManyTypes,
    /// The types and the pattern are too long together.
    #[error(
        "entityTypes and idPattern have at most {FILTER_TEXT_BYTES} bytes together; send fewer types or a shorter pattern"
    )]
    TooMuchText,
    /// The pattern is invalid.
    #[error("idPattern: {0}")]
    IdPattern(#[from] InvalidPattern),
}

impl InvalidFilter {
    /// The code of the `error` answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::EntityType(_) | Self::TooManyTypes => ErrorCode::InvalidEntityTypes,
            Self::TooMuchText => ErrorCode::LimitExceeded,
            Self::IdPattern(_) => ErrorCode::InvalidIdPattern,
        }
    }
}

impl Filter {
    /// A filter of these types and this pattern. Repeated types count once. No types do not restrict the types; an empty
    /// pattern does not restrict the ids.
    ///
    /// # Errors
    /// [`InvalidFilter`] if there are more than 49 types, a type is empty or has more than 256 characters, types and pattern
    /// have more than 1,024 bytes together, or [`IdPattern::parse`] fails.
    pub fn new<T: Into<String>>(
        types: impl IntoIterator<Item = T>,
        id_pattern: Option<&str>,
    ) -> Result<Self, InvalidFilter> {
        let mut seen = HashSet::new();
        let mut entity_types = Vec::new();
        let id_pattern = id_pattern.filter(|pattern| !pattern.is_empty());
        let mut text = id_pattern.map_or(0, str::len);
        for name in types {
            let entity_type = EntityType::parse(name)?;
            if seen.insert(entity_type.clone()) {
                text += entity_type.as_str().len();
                entity_types.push(entity_type);
            }
            if entity_types.len() > FILTER_TYPES {
                return Err(InvalidFilter::TooManyTypes);
            }
        }
        // A pattern that is too long for the filter is not compiled.
        if text > FILTER_TEXT_BYTES && id_pattern.is_none_or(|pattern| pattern.chars().count() <= ID_PATTERN_LENGTH) {
            return Err(InvalidFilter::TooMuchText);
        }
        let id_pattern = id_pattern.map(IdPattern::parse).transpose()?;
        Ok(Self { entity_types, id_pattern })
    }

    /// Takes a stored filter, which was valid when it was stored.
    pub fn from_stored(entity_types: Vec<EntityType>, id_pattern: Option<IdPattern>) -> Self {
        Self { entity_types, id_pattern }
    }

    /// The types that pass, each once, in the order of the message. Every type passes if this is empty.
    pub fn entity_types(&self) -> &[EntityType] {
        &self.entity_types
    }

    /// The pattern of the ids that pass. Every id passes if this is `None`.
    pub fn id_pattern(&self) -> Option<&IdPattern> {
        self.id_pattern.as_ref()
    }

    /// Returns true if a change passes.
    ///
    /// The broadcast function does not call this: it finds the types by table key and compiles each distinct pattern once.
    /// Tests compare it with this definition.
    pub fn matches(&self, change: &EntityChange) -> bool {
        let type_matches = self.entity_types.is_empty()
            || change.entity_types.iter().any(|entity_type| self.entity_types.contains(entity_type));
        type_matches
            && self.id_pattern.as_ref().is_none_or(|pattern| {
                PatternMatcher::compile(pattern).is_ok_and(|matcher| matcher.matches(&change.entity_id))
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(entity_type: &str, id: &str) -> EntityChange {
        let detail = serde_json::json!({
            "type": "entityUpdated", "tenant": "t", "entityType": entity_type, "entityId": id
        });
        EntityChange::parse(&detail.to_string()).unwrap()
    }

    #[test]
    fn a_pattern_matches_anywhere_unless_it_is_anchored() {
        let filter = |pattern| Filter::new(["Room"], Some(pattern)).unwrap();
        assert!(filter("Room:0").matches(&change("Room", "urn:ngsi-ld:Room:001")));
        assert!(!filter("^Room").matches(&change("Room", "urn:ngsi-ld:Room:001")));
        assert!(!filter("Room:0").matches(&change("Sensor", "urn:ngsi-ld:Room:001")));
    }

    #[test]
    fn repeated_types_count_once_and_49_are_allowed() {
        let names = |n: usize| (0..n).map(|i| format!("T{i}")).collect::<Vec<_>>();
        assert!(Filter::new(names(49), None).is_ok());
        assert_eq!(Filter::new(names(50), None), Err(InvalidFilter::TooManyTypes));
        let twice: Vec<_> = names(49).into_iter().chain(names(49)).collect();
        assert_eq!(Filter::new(twice, None).unwrap().entity_types().len(), 49);
        assert!(Filter::new(["é".repeat(256)], None).is_ok());
        assert!(Filter::new([""], None).is_err());
        assert!(Filter::new(["é".repeat(257)], None).is_err());
    }

    #[test]
    fn types_and_pattern_have_a_kilobyte_together() {
        let four = ["a", "b", "c", "d"].map(|name| name.repeat(256));
        assert!(Filter::new(four.clone(), None).is_ok());
        assert!(Filter::new(four.iter().chain(&four), None).is_ok(), "a repeated type counts once");
        assert_eq!(Filter::new(four, Some("e")), Err(InvalidFilter::TooMuchText));
        assert!(Filter::new(["é".repeat(256)], Some(&"é".repeat(256))).is_ok());
        assert_eq!(Filter::new(["é".repeat(256)], Some(&"é".repeat(257))), Err(InvalidFilter::TooMuchText));
        assert_eq!(InvalidFilter::TooMuchText.code(), ErrorCode::LimitExceeded);
        let too_long = Filter::new([""; 0], Some(&"x".repeat(1025))).unwrap_err();
        assert_eq!(too_long.code(), ErrorCode::InvalidIdPattern, "{too_long}");
    }

    proptest! {
        #[test]
        fn no_pattern_panics_and_an_accepted_one_matches_as_regex_does(pattern in any::<String>(), id in any::<String>()) {
            prop_assume!(!id.is_empty());
            if let Ok(filter) = Filter::new(["T"], Some(&pattern)) {
                let expected = pattern.is_empty() || regex::Regex::new(&pattern).unwrap().is_match(&id);
                prop_assert_eq!(filter.matches(&change("T", &id)), expected);
            }
        }

        #[test]
        fn only_the_named_types_pass(
            wanted in prop::collection::vec("[A-D]", 0..4),
            entity_type in "[A-D]",
        ) {
            let filter = Filter::new(wanted.clone(), None).unwrap();
            let expected = wanted.is_empty() || wanted.contains(&entity_type);
            prop_assert_eq!(filter.matches(&change(&entity_type, "x")), expected);
        }
    }
}
