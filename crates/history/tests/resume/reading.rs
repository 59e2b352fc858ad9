//! Reads the model of the history as an instance of `default` does: closed slices from its cache, the rest from the table.

use std::ops::Range;
use std::time::Duration;

use entity_stream_history::{ReadPlan, SliceNumber, slice_of, start_of};
use entity_stream_protocol::EpochMillis;

use crate::instances::Reader;
use crate::mutation::Mutation;
use crate::past_table::{PastItem, SHARDS};
use crate::world::World;

/// The longest time of a read.
const TIME: Duration = Duration::from_secs(5);

/// The read failed, or took too long.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// The events of a tenant from a time on, each once at its last place, oldest first.
pub(crate) async fn read(
    world: &World,
    reader: &Reader,
    tenant: u8,
    from: EpochMillis,
    now: EpochMillis,
) -> Result<Vec<PastItem>, Unreadable> {
    let begin = world.now();
    if world.chance.trouble(10) {
        return Err(Unreadable);
    }
    let plan = if world.is(Mutation::OpenSlices) {
        ReadPlan::new(world.timing, from, now.plus(Duration::from_secs(60)))
    } else {
        ReadPlan::new(world.timing, from, now)
    };
    let mut items = Vec::new();
    let mut missing: Vec<Range<SliceNumber>> = Vec::new();
    for slice in plan.closed() {
        match (reader.slice(tenant, slice), missing.last_mut()) {
            (Some(known), _) => items.extend(known),
            (None, Some(run)) if run.end == slice => run.end += 1,
            (None, _) => missing.push(slice..slice + 1),
        }
    }
    for run in missing {
        let found = query(world, tenant, start_of(run.start)..start_of(run.end)).await;
        for slice in run {
            let of_slice = found.iter().filter(|item| slice_of(item.place.0) == slice).copied().collect();
            reader.keep(tenant, slice, of_slice);
        }
        items.extend(found);
    }
    items.extend(query(world, tenant, plan.open()).await);
    if world.now().since(begin) > TIME {
        return Err(Unreadable);
    }
    items.retain(|item| item.place.0 >= from);
    items.sort_unstable_by_key(|item| item.place);
    let last: Vec<_> = items
        .iter()
        .enumerate()
        .filter(|(index, item)| items[index + 1..].iter().all(|later| later.event != item.event))
        .map(|(_, item)| *item)
        .collect();
    Ok(last)
}

/// Reads each partition in pages, each page at another moment.
async fn query(world: &World, tenant: u8, time: Range<EpochMillis>) -> Vec<PastItem> {
    let mut items = Vec::new();
    for shard in 0..SHARDS {
        let mut start = time.start;
        let middle = world.chance.percent(30).then(|| {
            start.plus(Duration::from_millis(
                world.chance.below(u64::try_from(time.end.since(start).as_millis()).unwrap()),
            ))
        });
        for end in middle.into_iter().chain([time.end]) {
            world.schedule.sleep(world.chance.up_to(1500)).await;
            items.extend(world.past.page((tenant, shard), &(start..end), (world.now(), world.epoch.retention)));
            start = end;
        }
    }
    items
}
