//! The entity state's part in an invocation: it applies the changes to the states of their entities, before anything else.
//!
//! Invariant: the changes of one entity are applied in the order of the payload, whatever their types are. An event whose state
//! cannot be written is delivered without one, and then fails, so that Lambda repeats it: an outage of the table stops no live
//! event.

use std::collections::HashMap;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_history::{Applied, EntityKey, EntityState, HistoryError, StateTable};
use entity_stream_protocol::{EntityChange, EntityStates, EpochMillis, Event, Revision};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout, timeout_at};

use crate::assignment::Assignment;
use crate::metrics;

/// The longest time for all events of a tenant. Events not written by then are delivered without a state.
const TIME: Duration = Duration::from_secs(4);
/// The time for which an event is judged by the state that its change was merged into.
const FRESH: Duration = Duration::from_millis(200);
/// The longest time for reading an entity again.
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

/// Reads the entities of events again if a while has passed since their changes were merged. An event is then judged by its entity as
/// it is now, and a view of the whole entity shows that. Otherwise a client whose snapshot came meanwhile, without an entity that was
/// deleted or that left, would be told of that entity, and never of its end. An entity that cannot be read stays as it was.
pub(crate) async fn refresh(
    states: &StateTable,
    assignments: &mut [Assignment<'_>],
    merged_at: EpochMillis,
    clock: &Clock,
) {
    if clock.now().since(merged_at) < FRESH {
        return;
    }
    let known = assignments.iter().enumerate().filter(|(_, assignment)| assignment.event.states().is_some());
    let keys: Vec<_> = known.map(|(index, assignment)| (index, key(assignment.event.change()))).collect();
    let read = stream::iter(keys).map(async |(index, key)| {
        let read = timeout(READ_TIME, states.state(&key, clock.now())).await;
        (index, read.unwrap_or(Err(HistoryError::TimedOut { operation: "GetItem" })))
    });
    let read: Vec<_> = read.buffer_unordered(AT_ONCE).collect().await;
    for (index, state) in read {
        let event = &mut assignments[index].event;
        match state {
            Ok(Some(state)) => update(event, &state),
            Ok(None) => {}
            Err(error) => {
                let event_id = event.id();
                tracing::warn!(event_id, %error, "the entity of a slow attempt cannot be read again");
            }
        }
    }
}

/// Lets the event show a later state of its entity.
fn update(event: &mut Event, state: &EntityState) {
    let (Some(revision), Some(states)) = (event.revision().cloned(), event.states().cloned()) else { return };
    if state.version > revision.version && !state.is_too_large() {
        let revision = Revision { is_partial: state.is_partial(), ..revision };
        event.revise(revision, EntityStates { after: state.data(), ..states });
    }
}

fn key(change: &EntityChange) -> EntityKey {
    EntityKey::new(&change.tenant, &change.entity_id, &change.service_path)
}

fn note(assignment: &mut Assignment<'_>, applied: Result<Applied, HistoryError>) {
    let event_id = assignment.event.id().to_owned();
    match applied {
        Ok(Applied::Known { revision, states }) => assignment.event.revise(revision, states),
        Ok(Applied::TooLarge { version, before }) => {
            metrics::state_too_large();
            tracing::warn!(event_id, "the entity is too large: the service keeps no entity state of it");
            assignment.event.outgrow(version, before);
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
