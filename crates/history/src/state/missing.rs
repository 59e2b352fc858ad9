//! Whether a state lacks a change that could not be written.

use entity_stream_protocol::{EpochMillis, Event};

use super::entity_state::EntityState;
use super::entity_update::EntityUpdate;

impl EntityState {
    /// True if this change, which came to the bus at this time, would alter the state if it came again. A change whose data is left
    /// out counts as one that sets everything.
    pub fn lacks(&self, event: &Event, arrival: EpochMillis) -> bool {
        let update = EntityUpdate::new(event, arrival, true);
        if event.is_left_out() {
            return update.at >= self.replaced;
        }
        update.merge(Some(self.clone()), arrival).is_changed
    }
}
