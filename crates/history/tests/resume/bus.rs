//! A model of EventBridge and of Lambda's retries.

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use crate::interests::HASHES;
use crate::invocation::{self, Invocation, Outcome};
use crate::subscription::Published;
use crate::world::World;

/// Events on their way to the audience in a range of hashes.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) events: Rc<[usize]>,
    pub(crate) hashes: Range<u64>,
    /// How often the events were handed on.
    pub(crate) depth: u8,
}

/// Invocations of a job before it goes to the dead-letter queue.
const ATTEMPTS: usize = 3;

/// Publishes events of a tenant at some time from now.
pub(crate) fn publish(world: &Rc<World>, tenant: u8, count: usize, after: u64) {
    let at = world.now().plus(Duration::from_millis(after));
    let mut events = world.events.borrow_mut();
    let first = events.len();
    for _ in 0..count {
        let entity = if world.chance.percent(50) { 1 } else { 2 };
        events.push(Published { tenant, entity, at, is_excused: false.into() });
    }
    let job = Job { events: (first..first + count).collect(), hashes: 0..HASHES, depth: 0 };
    let latency = if world.chance.percent(5) { world.chance.below(30_000) } else { world.chance.small() };
    invoke(world, job, after + latency);
}

/// Puts a continuation on the bus. Returns whether the bus took it.
pub(crate) async fn hand_on(world: &Rc<World>, job: Job) -> bool {
    let chance = &world.chance;
    world.schedule.sleep(chance.small()).await;
    let (is_taken, is_known) = if chance.trouble(50) { (chance.percent(50), false) } else { (true, true) };
    if is_taken {
        let wait = if chance.percent(50) { chance.small() } else { chance.below(600_000) };
        invoke(world, job, wait);
    }
    is_known
}

fn invoke(world: &Rc<World>, job: Job, after: u64) {
    if world.chance.percent(8) {
        let later = after + world.chance.below(70_000);
        world.pending.set(world.pending.get() + 1);
        world.schedule.spawn(serve(Rc::clone(world), job.clone(), later));
    }
    world.pending.set(world.pending.get() + 1);
    world.schedule.spawn(serve(Rc::clone(world), job, after));
}

/// Lambda's attempts: the first, and two more after one and three minutes.
async fn serve(world: Rc<World>, job: Job, after: u64) {
    let id = world.chance.any();
    let mut first_written = None;
    let mut wait = after;
    for number in 0..ATTEMPTS {
        world.schedule.sleep(wait).await;
        let invocation = Invocation { id, number, job: job.clone() };
        match invocation::run(&world, invocation, &mut first_written).await {
            Outcome::Succeeded => break,
            Outcome::Failed if number + 1 == ATTEMPTS => {
                world.note(|| format!("events {:?} go to the dead-letter queue", job.events));
                let events = world.events.borrow();
                job.events.iter().for_each(|event| events[*event].is_excused.set(true));
            }
            Outcome::Failed => {}
        }
        wait = 60_000 * (number as u64 + 1) + world.chance.below(5_000);
    }
    world.pending.set(world.pending.get() - 1);
}
