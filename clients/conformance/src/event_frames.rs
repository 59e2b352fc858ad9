//! The events of a scenario as frames.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// An event that a scenario sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScriptedEvent {
    /// The id.
    event: String,
    #[serde(rename = "type", default = "room")]
    entity_type: String,
    entity: Option<String>,
    #[serde(default = "updated")]
    change: String,
    position: Option<String>,
    version: Option<u64>,
    data: Option<Value>,
    #[serde(default)]
    replayed: bool,
    to: Option<EventReceivers>,
    #[serde(default)]
    fields: Map<String, Value>,
}

/// The subscriptions that an event names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum EventReceivers {
    Named(Vec<String>),
    Of(ReceiversOf),
}

/// The subscriptions of the last `subscribe` that was read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ReceiversOf {
    Last,
}

/// The subscriptions of the connection that an event is for.
#[derive(Debug)]
pub(crate) struct EventAddress {
    pub(crate) tenant: String,
    /// The subscriptions that were answered. Before the first answer, those of the last `subscribe`; after the last was removed, that
    /// one.
    pub(crate) present: Vec<String>,
    /// Those of the last `subscribe` that was read.
    pub(crate) last: Vec<String>,
}

impl ScriptedEvent {
    /// An event with so many bytes of data.
    pub(crate) fn of_size(bytes: usize) -> Self {
        Self {
            event: "oversized".to_owned(),
            entity_type: room(),
            entity: None,
            change: updated(),
            position: None,
            version: None,
            data: Some(json!({ "text": "x".repeat(bytes) })),
            replayed: false,
            to: None,
            fields: Map::new(),
        }
    }

    /// The message for this address.
    pub(crate) fn message(&self, address: &EventAddress) -> Value {
        let entity = self.entity.clone().unwrap_or_else(|| format!("urn:ngsi-ld:{}:1", self.entity_type));
        let mut message = json!({
            "type": self.change,
            "tenant": address.tenant,
            "servicePath": "/",
            "entityId": entity,
            "entityType": self.entity_type,
            "timestamp": "2026-01-02T03:04:05Z",
        });
        // The id of a snapshot names the entity and its version.
        message["id"] = match self.change.as_str() {
            "entitySnapshot" => json!(format!("snapshot-{}-{entity}", self.version.unwrap_or_default())),
            _ => json!(self.event),
        };
        if self.change != "entityLeft" {
            message["data"] = self.data.clone().unwrap_or_else(|| json!({}));
        }
        if let Some(position) = &self.position {
            message["position"] = json!(position);
        }
        if let Some(version) = self.version {
            message["version"] = json!(version);
        }
        if self.replayed {
            message["replayed"] = json!(true);
        }
        let names = match &self.to {
            None => &address.present,
            Some(EventReceivers::Named(names)) => names,
            Some(EventReceivers::Of(ReceiversOf::Last)) => &address.last,
        };
        // A connection that has only the default subscription gets no names.
        if names.iter().any(|name| !name.is_empty()) {
            message["subscriptions"] = json!(names);
        }
        for (name, value) in &self.fields {
            message[name] = value.clone();
        }
        message
    }
}

fn room() -> String {
    "Room".to_owned()
}

fn updated() -> String {
    "entityUpdated".to_owned()
}
