//! One invocation of `broadcast`: writes the events, hands a part on, reads the audience, and delivers.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use entity_stream_history::EventAttempt;
use entity_stream_protocol::EpochMillis;

use crate::attempt::{Attempt, Crash, pause, step};
use crate::audience::{Audience, pages, read_page, read_permitted};
use crate::bus::{Job, hand_on};
use crate::delivery::deliver;
use crate::mutation::Mutation;
use crate::world::World;

#[derive(Debug)]
pub(crate) struct Invocation {
    /// All attempts of an invocation have the same request id.
    pub(crate) id: u64,
    pub(crate) number: usize,
    pub(crate) job: Job,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
}

/// Deliveries at the same time.
const WORKERS: usize = 2;
/// Continuations of a job.
const DEPTH: u8 = 3;

pub(crate) async fn run(world: &Rc<World>, invocation: Invocation, first_written: &mut Option<EpochMillis>) -> Outcome {
    let chance = &world.chance;
    let instance = &world.broadcasters[usize::try_from(chance.below(3)).unwrap()];
    let now = world.clock(instance.skew);
    let Invocation { id, number, mut job } = invocation;
    let hashes = job.hashes.clone();
    let is_new = |event: &usize| !instance.knows(&(*event, hashes.clone()), id, now);
    job.events = job.events.iter().copied().filter(is_new).collect();
    if job.events.is_empty() {
        world.note(|| format!("attempt {number} of {id:x} is a repeat"));
        return Outcome::Succeeded;
    }
    world.note(|| {
        format!("attempt {number} of {id:x} delivers {:?} to {:?}, skew {}", job.events, job.hashes, instance.skew)
    });
    let remember = |now: EpochMillis| {
        job.events.iter().for_each(|event| instance.remember((*event, job.hashes.clone()), id, now));
    };
    if world.is(Mutation::RecentTooEarly) {
        remember(now);
    }
    let crash = if number < 2 && chance.trouble(150) { u32::try_from(chance.below(30)).unwrap() } else { u32::MAX };
    let steps_until_crash = Rc::new(Cell::new(crash));
    let result = attempt(world, job.clone(), instance.skew, first_written, &steps_until_crash).await;
    let outcome = match result {
        Ok(true) => Outcome::Succeeded,
        Ok(false) => Outcome::Failed,
        Err(Crash) => {
            instance.restart();
            Outcome::Failed
        }
    };
    world.note(|| format!("attempt {number} of {id:x} {result:?}"));
    if outcome == Outcome::Succeeded {
        remember(world.clock(instance.skew));
    }
    outcome
}

async fn attempt(
    world: &Rc<World>,
    job: Job,
    skew: i64,
    first_written: &mut Option<EpochMillis>,
    steps_until_crash: &Rc<Cell<u32>>,
) -> Result<bool, Crash> {
    let audience = Rc::new(Audience::default());
    if world.is(Mutation::AudienceFirst) {
        for page in pages(world, &job.hashes) {
            read_page(world, &job, &page, &audience).await;
        }
    }
    pause(world).await;
    let unwritten = EventAttempt::begin(world.timing, world.clock(skew));
    pause(world).await;
    step(steps_until_crash)?;
    let written = (world, job.clone());
    let attempt = Attempt::written(written, skew, unwritten, first_written, Rc::clone(steps_until_crash)).await;
    attempt.step()?;
    let attempt = Rc::new(attempt);
    let mut hashes = job.hashes.clone();
    if job.depth < DEPTH && world.chance.percent(world.theme.splits) {
        let middle = world.chance.within(hashes.start..hashes.end);
        give_away(&attempt, middle..hashes.end).await;
        hashes.end = middle;
        attempt.step()?;
    }
    for _ in 0..WORKERS {
        audience.workers.set(audience.workers.get() + 1);
        world.schedule.spawn(work(Rc::clone(&attempt), Rc::clone(&audience)));
    }
    let read = if world.is(Mutation::AudienceFirst) { Ok(()) } else { read(&attempt, &hashes, &audience).await };
    audience.is_read.set(true);
    audience.changed.open(&world.schedule);
    while audience.workers.get() > 0 {
        audience.changed.wait(&world.schedule).await;
    }
    read?;
    attempt.step()?;
    Ok(attempt.succeeds())
}

/// Hands a range on. If the bus may not have taken it, the attempt fails.
async fn give_away(attempt: &Attempt, hashes: Range<u64>) {
    let Job { events, depth, .. } = attempt.job.clone();
    attempt.world.note(|| format!("events {events:?} to {hashes:?} are handed on"));
    if !hand_on(&attempt.world, Job { events, hashes, depth: depth + 1 }).await {
        attempt.has_failed.set(true);
    }
}

async fn read(attempt: &Attempt, hashes: &Range<u64>, audience: &Audience) -> Result<(), Crash> {
    let world = &attempt.world;
    for page in pages(world, hashes) {
        read_permitted(attempt, &page, audience).await?;
        world.schedule.sleep(world.chance.below(world.theme.between_pages)).await;
        pause(world).await;
        let rest = page.end..hashes.end;
        if attempt.job.depth < DEPTH && !rest.is_empty() && world.chance.percent(3) {
            give_away(attempt, rest).await;
            break;
        }
    }
    Ok(())
}

/// Delivers the matches, one recipient after the other.
async fn work(attempt: Rc<Attempt>, audience: Rc<Audience>) {
    let schedule = &attempt.world.schedule;
    loop {
        let next = audience.found.borrow_mut().pop_front();
        match next {
            Some(recipient) => {
                pause(&attempt.world).await;
                if deliver(&attempt, &recipient).await.is_err() {
                    break;
                }
            }
            None if audience.is_read.get() => break,
            None => audience.changed.wait(schedule).await,
        }
    }
    audience.workers.set(audience.workers.get() - 1);
    audience.changed.open(schedule);
}
