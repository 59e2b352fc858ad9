use anyhow::anyhow;
use entity_stream_protocol::{ChangeType, EntityChange, EpochMillis, EventMessage, Tenant};
use entity_stream_publisher::BusEntry;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bus::{ChangeTimes, SOURCE};

/// The options for the events of a recording.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplayOptions {
    /// The tenant of the replayed events. `None` for their own.
    pub(crate) tenant: Option<Tenant>,
    /// True if the events keep their timestamps.
    pub(crate) keeps_timestamps: bool,
}

/// A change of a recording.
#[derive(Clone, Debug)]
pub(crate) struct RecordedChange {
    /// The number of the line, from 1.
    pub(crate) line: u64,
    /// The time at which the event arrived.
    pub(crate) received_at: EpochMillis,
    /// The change. Without a timestamp, it gets that of its replay.
    change: EntityChange,
}

/// A change of a recording that can be published now.
#[derive(Clone, Debug)]
pub(crate) struct ReplayEntry {
    /// The number of the line, from 1.
    pub(crate) line: u64,
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

impl RecordedChange {
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
        let tenant = match &options.tenant {
            Some(tenant) => tenant.clone(),
            None => Tenant::parse(&message.tenant).map_err(|error| Unreplayable::Invalid(error.into()))?,
        };
        let change = EntityChange {
            change_type,
            tenant,
            service_path: message.service_path.clone().into_owned(),
            entity_id: message.entity_id.clone().into_owned(),
            entity_types: message.entity_type.clone().into_owned(),
            data: data.clone().into_owned(),
            changed_attributes: message.changed_attributes.clone().map(|names| names.into_owned()),
            context: message.context.clone().map(|context| context.into_owned()),
            timestamp: options.keeps_timestamps.then(|| message.timestamp.to_string()),
        };
        Ok(Self { line, received_at, change })
    }

    /// The change as it is published now.
    ///
    /// # Errors
    /// The change is none that a bus accepts.
    pub(crate) fn entry(mut self, times: &mut ChangeTimes) -> anyhow::Result<ReplayEntry> {
        self.change.timestamp = self.change.timestamp.or_else(|| times.next());
        let entry = BusEntry::change(SOURCE, self.change.to_json())?;
        let entity = (self.change.tenant, self.change.service_path, self.change.entity_id);
        Ok(ReplayEntry { line: self.line, entity, entry })
    }
}

fn invalid(reason: &str) -> Unreplayable {
    Unreplayable::Invalid(anyhow!("this is no line of `entity-stream record`: {reason}"))
}
