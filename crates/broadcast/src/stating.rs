//! The entity state's part in an invocation: it applies the changes to the states of their entities, before anything else.
//!
//! Invariant: the changes of one entity are applied in the order of the payload, whatever their types are. An event whose state
//! cannot be written is delivered without one, and then fails, so that Lambda repeats it: an outage of the table stops no live
//! event.

use std::collections::HashMap;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_history::{Applied, EntityKey, EntityState, HistoryError, StateTable};
use entity_stream_protocol::{EntityChange, EpochMillis, Event};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout, timeout_at};

use crate::assignment::Assignment;
use crate::metrics;

/// The longest time for all events of a tenant. Events not written by then are delivered without a state.
const TIME: Duration = Duration::from_secs(4);
/// The time for which the state that a change was merged into counts as the present one.
const FRESH: Duration = Duration::from_millis(200);
/// The longest time for reading the entities of a batch again.
const READ_TIME: Duration = Duration::from_secs(1);
/// The entities whose states are written at the same time.
const AT_ONCE: usize = 16;

/// Applies the changes of events, and gives each event what it did to its entity.
pub(crate) async fn apply(states: &StateTable, assignments: &mut [Assignment<'_>], clock: &Clock) {
    let mut entities: HashMap<EntityKey, Vec<usize>> = HashMap::new();
    for (index, assignment) in assignments.iter().enumerate() {
        entities.entry(key(assignment.event.change())).or_default().push(index);
    }
    let assigned = &*assignments;
    let until = Instant::now() + TIME;
    let applied = stream::iter(entities.into_values()).map(async |events| {
        let mut applied = Vec::with_capacity(events.len());
        for index in events {
            let assignment = &assigned[index];
            let now = clock.now();
            let apply = async {
                match assignment.depth {
                    0 => states.apply(&assignment.event, assignment.arrived_at(now), now).await,
                    _ => states.apply_again(&assignment.event, assignment.arrived_at(now), now).await,
                }
            };
            let result = timeout_at(until, apply).await;
            applied.push((index, result.unwrap_or(Err(HistoryError::TimedOut { operation: "UpdateItem" }))));
        }
        applied
    });
    let applied: Vec<_> = applied.buffer_unordered(AT_ONCE).concat().await;
    for (index, applied) in applied {
        note(&mut assignments[index], applied);
    }
}

/// Reads the entities of events again if a while has passed since the first change was merged. Views of the whole entity then show it
/// as it is now, and are judged by that. Otherwise a client whose snapshot came meanwhile, without an entity that was deleted or that
/// left, would be told of that entity, and never of its end. Entities that cannot be read in time stay as they were.
pub(crate) async fn refresh(
    states: &StateTable,
    assignments: &mut [Assignment<'_>],
    merged_from: EpochMillis,
    clock: &Clock,
) {
    if clock.now().since(merged_from) < FRESH {
        return;
    }
    let known = assignments.iter_mut().map(|assignment| &mut assignment.event).filter(|event| event.states().is_some());
    let mut events: HashMap<EntityKey, Vec<&mut Event>> = HashMap::new();
    for event in known {
        events.entry(key(event.change())).or_default().push(event);
    }
    let keys: Vec<_> = events.keys().cloned().collect();
    let read = timeout(READ_TIME, states.states(&keys, clock.now())).await;
    match read.unwrap_or(Err(HistoryError::TimedOut { operation: "BatchGetItem" })) {
        Ok(states) => {
            for (key, state) in states {
                events.remove(&key).into_iter().flatten().for_each(|event| update(event, &state));
            }
        }
        Err(error) => tracing::warn!(%error, "the entities of a slow attempt cannot be read again"),
    }
}

/// Lets the event show a later state of its entity.
fn update(event: &mut Event, state: &EntityState) {
    let is_later = event.revision().is_some_and(|revision| state.version > revision.version);
    if is_later && !state.is_too_large() {
        event.show_present(state.present());
    }
}

fn key(change: &EntityChange) -> EntityKey {
    EntityKey::new(&change.tenant, &change.entity_id, &change.service_path)
}

fn note(assignment: &mut Assignment<'_>, applied: Result<Applied, HistoryError>) {
    let event_id = assignment.event.id().to_owned();
    match applied {
        Ok(Applied::Known { revision, states, present }) => {
            assignment.event.revise(revision, states);
            present.into_iter().for_each(|entity| assignment.event.show_present(entity));
        }
        Ok(Applied::TooLarge { version, is_late, before }) => {
            metrics::state_too_large();
            tracing::warn!(event_id, "the entity is too large: the service keeps no entity state of it");
            assignment.event.outgrow(version, is_late, before);
        }
        Err(error) => {
            assignment.is_stored = false;
            metrics::not_stored();
            tracing::error!(event_id, %error, "the entity state does not have the change");
            assignment.event.set_without_state();
        }
    }
}

impl Assignment<'_> {
    /// When the event came to the bus. A publisher can write any time.
    fn arrived_at(&self, now: EpochMillis) -> EpochMillis {
        self.published_at.min(now)
    }
}
