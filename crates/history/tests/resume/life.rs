//! The lives of a client: it connects, subscribes, acts, drops, and comes back, until everything is quiet.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use entity_stream_protocol::EpochMillis;

use crate::client::{Client, Role};
use crate::mutation::Mutation;
use crate::subscribing::{Asked, Subscribe, subscribe, sync};
use crate::subscription::{Form, Forms};
use crate::world::World;

/// Connections of one client, before it stays.
const LIVES: usize = 12;
/// A client that is not answered for this long comes back.
const PATIENCE: Duration = Duration::from_secs(120);

/// The choices of a client that last for a schedule.
pub(crate) struct Habits {
    /// The forms of its subscriptions.
    pub(crate) forms: [Form; 2],
    pub(crate) has_two: bool,
    /// It begins with the events of so many seconds.
    pub(crate) rewinds: Option<u32>,
}

/// A connection of a client.
struct Line<'a> {
    world: &'a Rc<World>,
    client: &'a Client,
    connection: usize,
    opened: EpochMillis,
    /// The connection before it, which the client closes when this one is answered.
    former: Cell<Option<usize>>,
}

/// How a connection ends for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client comes back.
    Dropped,
    /// The client opens another connection first.
    Rotated,
    /// Everything is quiet, and the client is registered.
    Quiet,
}

pub(crate) async fn live(world: Rc<World>, client: Rc<Client>, mut habits: Habits) {
    let chance = &world.chance;
    let mut former = None;
    for number in 0.. {
        world.schedule.sleep(chance.small()).await;
        let connection = world.gateway.open(client.tenant, world.now());
        let opened = world.clock(world.gateway_skew);
        let line = Line { world: &world, client: &client, connection, opened, former: former.into() };
        let end = line.last(&mut habits, number).await;
        line.drop_former();
        former = (end == End::Rotated).then_some(connection);
        match end {
            End::Quiet => return,
            End::Rotated => {}
            End::Dropped => {
                drop_connection(&world, &client, connection);
                let is_brief = world.is_quiet.get() || chance.percent(60);
                world.schedule.sleep(if is_brief { chance.small() } else { chance.below(world.theme.away) }).await;
            }
        }
    }
}

/// Drops a connection. API Gateway learns of it sometime, and may then forget it.
fn drop_connection(world: &Rc<World>, client: &Client, connection: usize) {
    let chance = &world.chance;
    client.receive(world, connection);
    world.note(|| format!("client {} leaves connection {connection} with {:?}", client.id, client.place(0)));
    let known = if chance.percent(70) { chance.small() } else { chance.below(120_000) };
    world.gateway.drop(connection, world.now().plus(Duration::from_millis(known)));
    if chance.percent(80) {
        let world = Rc::clone(world);
        world.clone().schedule.spawn(async move {
            world.schedule.sleep(known).await;
            world.interests.forget(connection);
        });
    }
}

