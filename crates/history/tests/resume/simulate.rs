//! One schedule: a world, its events and its clients, from a seed.

use std::rc::Rc;

use crate::bus::publish;
use crate::client::{Client, Role};
use crate::life::{Habits, live};
use crate::mutation::Mutation;
use crate::subscription::Form;
use crate::truth::lost;
use crate::world::World;

/// The promise was broken.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) reason: String,
    pub(crate) trace: Vec<String>,
}

/// Runs the schedule of a seed to its end. Returns the number of steps.
pub(crate) fn simulate(seed: u64, mutation: Option<Mutation>, is_traced: bool) -> Result<u64, Broken> {
    let world = Rc::new(World::new(seed, mutation, is_traced));
    let chance = &world.chance;
    let theme = &world.theme;
    let mut left = chance.within(3..16);
    while left > 0 {
        let count = if chance.percent(80) { 1 } else { chance.within(1..4).min(left) };
        left -= count;
        let tenant = u8::from(chance.percent(10));
        publish(&world, tenant, usize::try_from(count).unwrap(), chance.below(theme.span));
    }
    let clients: Vec<_> = (0..usize::try_from(chance.within(1..theme.clients + 1)).unwrap())
        .map(|id| Rc::new(Client::new(id, u8::from(chance.percent(10)), chance.one_of(theme.roles))))
        .collect();
    for client in &clients {
        let client = Rc::clone(client);
        let later = Rc::clone(&world);
        let after = chance.below(5_000);
        let habits = habits(&world, client.role);
        world.schedule.spawn(async move {
            later.schedule.sleep(after).await;
            live(later, client, habits).await;
        });
    }
    world.schedule.spawn(quieten(Rc::clone(&world)));
    let steps = world.schedule.run();
    let broken = world.violation.borrow().clone().or_else(|| {
        let mut lost = clients.iter().filter_map(|client| Some((client, lost(&world, client)?)));
        lost.next().map(|(client, event)| {
            let at = world.events.borrow()[event].at;
            format!("client {} ({:?}) never receives event {event} of {}", client.id, client.role, at.millis())
        })
    });
    broken.map_or(Ok(steps), |reason| Err(Broken { reason, trace: world.trace() }))
}

fn habits(world: &World, role: Role) -> Habits {
    let chance = &world.chance;
    let form = || if chance.percent(70) { Form::Type } else { Form::One };
    // What the second subscription of a mover resumes has to be less than what the first one may miss.
    let forms = if role == Role::Mover { [Form::Type, Form::One] } else { [form(), form()] };
    Habits {
        forms,
        has_two: chance.percent(20),
        rewinds: chance.percent(15).then(|| u32::try_from(chance.within(1..120)).unwrap()),
    }
}

/// Waits until no event is on its way.
async fn quieten(world: Rc<World>) {
    while world.pending.get() > 0 {
        world.schedule.sleep(5_000).await;
    }
    // Messages under way, and writes that are late.
    world.schedule.sleep(60_000).await;
    world.note(|| "quiet".to_owned());
    world.is_quiet.set(true);
}
