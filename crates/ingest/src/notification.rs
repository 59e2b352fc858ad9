//! Tells the formats of notifications apart, and turns each entity into a change. No I/O.

use std::borrow::Cow;

use entity_stream_protocol::limits::CONTEXT_BYTES;
use entity_stream_protocol::{
    ChangeType, EntityChange, EpochMillis, JsonMembers, Tenant, json_text, micros_of_rfc3339,
};
use serde_json::value::RawValue;

use crate::entity_report::{EntityReport, id_of};
use crate::geo_json::is_geo_json;
use crate::limits::MOST_ENTITIES;
use crate::link::linked_context;
use crate::refused_entity::{EntityFault, RefusedEntity};
use crate::repeats::Repeats;
use crate::trigger::change_type;
use crate::uncertain_time::{newest, time};
use crate::{ngsi_ld, ngsi_v2};

/// The types of NGSI-LD notifications, short and expanded.
const NOTIFICATION: [&str; 2] = ["Notification", "https://uri.etsi.org/ngsi-ld/Notification"];
/// The types of notifications about the registrations of context sources.
const ABOUT_SOURCES: [&str; 3] =
    ["ContextSourceNotification", "CsourceNotification", "https://uri.etsi.org/ngsi-ld/ContextSourceNotification"];

/// The facts about a notification that stand in its request, beside its body.
#[derive(Clone, Debug)]
pub struct NotificationFacts {
    /// The tenant of the entities.
    pub tenant: Tenant,
    /// The service paths of `Fiware-ServicePath`: none for `/`, one for all entities, or one for each entity.
    pub service_paths: Vec<String>,
    /// The value of `Ngsiv2-AttrsFormat`.
    pub attrs_format: Option<String>,
    /// The value of `Link`.
    pub link: Option<String>,
    /// The time of changes of which the notification tells none.
    pub received_at: EpochMillis,
}

/// The body is no notification that can be published. The messages are for the operator of the broker, and repeat no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNotification {
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] entity_stream_protocol::InvalidJson),
    /// The body has neither of the two forms.
    #[error(
        "the body is no notification: expected an NGSIv2 notification with subscriptionId and data, or an NGSI-LD one with \
         \"type\":\"Notification\" and data"
    )]
    Unknown,
    /// There is no list of entities.
    #[error("the notification has no data: expected an array of entities in the member data")]
    NoData,
    /// The entities are GeoJSON features.
    #[error(
        "the GeoJSON representation is not supported: create the subscription with \"format\":\"normalized\" and its endpoint with \
         \"accept\":\"application/json\" or \"application/ld+json\""
    )]
    GeoJson,
    /// The entities have no names of attributes.
    #[error(
        "the formats values and unique have no ids: create the subscription with attrsFormat normalized or keyValues"
    )]
    Values,
    /// The notification is in the format of NGSIv1.
    #[error(
        "the format legacy (NGSIv1) is not supported: create the subscription with attrsFormat normalized or keyValues"
    )]
    Legacy,
    /// The notification is about context sources.
    #[error("notifications about context sources have no entities: create a subscription to entities")]
    ContextSource,
    /// There are too many entities.
    #[error("the notification has more than {MOST_ENTITIES} entities; send several notifications")]
    TooMany,
    /// The context of all entities is larger than an event may have.
    #[error(
        "the notification's @context has more than {CONTEXT_BYTES} bytes: publish the context at an address, and name that in the \
         subscription"
    )]
    Context,
    /// The service paths cannot be assigned.
    #[error(
        "Fiware-ServicePath names {paths} paths for {entities} entities: expected one path, or one for each entity"
    )]
    ServicePaths {
        /// The number of paths.
        paths: usize,
        /// The number of entities.
        entities: usize,
    },
}

/// The change of an entity, or the reason why there is none.
type EntityResult = Result<EntityChange, RefusedEntity>;

/// How the entities of a notification are read.
struct NotificationReading<'a> {
    entities: Vec<&'a RawValue>,
    read: fn(&'a RawValue) -> Result<EntityReport<'a>, EntityFault>,
    /// The kind of change, the time and the context of all entities that tell none of their own.
    trigger: Option<ChangeType>,
    notified_at: Option<Cow<'a, str>>,
    context: Option<Box<RawValue>>,
}

/// Reads a notification: a change for each entity, in their order.
///
/// # Errors
/// [`InvalidNotification`] if the notification as a whole cannot be published.
pub fn read_notification(body: &str, facts: &NotificationFacts) -> Result<Vec<EntityResult>, InvalidNotification> {
    let body: &RawValue = serde_json::from_str(body.trim_start_matches('\u{feff}'))
        .map_err(|error| entity_stream_protocol::InvalidJson::new(&error))?;
    let reading = NotificationReading::of(body, facts)?;
    let (paths, entities) = (facts.service_paths.len(), reading.entities.len());
    if paths > 1 && paths != entities {
        return Err(InvalidNotification::ServicePaths { paths, entities });
    }
    let mut repeats = Repeats::default();
    let changes = reading.entities.iter().enumerate().map(|(index, entity)| {
        let (mut change, own_time) = reading.change(index, entity, facts)?;
        repeats.order(&mut change, own_time);
        Ok(change)
    });
    Ok(changes.collect())
}