impl Line<'_> {
    fn drop_former(&self) {
        if let Some(former) = self.former.take() {
            drop_connection(self.world, self.client, former);
        }
    }

    /// Lasts until the connection ends.
    async fn last(&self, habits: &mut Habits, number: usize) -> End {
        let Self { world, client, connection, .. } = *self;
        let chance = &world.chance;
        let mut resumes_later = self.subscribe_first(habits);
        let begin = world.now();
        let age = || world.now().since(begin);
        let is_early = client.role == Role::Mover && client.place(1).is_none();
        let life = match is_early {
            true => chance.below(1_500),
            false if chance.percent(25) => chance.small(),
            false => chance.below(world.theme.life),
        };
        let life = Duration::from_millis(life);
        let stays = client.role == Role::Steady || number >= LIVES;
        let mut synced_at_quiet = None;
        loop {
            let step = self.step();
            let left = u64::try_from(life.saturating_sub(age()).as_millis()).unwrap();
            world.schedule.sleep(if stays || world.is_quiet.get() { step } else { step.min(left) }).await;
            if let Some(former) = self.former.get() {
                client.receive(world, former);
            }
            client.receive(world, connection);
            if client.is_answered() {
                self.drop_former();
            }
            if !world.gateway.is_open(connection) || client.is_unregistered() {
                return End::Dropped;
            }
            if !stays && !world.is_quiet.get() && age() >= life {
                let rotates = client.role == Role::Rotator && client.is_answered();
                return if rotates { End::Rotated } else { End::Dropped };
            }
            if !client.is_answered() && age() > PATIENCE {
                return End::Dropped;
            }
            if world.is_quiet.get() {
                match synced_at_quiet {
                    Some(before) if client.synced() > before => return End::Quiet,
                    None if client.is_answered() => {
                        synced_at_quiet = Some(client.synced());
                        self.sync();
                    }
                    // No answer came.
                    Some(_) if age() > PATIENCE && chance.percent(5) => return End::Dropped,
                    Some(_) | None => {}
                }
            }
            if let Some(asked) = resumes_later.filter(|_| client.has_answer(0) && chance.percent(10)) {
                resumes_later = None;
                self.subscribe([None, Some(habits.forms[1])], asked);
            }
            self.act(habits);
        }
    }

    /// The milliseconds until the client looks at its connection again.
    fn step(&self) -> u64 {
        let chance = &self.world.chance;
        let brief = if self.client.role == Role::Exchanger { 70 } else { 30 };
        if chance.percent(brief) { chance.small() } else { chance.below(8_000) }
    }

    /// Subscribes as the role does. Returns the later request of the second subscription.
    fn subscribe_first(&self, habits: &Habits) -> Option<Asked> {
        let client = self.client;
        let [first, second] = habits.forms;
        let resume = |name: usize| client.place(name).map(|(place, session)| Asked::Since(place, session));
        let first_time = habits.rewinds.map_or(Asked::Nothing, Asked::Seconds);
        let (wanted, now, asked, later): (Forms, Forms, Asked, Option<Asked>) = match client.role {
            Role::Member => ([Some(first), None], [Some(first), None], Asked::Nothing, None),
            Role::Mover => match (resume(0), resume(1)) {
                (_, None) => ([None, Some(second)], [None, Some(second)], first_time, None),
                (None, Some(_)) if self.world.is(Mutation::SecondMove) => {
                    ([Some(first), None], [Some(first), None], Asked::Nothing, None)
                }
                (None, later) => ([Some(first), Some(second)], [Some(first), None], Asked::Nothing, later),
                (Some(Asked::Since(one, session)), Some(Asked::Since(other, same))) if session == same => (
                    [Some(first), Some(second)],
                    [Some(first), Some(second)],
                    Asked::Since(one.min(other), session),
                    None,
                ),
                (Some(asked), later) => ([Some(first), Some(second)], [Some(first), None], asked, later),
            },
            _ => {
                let forms = [Some(first), habits.has_two.then_some(second)];
                (forms, forms, resume(0).unwrap_or(first_time), None)
            }
        };
        client.begin(wanted);
        self.subscribe(now, asked);
        later
    }

    fn subscribe(&self, forms: Forms, asked: Asked) {
        let Self { world, client, connection, opened, .. } = *self;
        world.note(|| format!("client {} on connection {connection} subscribes to {forms:?}, {asked:?}", client.id));
        let group = (client.role == Role::Member).then_some(0);
        let request =
            Subscribe { number: client.request(), connection, tenant: client.tenant, opened, forms, group, asked };
        world.schedule.spawn(subscribe(Rc::clone(world), request));
    }

    fn sync(&self) {
        self.world.schedule.spawn(sync(Rc::clone(self.world), self.connection));
    }

    /// Something that a client does while it is connected.
    fn act(&self, habits: &mut Habits) {
        let Self { world, client, connection, .. } = *self;
        let chance = &world.chance;
        if !world.is_quiet.get() && chance.percent(world.theme.stalls) {
            world.gateway.stall(connection, world.now().plus(Duration::from_millis(chance.below(40_000))));
        }
        if !client.is_answered() || world.is_quiet.get() {
            return;
        }
        if client.role == Role::Exchanger && chance.percent(40) {
            let form = habits.forms[0].other();
            habits.forms[0] = form;
            client.exchange(connection, 0, form);
            self.subscribe([Some(form), None], Asked::Nothing);
        } else if chance.percent(world.theme.syncs) {
            self.sync();
        }
    }
}
