use entity_stream_history::EntityState;
use entity_stream_protocol::{EntityType, EntityTypes, EpochMillis};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::commands::columns::{cell, columns};
use crate::lifetime::roughly;

const TITLES: [&str; 6] = ["ID", "TYPE", "SERVICE PATH", "VERSION", "CHANGED", "ATTRIBUTES"];

/// An entity, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownEntity<'a> {
    entity_id: &'a str,
    entity_type: &'a EntityTypes,
    service_path: &'a str,
    version: u64,
    partial: bool,
    too_large: bool,
    last_change: ShownChange<'a>,
    /// `None` if the entity is too large to be kept.
    data: Option<Box<RawValue>>,
}

/// The last change of an entity, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownChange<'a> {
    #[serde(rename = "type")]
    change_type: &'static str,
    id: &'a str,
    time: &'a str,
    timestamp: Option<&'a str>,
}

/// An entity with its data byte for byte.
pub(super) fn json(state: &EntityState) -> String {
    let shown = ShownEntity {
        entity_id: &state.entity_id,
        entity_type: &state.entity_types,
        service_path: &state.service_path,
        version: state.version,
        partial: state.is_partial(),
        too_large: state.is_too_large(),
        last_change: ShownChange {
            change_type: state.last.change_type.as_str(),
            id: &state.last.event_id,
            time: &state.last.time,
            timestamp: state.last.timestamp.as_deref(),
        },
        data: state.data(),
    };
    serde_json::to_string(&shown).unwrap_or_default()
}

/// Entities, for people.
pub(super) fn table(states: &[EntityState], now: EpochMillis) -> String {
    columns(TITLES, states.iter().map(|state| row(state, now)))
}

fn row(state: &EntityState, now: EpochMillis) -> [String; 6] {
    let types: Vec<_> = state.entity_types.iter().map(EntityType::as_str).collect();
    let changed = EpochMillis::from_rfc3339(&state.last.time);
    let attributes = match (state.is_too_large(), state.is_partial()) {
        (true, _) => "too large".to_owned(),
        (false, true) => format!("{}, partial", state.attribute_count()),
        (false, false) => state.attribute_count().to_string(),
    };
    [
        cell(&state.entity_id),
        cell(&types.join(", ")),
        cell(&state.service_path),
        state.version.to_string(),
        changed.map_or_else(|| "unknown".to_owned(), |changed| format!("{} ago", roughly(now.since(changed)))),
        attributes,
    ]
}
