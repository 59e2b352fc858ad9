//! The audience of an attempt: read page by page, each page and each partition of it at another moment.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::attempt::{Attempt, Crash};
use crate::bus::Job;
use crate::delivery::Recipient;
use crate::interests::Interest;
use crate::mutation::Mutation;
use crate::schedule::Gate;
use crate::subscription::{ENTITY, Scope};
use crate::world::World;

/// The time that a read of a page of the audience takes at most.
const PAGE: Duration = Duration::from_secs(2);

/// The data that the reading of the audience and the deliveries share.
#[derive(Default)]
pub(crate) struct Audience {
    /// The events not yet delivered.
    pub(crate) found: RefCell<VecDeque<Recipient>>,
    known: RefCell<Vec<Recipient>>,
    pub(crate) is_read: Cell<bool>,
    /// The tasks that still deliver.
    pub(crate) workers: Cell<usize>,
    /// Opens with every change of the rest.
    pub(crate) changed: Gate,
}

/// The pages of a range.
pub(crate) fn pages(world: &World, hashes: &Range<u64>) -> Vec<Range<u64>> {
    if hashes.is_empty() {
        return Vec::new();
    }
    let count = world.chance.within(1..world.theme.pages);
    let mut ends: Vec<_> = (1..count).map(|_| world.chance.within(hashes.clone())).collect();
    ends.push(hashes.end);
    ends.sort_unstable();
    let starts = std::iter::once(hashes.start).chain(ends.clone());
    starts.zip(ends).map(|(start, end)| start..end).collect()
}

/// Reads a page of each partition, as far as the machine permits it.
pub(crate) async fn read_permitted(attempt: &Attempt, page: &Range<u64>, audience: &Audience) -> Result<(), Crash> {
    attempt.step()?;
    for scope in scopes(&attempt.world) {
        if !attempt.world.is(Mutation::ReadsWithoutPermit) {
            attempt.permit(PAGE).await;
        }
        read_scope(&attempt.world, &attempt.job, (scope, page), audience).await;
    }
    Ok(())
}

/// Reads a page of each partition.
pub(crate) async fn read_page(world: &World, job: &Job, page: &Range<u64>, audience: &Audience) {
    for scope in scopes(world) {
        read_scope(world, job, (scope, page), audience).await;
    }
}

/// The partitions that an event reads, in any order.
fn scopes(world: &World) -> [Scope; 2] {
    let scopes = [Scope::Type, Scope::Entity(ENTITY)];
    if world.chance.percent(50) { scopes } else { [scopes[1], scopes[0]] }
}

async fn read_scope(world: &World, job: &Job, (scope, page): (Scope, &Range<u64>), audience: &Audience) {
    let most = u64::try_from(PAGE.as_millis()).unwrap();
    world.schedule.sleep(world.chance.up_to(most)).await;
    world.note(|| format!("the audience of {:?} in {page:?} of {scope:?} is read", job.events));
    let mut groups: Vec<(usize, Recipient)> = Vec::new();
    for event in job.events.iter().copied() {
        let (tenant, entity) = {
            let event = &world.events.borrow()[event];
            (event.tenant, event.entity)
        };
        if scope == Scope::Type || scope == Scope::Entity(entity) {
            for Interest { connection, group, form } in world.interests.page(tenant, scope, page) {
                match group {
                    _ if !form.matches(entity) => {}
                    None => audience.add(world, Recipient { event, members: vec![connection] }),
                    Some(group) => match groups.iter_mut().find(|(other, of)| *other == group && of.event == event) {
                        Some((_, recipient)) => recipient.members.push(connection),
                        None => groups.push((group, Recipient { event, members: vec![connection] })),
                    },
                }
            }
        }
    }
    groups.into_iter().for_each(|(_, recipient)| audience.add(world, recipient));
}

impl Audience {
    fn add(&self, world: &World, recipient: Recipient) {
        if !self.known.borrow().contains(&recipient) {
            self.known.borrow_mut().push(recipient.clone());
            self.found.borrow_mut().push_back(recipient);
            self.changed.open(&world.schedule);
        }
    }
}
