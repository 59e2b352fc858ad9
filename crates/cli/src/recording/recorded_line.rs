use anyhow::anyhow;
use entity_stream_protocol::{ChangeType, EntityChange, EpochMillis, EventMessage, Tenant};
use entity_stream_publisher::BusEntry;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bus::SOURCE;

/// The options for the events of a recording.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayOptions {
    /// The tenant of the replayed events. `None` for their own.
    pub(crate) tenant: Option<Tenant>,
    /// True if the events keep their timestamps.
    pub(crate) keeps_timestamps: bool,
}

/// An event of a recording that can be published.
#[derive(Clone, Debug)]
pub(crate) struct ReplayEntry {
    /// The number of the line, from 1.
    pub(crate) line: u64,
    /// The time at which the event arrived.
    pub(crate) received_at: EpochMillis,
    /// The tenant, the service path and the id of the entity.
    pub(crate) entity: (Tenant, String, String),
    entry: BusEntry,
}

impl AsRef<BusEntry> for ReplayEntry {
    fn as_ref(&self) -> &BusEntry {
        &self.entry
    }
}

/// The reason for which a line is not published.
#[derive(Debug)]
pub(crate) enum Unreplayable {
    /// The event is no change, or its data is missing.
    Skipped,
    /// The line is none of a recording.
    Invalid(anyhow::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedFields<'a> {
    received_at: Option<String>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

impl ReplayEntry {
    /// Reads a line of a recording.
    pub(crate) fn from_line(text: &str, line: u64, options: &ReplayOptions) -> Result<Self, Unreplayable> {
        let fields: RecordedFields<'_> = serde_json::from_str(text.trim())
            .map_err(|_| invalid("it is no JSON object with `receivedAt` and `event`"))?;
        let received_at = fields.received_at.as_deref().and_then(EpochMillis::from_rfc3339);
        let received_at =
            received_at.ok_or_else(|| invalid("`receivedAt` must be a time such as 2026-01-31T12:00:00.000Z"))?;
        let event = fields.event.ok_or_else(|| invalid("`event` is missing"))?;
        let message: EventMessage<'_> = serde_json::from_str(event.get()).map_err(|error| {
            let reason = error.to_string();
            // Any other reason can quote a value.
            let missing = reason.strip_prefix("missing field ").and_then(|rest| rest.split(" at ").next());
            invalid(
                &missing
                    .map_or_else(|| "`event` is not as received".to_owned(), |name| format!("`event` has no {name}")),
            )
        })?;
        let change_type = ChangeType::ALL.into_iter().find(|known| known.as_str() == message.event_type.as_str());
        let (Some(change_type), Some(data), false) = (change_type, &message.data, message.truncated) else {
            return Err(Unreplayable::Skipped);
        };
        let change = || {
            let tenant = match &options.tenant {
                Some(tenant) => tenant.clone(),
                None => Tenant::parse(&message.tenant)?,
            };
            let change = EntityChange {
                change_type,
                tenant: tenant.clone(),
                service_path: message.service_path.clone().into_owned(),
                entity_id: message.entity_id.clone().into_owned(),
                entity_types: message.entity_type.clone().into_owned(),
                data: data.clone().into_owned(),
                changed_attributes: message.changed_attributes.clone().map(|names| names.into_owned()),
                context: message.context.clone().map(|context| context.into_owned()),
                timestamp: options.keeps_timestamps.then(|| message.timestamp.to_string()),
            };
            let entity = (tenant, change.service_path.clone(), change.entity_id.clone());
            let entry = BusEntry::change(SOURCE, change.to_json())?;
            anyhow::Ok(Self { line, received_at, entity, entry })
        };
        change().map_err(Unreplayable::Invalid)
    }
}

fn invalid(reason: &str) -> Unreplayable {
    Unreplayable::Invalid(anyhow!("this is no line of `entity-stream record`: {reason}"))
}
