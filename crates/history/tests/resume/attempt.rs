//! One attempt of `broadcast` to deliver events: writes them into the history and asks the machine for permits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use entity_stream_history::{EventAttempt, Permit, UnwrittenAttempt};
use entity_stream_protocol::EpochMillis;

use crate::bus::Job;
use crate::mutation::Mutation;
use crate::past_table::{PastItem, Place, SHARDS};
use crate::schedule::Gate;
use crate::world::World;

/// The functions of the former deployment are gone this long before the history counts.
const FORMER: Duration = Duration::from_secs(5);

/// The process ended in the middle of an attempt.
#[derive(Debug)]
pub(crate) struct Crash;

pub(crate) struct Attempt {
    pub(crate) world: Rc<World>,
    pub(crate) job: Job,
    pub(crate) skew: i64,
    machine: RefCell<EventAttempt>,
    /// The place of each event, if the history has it.
    places: RefCell<Option<Vec<Place>>>,
    is_renewing: Cell<bool>,
    renewed: Gate,
    steps_until_crash: Rc<Cell<u32>>,
    /// It is one of a deployment without a history.
    is_former: bool,
    pub(crate) has_failed: Cell<bool>,
}

impl Attempt {
    /// Writes the events, and begins the attempt.
    pub(crate) async fn written(
        (world, job): (&Rc<World>, Job),
        skew: i64,
        unwritten: UnwrittenAttempt,
        first_written: &mut Option<EpochMillis>,
        steps_until_crash: Rc<Cell<u32>>,
    ) -> Self {
        let is_former = world.now() < world.epoch.since.minus(FORMER) && world.chance.percent(50);
        let mut at = unwritten.at();
        let first = *first_written.get_or_insert(at);
        if world.is(Mutation::FirstPosition) {
            at = first;
        }
        let is_unwritten = world.is(Mutation::ContinuationUnwritten) && job.depth > 0;
        let places = match (is_former, is_unwritten) {
            (true, _) => None,
            (false, true) => Some(Vec::new()),
            (false, false) => write(world, &job, at).await,
        };
        let machine = unwritten.written(places.is_some()).into();
        Self {
            world: Rc::clone(world),
            job,
            skew,
            machine,
            places: places.into(),
            is_renewing: Cell::default(),
            renewed: Gate::default(),
            steps_until_crash,
            is_former,
            has_failed: Cell::default(),
        }
    }

    fn now(&self) -> EpochMillis {
        self.world.clock(self.skew)
    }

    /// The place of an event, if it is in the history.
    pub(crate) fn place(&self, event: usize) -> Option<Place> {
        let index = self.job.events.iter().position(|other| *other == event)?;
        self.places.borrow().as_ref()?.get(index).copied()
    }

    /// Waits until a step that takes at most this long may begin.
    pub(crate) async fn permit(&self, time: Duration) {
        let schedule = &self.world.schedule;
        loop {
            while self.is_renewing.get() {
                self.renewed.wait(schedule).await;
            }
            let permit = self.machine.borrow().permit(self.now(), time);
            if permit != Permit::Renew || self.world.is(Mutation::NoRenewal) {
                return;
            }
            self.is_renewing.set(true);
            let at = self.now();
            let places = write(&self.world, &self.job, at).await;
            if self.world.is(Mutation::LateRenewal) {
                self.machine.replace(EventAttempt::begin(self.world.timing, at).written(places.is_some()));
            } else {
                self.machine.borrow_mut().renewed(at, places.is_some());
            }
            self.places.replace(places);
            self.is_renewing.set(false);
            self.renewed.open(schedule);
        }
    }

    /// Ends here, if this is where the process ends.
    pub(crate) fn step(&self) -> Result<(), Crash> {
        let is_over = self.is_former && self.world.now() > self.world.epoch.since.minus(FORMER);
        if is_over { Err(Crash) } else { step(&self.steps_until_crash) }
    }

    pub(crate) fn succeeds(&self) -> bool {
        let is_written =
            self.machine.borrow().may_succeed() || self.is_former || self.world.is(Mutation::UnwrittenSucceeds);
        is_written && !self.has_failed.get()
    }
}

/// Counts a step of an attempt.
pub(crate) fn step(until_crash: &Cell<u32>) -> Result<(), Crash> {
    match until_crash.get() {
        0 => Err(Crash),
        u32::MAX => Ok(()),
        steps => {
            until_crash.set(steps - 1);
            Ok(())
        }
    }
}

/// A process that does not run for a while.
pub(crate) async fn pause(world: &World) {
    if world.chance.trouble(world.theme.pauses) {
        world.schedule.sleep(world.chance.below(30_000)).await;
    }
}

/// Writes the events at a time, each at a place of its own. `None` if one of them may be missing.
async fn write(world: &Rc<World>, job: &Job, at: EpochMillis) -> Option<Vec<Place>> {
    let time_out = u64::try_from(world.timing.write.as_millis()).unwrap();
    let mut places = Vec::with_capacity(job.events.len());
    let mut is_ok = true;
    let mut longest = 0;
    for event in job.events.iter().copied() {
        let place = (at, world.chance.any());
        let times = world.chance.write(time_out);
        let tenant = world.events.borrow()[event].tenant;
        let item = PastItem { tenant, shard: event as u8 % SHARDS, place, event };
        if let Some(after) = times.stored {
            store_later(world, item, after);
        }
        (is_ok, longest) = (is_ok && times.is_ok, longest.max(times.known));
        places.push(place);
    }
    world.schedule.sleep(longest).await;
    world.note(|| {
        format!(
            "events {:?} of {:?} {} at {}",
            job.events,
            job.hashes,
            if is_ok { "written" } else { "not written" },
            at.millis()
        )
    });
    is_ok.then_some(places)
}

fn store_later(world: &Rc<World>, item: PastItem, after: u64) {
    let world = Rc::clone(world);
    world.clone().schedule.spawn(async move {
        world.schedule.sleep(after).await;
        world.past.store(item);
        world.note(|| format!("the history has event {} at {}", item.event, item.place.0.millis()));
    });
}
