use crate::entity_id::InvalidEntityId;
use crate::entity_type::InvalidEntityType;
use crate::error_code::ErrorCode;
use crate::geo_query::InvalidGeoQuery;
use crate::limits::{ATTRIBUTE_NAME_LENGTH, FILTER_IDS, FILTER_TEXT_BYTES, FILTER_TYPES, WATCHED_ATTRIBUTES};
use crate::pattern::InvalidPattern;
use crate::query::InvalidQuery;
use crate::service_path_pattern::InvalidServicePathPattern;

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
    /// An entity id is empty or too long.
    #[error("entityIds: {0}")]
    EntityId(#[from] InvalidEntityId),
    /// The filter has too many entity ids.
    #[error(
        "entityIds: a filter has at most {FILTER_IDS} ids; send fewer, or use idPattern or entityTypes for more entities"
    )]
    TooManyIds,
    /// The filter is too long.
    #[error(
        "a subscription has at most {FILTER_TEXT_BYTES} bytes of filter text besides entityIds; send fewer or shorter types, \
         patterns, queries and names"
    )]
    TooMuchText,
    /// The pattern is invalid.
    #[error("idPattern: {0}")]
    IdPattern(#[from] InvalidPattern),
    /// A trigger is not the type of a change.
    #[error("notificationTrigger: send some of entityCreated, entityUpdated and entityDeleted")]
    Trigger,
    /// A trigger is one of NGSI-LD's for attributes.
    #[error(
        "notificationTrigger: the triggers of attributes are not supported; use entityUpdated, and watchedAttributes to name \
         the attributes"
    )]
    AttributeTrigger,
    /// A watched attribute is empty or too long, or there are too many.
    #[error("watchedAttributes: send at most {WATCHED_ATTRIBUTES} names of 1 to {ATTRIBUTE_NAME_LENGTH} characters")]
    WatchedAttributes,
    /// The query is invalid.
    #[error(transparent)]
    Query(#[from] InvalidQuery),
    /// The geo-query is invalid.
    #[error(transparent)]
    GeoQuery(#[from] InvalidGeoQuery),
    /// The service path is invalid.
    #[error(transparent)]
    ServicePath(#[from] InvalidServicePathPattern),
}

impl InvalidFilter {
    /// The code of the `error` answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::EntityType(_) | Self::TooManyTypes => ErrorCode::InvalidEntityTypes,
            Self::EntityId(_) | Self::TooManyIds => ErrorCode::InvalidEntityIds,
            Self::TooMuchText => ErrorCode::LimitExceeded,
            Self::IdPattern(_) => ErrorCode::InvalidIdPattern,
            Self::Query(_) => ErrorCode::InvalidQ,
            Self::GeoQuery(_) => ErrorCode::InvalidGeoQ,
            Self::Trigger | Self::AttributeTrigger | Self::WatchedAttributes | Self::ServicePath(_) => {
                ErrorCode::InvalidSubscription
            }
        }
    }
}
