//! Reads the fields of a subscription from a message.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::Reason;
use crate::error_code::ErrorCode;
use crate::filter::{FilterFields, InvalidFilter};
use crate::subscription::Subscription;
use crate::subscription_name::{InvalidSubscriptionName, SubscriptionName};
use crate::view::{InvalidView, Representation, View};

/// A field of a subscription.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(field_identifier, rename_all = "camelCase")]
pub(super) enum SubscriptionField {
    Subscription,
    EntityTypes,
    EntityIds,
    IdPattern,
    NotificationTrigger,
    WatchedAttributes,
    Q,
    GeoQ,
    ServicePath,
    Attributes,
    Representation,
    WholeEntity,
    ShowChanges,
    Snapshot,
    #[serde(other)]
    Unknown,
}

/// Reads a subscription, and whether it begins with a snapshot. A field that is `null` counts as absent.
pub(super) fn read(fields: &HashMap<SubscriptionField, Value>) -> Result<(Subscription, bool), Reason> {
    use SubscriptionField as Field;
    let fields = Fields(fields);
    let whole_entity = fields.flag(Field::WholeEntity, "wholeEntity")?;
    let show_changes = fields.flag(Field::ShowChanges, "showChanges")?;
    let has_snapshot = fields.flag(Field::Snapshot, "snapshot")?;
    let name = name(&fields)?;
    let types = (Field::EntityTypes, "entityTypes", "receive every type", ErrorCode::InvalidEntityTypes);
    let ids = (Field::EntityIds, "entityIds", "receive every id", ErrorCode::InvalidEntityIds);
    let other = ErrorCode::InvalidSubscription;
    let filter = FilterFields {
        entity_types: fields.texts(types)?,
        entity_ids: fields.texts(ids)?,
        notification_trigger: fields.texts((
            Field::NotificationTrigger,
            "notificationTrigger",
            "receive every kind of change",
            other.clone(),
        ))?,
        watched_attributes: fields.texts((
            Field::WatchedAttributes,
            "watchedAttributes",
            "receive every update",
            other.clone(),
        ))?,
        id_pattern: fields.text((
            Field::IdPattern,
            "idPattern",
            "a regular expression, or leave idPattern out to receive every id",
            ErrorCode::InvalidIdPattern,
        ))?,
        q: fields.text((Field::Q, "q", r#"a query such as temperature>25, or leave q out"#, ErrorCode::InvalidQ))?,
        geo_q: fields.get(Field::GeoQ).cloned(),
        service_path: fields.text((Field::ServicePath, "servicePath", "a path such as /madrid/#", other.clone()))?,
    };
    let filter = filter.check().map_err(|error| (error.code(), error.to_string()))?;
    let attributes = fields.texts((Field::Attributes, "attributes", "receive all attributes", other.clone()))?;
    let representation =
        fields.text((Field::Representation, "representation", "normalized or keyValues", other.clone()))?;
    let representation = match representation {
        None => Ok(Representation::default()),
        Some(name) => Representation::parse(&name).ok_or(InvalidView::Representation),
    };
    let view = representation.and_then(|representation| View::new(attributes, representation));
    let view = view.map_err(|error| (other, error.to_string()))?.with_state(whole_entity, show_changes);
    let subscription = Subscription::new(name, filter, view);
    let subscription = subscription.map_err(|error: InvalidFilter| (error.code(), error.to_string()))?;
    Ok((subscription, has_snapshot))
}

/// Reads the name of a subscription; without one, it is the default subscription.
pub(super) fn name(fields: &Fields<'_>) -> Result<SubscriptionName, Reason> {
    let name = match fields.get(SubscriptionField::Subscription) {
        None => return Ok(SubscriptionName::DEFAULT),
        Some(Value::String(name)) => SubscriptionName::parse(name.as_str()),
        Some(_) => Err(InvalidSubscriptionName),
    };
    name.map_err(|error| (ErrorCode::InvalidSubscription, format!("subscription: {error}")))
}

/// A field, its name, the advice for a wrong type, and the code of the error.
type Wanted = (SubscriptionField, &'static str, &'static str, ErrorCode);

/// The fields of a subscription that are not `null`.
pub(super) struct Fields<'a>(pub(super) &'a HashMap<SubscriptionField, Value>);

impl Fields<'_> {
    fn get(&self, field: SubscriptionField) -> Option<&Value> {
        self.0.get(&field).filter(|value| !value.is_null())
    }

    fn flag(&self, field: SubscriptionField, name: &str) -> Result<bool, Reason> {
        match self.get(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err((ErrorCode::InvalidSubscription, format!("{name} is not true or false"))),
        }
    }

    fn texts(&self, (field, name, without, code): Wanted) -> Result<Vec<String>, Reason> {
        let texts = match self.get(field) {
            None => Some(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        let message = || format!("{name} is not an array of strings; send an array, or leave {name} out to {without}");
        texts.ok_or_else(|| (code, message()))
    }

    fn text(&self, (field, name, advice, code): Wanted) -> Result<Option<String>, Reason> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err((code, format!("{name} is not a string; send {advice}"))),
        }
    }
}