impl<'a> NotificationReading<'a> {
    fn of(body: &'a RawValue, facts: &NotificationFacts) -> Result<Self, InvalidNotification> {
        let members = JsonMembers::read(body).ok_or(InvalidNotification::Unknown)?;
        let names = ["type", "@type", "data", "subscriptionId", "id", "notifiedAt", "@context", "contextResponses"];
        let [kind, json_ld_kind, data, subscription, id, notified_at, context, legacy] = members.values(names);
        let [trigger, reason] = members.values(["notificationTrigger", "triggerReason"]);
        let kind = kind.or(json_ld_kind).and_then(json_text);
        let kind = kind.as_deref().unwrap_or_default();
        if ABOUT_SOURCES.contains(&kind) {
            return Err(InvalidNotification::ContextSource);
        }
        if legacy.is_some() {
            return Err(InvalidNotification::Legacy);
        }
        let is_ld = NOTIFICATION.contains(&kind);
        let is_simplified = facts.attrs_format.as_deref().is_some_and(|format| format.starts_with("simplified"));
        let entities = match data {
            Some(data) if is_ld || subscription.is_some() => entities(data, is_ld)?,
            // Orion's simplifiedNormalized and simplifiedKeyValues are the entity alone.
            _ if is_simplified && id.is_some() => vec![body],
            _ if is_geo_json(body) => return Err(InvalidNotification::GeoJson),
            None if is_ld || subscription.is_some() => return Err(InvalidNotification::NoData),
            _ => return Err(InvalidNotification::Unknown),
        };
        if entities.len() > MOST_ENTITIES {
            return Err(InvalidNotification::TooMany);
        }
        let context = context.filter(|context| context.get() != "null").map(ToOwned::to_owned);
        let context = context.or_else(|| linked_context(facts.link.as_deref()?));
        // Each entity without its own gets a copy, of which an event of this size would be refused anyway.
        if context.as_ref().is_some_and(|context| context.get().len() > CONTEXT_BYTES) {
            return Err(InvalidNotification::Context);
        }
        Ok(Self {
            entities,
            read: if is_ld { ngsi_ld::read } else { ngsi_v2::read },
            trigger: trigger.and_then(change_type).or_else(|| reason.and_then(change_type)),
            notified_at: notified_at.and_then(time),
            context,
        })
    }

    /// The change of an entity, and the entity's own time of it, in microseconds since 1970.
    fn change(
        &self,
        index: usize,
        entity: &'a RawValue,
        facts: &NotificationFacts,
    ) -> Result<(EntityChange, Option<i64>), RefusedEntity> {
        let report = match (self.read)(entity) {
            Ok(report) => report,
            Err(fault) => return Err(RefusedEntity { index, id: id_of(entity), fault }),
        };
        let of_header = facts.service_paths.get(index).or_else(|| facts.service_paths.first());
        let guess = if report.looks_new { ChangeType::EntityCreated } else { ChangeType::EntityUpdated };
        let change_type = report.change_type.or(self.trigger).unwrap_or(guess);
        let timestamp = self.timestamp(change_type, &report, facts);
        // Without `deletedAt`, the time of a deletion can be that of the notification.
        let own_time = report.deleted_at.as_ref().map(|_| timestamp.as_str()).or(report.timestamp.as_deref());
        let own_time = own_time.and_then(micros_of_rfc3339);
        let data = RawValue::from_string(report.data()).unwrap_or_else(|_| entity_stream_protocol::empty_object());
        let change = EntityChange {
            change_type,
            tenant: facts.tenant.clone(),
            service_path: report.service_path.or_else(|| of_header.cloned()).unwrap_or_else(|| "/".to_owned()),
            entity_id: report.id,
            entity_types: report.types,
            data,
            changed_attributes: report.changed.filter(|_| change_type == ChangeType::EntityUpdated),
            context: report.context.map(ToOwned::to_owned).or_else(|| self.context.clone()),
            timestamp: Some(timestamp),
        };
        Ok((change, own_time))
    }

    /// The time of a change. The entity's own time of a deletion is that of its last change. A deletion is not older than that,
    /// because brokers round `deletedAt`. Without `deletedAt` it is not older than the notification either, whichever clock is ahead.
    fn timestamp(&self, change_type: ChangeType, report: &EntityReport<'_>, facts: &NotificationFacts) -> String {
        let received = || Cow::Owned(facts.received_at.to_rfc3339_millis());
        let (notified, observed) = (self.notified_at.as_deref(), report.observed.as_deref());
        let own = report.timestamp.as_deref();
        let time = match (change_type, report.deleted_at.as_deref()) {
            (ChangeType::EntityDeleted, Some(deleted)) => {
                newest([deleted].into_iter().chain(own).map(Cow::Borrowed)).unwrap_or_else(received)
            }
            (ChangeType::EntityDeleted, None) => {
                // An update without any better time had that of its observations.
                let last = own.or(if notified.is_none() { observed } else { None });
                let told = notified.map_or_else(received, Cow::Borrowed);
                newest(last.map(Cow::Borrowed).into_iter().chain([told])).unwrap_or_else(received)
            }
            _ => own.or(notified).or(observed).map_or_else(received, Cow::Borrowed),
        };
        time.into_owned()
    }
}

/// The entities in `data`: an array, or one entity, which some JSON-LD processors write without its array.
/// Only NGSI-LD has GeoJSON.
fn entities(data: &RawValue, is_ld: bool) -> Result<Vec<&RawValue>, InvalidNotification> {
    let entities: Vec<&RawValue> = match data.get().starts_with('{') {
        true => vec![data],
        false => serde_json::from_str(data.get()).map_err(|_| InvalidNotification::NoData)?,
    };
    if entities.iter().any(|entity| entity.get().starts_with('[')) {
        return Err(InvalidNotification::Values);
    }
    if is_ld && entities.iter().any(|entity| is_geo_json(entity)) {
        return Err(InvalidNotification::GeoJson);
    }
    Ok(entities)
}
