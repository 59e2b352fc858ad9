//! The promise, checked against the actual run.

use std::time::Duration;

use entity_stream_history::CLOCK_SKEW;
use entity_stream_protocol::{EpochMillis, NotRecovered};

use crate::client::{Client, Role};
use crate::past_table::PastItem;
use crate::world::World;

/// A promise is refused only for a reason that holds.
pub(crate) fn check_verdict(
    world: &World,
    from: EpochMillis,
    verdict: &Result<Vec<PastItem>, NotRecovered>,
    is_unreadable: bool,
) {
    let holds = match verdict {
        Ok(items) => items.len() <= world.most_replayed,
        Err(NotRecovered::Expired) => {
            world.now().since(from) + CLOCK_SKEW + Duration::from_secs(1) > world.epoch.retention
        }
        Err(NotRecovered::Unavailable) => is_unreadable || from < world.epoch.since,
        // The client can have no more events than were published.
        Err(NotRecovered::TooMany) => world.events.borrow().len() > world.most_replayed,
        Err(NotRecovered::UnknownPosition | NotRecovered::Other(_)) => false,
    };
    if !holds {
        world.violates(format!("the verdict {verdict:?} from {} does not hold", from.millis()));
    }
}

/// The first event that a client lacks though it was promised.
pub(crate) fn lost(world: &World, client: &Client) -> Option<usize> {
    if client.role == Role::Member {
        return None;
    }
    let events = world.events.borrow();
    (0..events.len()).find(|event| {
        let published = &events[*event];
        published.tenant == client.tenant
            && !published.is_excused.get()
            && client.is_promised(published)
            && !client.has(*event)
    })
}
