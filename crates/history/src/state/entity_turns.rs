//! Lets the changes of one entity in an instance take turns. Without them, each would fail the conditions of the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

use super::entity_key::EntityKey;

/// The entities whose changes are under way.
#[derive(Clone, Debug, Default)]
pub(super) struct EntityTurns(Arc<Mutex<HashMap<EntityKey, Weak<tokio::sync::Mutex<()>>>>>);

/// The number of known entities above which those without a change under way are forgotten.
const MOST_KNOWN: usize = 1_000;

impl EntityTurns {
    /// Waits for the turn of a change.
    pub(super) async fn next(&self, key: &EntityKey) -> OwnedMutexGuard<()> {
        let turns = {
            let mut entities = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if entities.len() >= MOST_KNOWN {
                entities.retain(|_, turns| turns.strong_count() > 0);
            }
            match entities.get(key).and_then(Weak::upgrade) {
                Some(turns) => turns,
                None => {
                    let turns = Arc::default();
                    entities.insert(key.clone(), Arc::downgrade(&turns));
                    turns
                }
            }
        };
        turns.lock_owned().await
    }
}
