use std::borrow::Cow;

use entity_stream_protocol::{EntityChange, UndeliverableChange, is_rfc3339};

use crate::entry::BusEntry;
use crate::limits::ENTRY_BYTES;

/// The `detail-type` of an entity change. The rule of the bus does not depend on it.
pub const CHANGE_DETAIL_TYPE: &str = "entity.changed";

/// Why a change cannot be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpublishableChange {
    /// The broadcast could deliver the change to no connection.
    #[error(transparent)]
    Undeliverable(#[from] UndeliverableChange),
    /// Clients sort by the timestamp, and CloudEvents allow no other form.
    #[error("detail.timestamp must be a time with an offset, such as 2026-01-31T12:00:00Z")]
    Timestamp,
    /// The event is larger than EventBridge accepts.
    #[error("the event has {bytes} bytes; an event bus accepts less than 1 MB")]
    TooLarge {
        /// The size of the entry, as [`BusEntry::size`] counts it.
        bytes: usize,
    },
}

impl BusEntry {
    /// An entity change with this `source`. The detail stays byte for byte as it is.
    ///
    /// # Errors
    /// [`UnpublishableChange`] if the contract, or the limits of EventBridge, do not allow the change.
    pub fn change(source: impl Into<Cow<'static, str>>, detail: String) -> Result<Self, UnpublishableChange> {
        let change = EntityChange::parse(&detail)?;
        if !change.timestamp.as_deref().is_none_or(is_rfc3339) {
            return Err(UnpublishableChange::Timestamp);
        }
        let entry = Self::new(source, CHANGE_DETAIL_TYPE, detail);
        match entry.size() {
            bytes if bytes >= ENTRY_BYTES => Err(UnpublishableChange::TooLarge { bytes }),
            _ => Ok(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::{ChangeType, EntityType, EntityTypes, Tenant};
    use serde_json::json;

    use super::*;

    fn detail(entity_id: &str, timestamp: Option<&str>, data: &serde_json::Value) -> String {
        let change = EntityChange {
            change_type: ChangeType::EntityUpdated,
            tenant: Tenant::parse("demo").unwrap(),
            service_path: "/".to_owned(),
            entity_id: entity_id.to_owned(),
            entity_types: EntityTypes::One(EntityType::parse("Room").unwrap()),
            data: serde_json::value::to_raw_value(data).unwrap(),
            changed_attributes: Some(vec!["co2".to_owned()]),
            context: None,
            timestamp: timestamp.map(str::to_owned),
        };
        change.to_json()
    }

    #[test]
    fn a_change_is_written_as_the_contract_reads_it() {
        let published = detail("urn:1", Some("2026-01-31T12:00:00Z"), &json!({ "co2": 612 }));
        let entry = BusEntry::change("test", published).unwrap();
        let change = EntityChange::parse(entry.detail()).unwrap();
        assert_eq!((change.tenant.as_str(), change.entity_id.as_str()), ("demo", "urn:1"));
        assert_eq!((change.service_path.as_str(), change.data.get()), ("/", r#"{"co2":612}"#));
        assert_eq!(change.changed_attributes.as_deref(), Some(&["co2".to_owned()][..]));
        assert_eq!(change.timestamp.as_deref(), Some("2026-01-31T12:00:00Z"));
    }

    #[test]
    fn a_change_that_cannot_be_delivered_is_refused_with_the_field() {
        let refused = |detail: String| BusEntry::change("test", detail).unwrap_err().to_string();
        assert!(refused(detail("", None, &json!({}))).contains("entityId"));
        assert!(refused(detail("urn:1", None, &json!([1]))).contains("detail.data"));
        assert!(refused(detail("urn:1", Some("noon"), &json!({}))).contains("detail.timestamp must be a time"));
        assert!(refused(detail("urn:1", None, &json!({ "x": "x".repeat(ENTRY_BYTES) }))).contains("less than 1 MB"));
    }
}
