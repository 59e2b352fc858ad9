//! An entity as it is now, in the form of an event.

use entity_stream_history::EntityState;
use entity_stream_protocol::{ChangeType, EntityChange, Event, Position, Revision, Tenant, empty_object};

/// The event that shows a state in a snapshot. Its id names the entity and its version.
pub(crate) fn snapshot_of(state: &EntityState, tenant: &Tenant) -> Event {
    let name = format!("{tenant} {} {}", state.service_path, state.entity_id);
    let id = format!("snapshot-{}-{:016x}", state.version, stable_hash(&name));
    let mut event = Event::new(id, state.last.time.as_str(), change_of(state, tenant)).into_snapshot();
    if state.is_too_large() {
        event.set_without_state();
    }
    // The version is known, however large the entity is.
    event.revised(Some(revision_of(state)))
}

/// The event that tells a client that comes back what an entity is now. It has the id and the kind of the last change, and the
/// position of this event of the history.
pub(crate) fn replay_of(state: &EntityState, tenant: &Tenant, position: Option<&Position>) -> Event {
    let event = Event::new(state.last.event_id.as_str(), state.last.time.as_str(), change_of(state, tenant));
    let mut event = event.replayed(None);
    if state.is_too_large() {
        event.set_without_state();
    }
    let event = event.revised(Some(revision_of(state)));
    match position {
        Some(position) => event.at(position.clone()),
        None => event,
    }
}

fn revision_of(state: &EntityState) -> Revision {
    Revision { version: state.version, is_late: false, is_partial: state.is_partial(), previous: None }
}

fn change_of(state: &EntityState, tenant: &Tenant) -> EntityChange {
    EntityChange {
        change_type: match state.last.change_type {
            _ if state.is_deleted() => ChangeType::EntityDeleted,
            // A late deletion left the newer attributes.
            ChangeType::EntityDeleted => ChangeType::EntityUpdated,
            other => other,
        },
        tenant: tenant.clone(),
        service_path: state.service_path.clone(),
        entity_id: state.entity_id.clone(),
        entity_types: state.entity_types.clone(),
        data: state.data().unwrap_or_else(empty_object),
        changed_attributes: None,
        context: None,
        timestamp: state.last.timestamp.clone(),
    }
}

fn stable_hash(text: &str) -> u64 {
    entity_stream_connections::stable_hash(text.as_bytes())
}
