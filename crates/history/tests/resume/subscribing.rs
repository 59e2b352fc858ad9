//! The requests of clients, as `default` answers them.

use std::rc::Rc;
use std::time::Duration;

use entity_stream_history::{CLOCK_SKEW, PastReading, PastRequest};
use entity_stream_protocol::{EpochMillis, NotRecovered, Position, Session, Since};

use crate::gateway::{Posted, post};
use crate::instances::Reader;
use crate::interests::{Registration, hash_of};
use crate::message::{Answer, Message, Verdict};
use crate::mutation::Mutation;
use crate::past_table::{PastItem, Place};
use crate::reading::{Unreadable, read};
use crate::subscription::{Form, Forms};
use crate::truth;
use crate::world::World;

/// The content of a `subscribe`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Nothing,
    /// Resume from a place in a session.
    Since(Place, u64),
    /// Rewind by so many seconds.
    Seconds(u32),
}

/// A `subscribe` that concerns the subscriptions with a form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscribe {
    pub(crate) number: usize,
    pub(crate) connection: usize,
    pub(crate) tenant: u8,
    /// The time of its opening, by the clock of API Gateway.
    pub(crate) opened: EpochMillis,
    pub(crate) forms: Forms,
    pub(crate) group: Option<usize>,
    pub(crate) asked: Asked,
}

/// The time-out of a POST.
const POST: u64 = 3000;

/// Past events that a part of a connection's subscriptions needs.
struct Need {
    /// The mistake that forgets it.
    forgotten_by: Option<Mutation>,
    request: PastRequest,
    names: [bool; 2],
    /// The forms that an event has to match.
    forms: [Vec<Form>; 2],
}

pub(crate) async fn subscribe(world: Rc<World>, subscribe: Subscribe) {
    let Subscribe { number, connection, tenant, opened, forms, group, asked } = subscribe;
    world.schedule.sleep(world.chance.small()).await;
    let reader = &world.readers[usize::try_from(world.chance.below(2)).unwrap()];
    let clock = || world.clock(reader.skew);
    let now = clock();
    let asked_at = world.now();
    let former = world.interests.find(connection);
    let request = past_request(&world, asked, now);
    let session = match asked {
        Asked::Since(_, session) if !world.is(Mutation::NewHash) => session,
        _ => former.as_ref().map_or(connection as u64, |former| former.session),
    };
    let hash = hash_of(world.hash_salt, group.map_or(session, |group| u64::MAX - group as u64));
    let mut all = former.as_ref().map_or([None, None], |former| former.forms);
    let mut needs = Vec::new();
    if let Some(Ok(request)) = request {
        let own = forms.map(|form| form.into_iter().collect());
        needs.push(Need { forgotten_by: None, request, names: forms.map(|form| form.is_some()), forms: own });
    }
    if let Some(former) = &former {
        needs.extend(needs_of_change(&world, former, (&forms, hash), opened, now));
    }
    for (slot, form) in all.iter_mut().zip(forms) {
        *slot = form.or(*slot);
    }
    forms.iter().flatten().for_each(|form| world.gateway.allow(connection, *form));
    let early =
        if world.is(Mutation::HistoryFirst) { Some(read_all(&world, reader, tenant, &needs, now).await) } else { None };
    // One transaction.
    let times = world.chance.write(2000);
    let has_asked = former.as_ref().is_some_and(|former| former.has_asked) || !matches!(asked, Asked::Nothing);
    let registration = Registration { connection, tenant, session, hash, has_asked, forms: all, group };
    if let Some(after) = times.stored.filter(|after| *after <= times.known) {
        world.schedule.sleep(after).await;
        world.interests.put(registration);
        world.note(|| format!("connection {connection} registers {all:?} at {hash:x}"));
        world.schedule.sleep(times.known - after).await;
    } else {
        world.schedule.sleep(times.known).await;
    }
    if !times.is_ok {
        return;
    }
    let now = clock();
    let readings: Vec<PastReading> = needs.iter().map(|need| need.request.registered(now)).collect();
    let read = match early {
        Some(early) => early,
        None => read_all(&world, reader, tenant, &needs, clock()).await,
    };
    let verdicts = needs.iter().zip(&readings).zip(&read).map(|((need, reading), read)| {
        let verdict = judge(&world, reading, need, read);
        if let Err(reason) = &verdict {
            world.note(|| format!("connection {connection} is refused past events: {reason}"));
        }
        truth::check_verdict(&world, need.request.from(), &verdict, read.is_err());
        verdict
    });
    let verdicts: Vec<_> = verdicts.collect();
    let mut answer = Answer { request: number, place: (now, 0), session, verdicts: [None, None] };
    for (verdict, form) in answer.verdicts.iter_mut().zip(forms) {
        *verdict = form.map(|_| match &request {
            Some(Err(_)) => Verdict::NotRecovered,
            _ => Verdict::FromNow,
        });
    }
    for (need, verdict) in needs.iter().zip(&verdicts) {
        for name in 0..2 {
            if need.names[name] {
                answer.verdicts[name] = Some(match (verdict, asked) {
                    (Err(_), _) => Verdict::NotRecovered,
                    (Ok(_), Asked::Seconds(seconds)) => {
                        Verdict::Since(asked_at.minus(Duration::from_secs(seconds.into())))
                    }
                    (Ok(_), _) => Verdict::Recovered,
                });
            }
        }
    }
    for item in verdicts.into_iter().flatten().flatten() {
        let message = Message::Event { event: item.event, place: Some(item.place) };
        world.note(|| format!("replays event {} to connection {connection}", item.event));
        if !send(&world, connection, message).await {
            return;
        }
    }
    send(&world, connection, Message::Subscribed(answer)).await;
}

fn past_request(world: &World, asked: Asked, now: EpochMillis) -> Option<Result<PastRequest, NotRecovered>> {
    let since = match asked {
        Asked::Nothing => return None,
        Asked::Seconds(seconds) => Since::Seconds { seconds },
        Asked::Since((at, salt), session) => {
            let session = Session::parse(session.to_string()).unwrap();
            Since::Position { position: Position::new(at, salt), session }
        }
    };
    Some(PastRequest::since(&since, world.timing, now))
}

/// The past that other subscriptions need if the connection moves to another hash, and a subscription that is exchanged.
fn needs_of_change(
    world: &World,
    former: &Registration,
    (forms, hash): (&Forms, u64),
    opened: EpochMillis,
    now: EpochMillis,
) -> Option<Need> {
    let mut names = [false; 2];
    let is_moved = former.hash != hash;
    for name in 0..2 {
        names[name] = match (former.forms[name], forms[name]) {
            (Some(_), None) => is_moved,
            (Some(old), Some(new)) => !is_moved && old != new,
            (None, _) => false,
        };
    }
    let (for_move, for_exchange) = if world.is(Mutation::FromOpening) {
        (opened.plus(CLOCK_SKEW), opened.plus(world.timing.attempt + CLOCK_SKEW))
    } else {
        (opened, opened)
    };
    let (request, mistake) = if is_moved {
        (PastRequest::of_life(for_move), Mutation::MoveWithoutReplay)
    } else {
        let request = PastRequest::of_exchange(for_exchange, world.timing, now);
        let request = if former.has_asked { request } else { request.not_before(opened) };
        (request, Mutation::ExchangeWithoutReplay)
    };
    let both = |name: usize| former.forms[name].into_iter().chain(forms[name]).collect();
    let forgotten_by = Some(mistake);
    names.contains(&true).then(|| Need { forgotten_by, request, names, forms: [both(0), both(1)] })
}

async fn read_all(
    world: &World,
    reader: &Reader,
    tenant: u8,
    needs: &[Need],
    now: EpochMillis,
) -> Vec<Result<Vec<PastItem>, Unreadable>> {
    let mut all = Vec::new();
    for need in needs {
        all.push(read(world, reader, tenant, need.request.from(), now).await);
    }
    all
}

/// The events to replay, or the reason why there are none.
fn judge(
    world: &World,
    reading: &PastReading,
    need: &Need,
    read: &Result<Vec<PastItem>, Unreadable>,
) -> Result<Vec<PastItem>, NotRecovered> {
    if need.forgotten_by.is_some() && need.forgotten_by == world.mutation {
        return Ok(Vec::new());
    }
    reading.judge(Some(&world.epoch))?;
    let Ok(items) = read else { return Err(NotRecovered::Unavailable) };
    let events = world.events.borrow();
    let matches = |item: &&PastItem| {
        let entity = events[item.event].entity;
        let name = |name: usize| need.names[name] && need.forms[name].iter().all(|form| form.matches(entity));
        name(0) || name(1)
    };
    let items: Vec<_> = items.iter().filter(matches).copied().collect();
    if items.len() > world.most_replayed { Err(NotRecovered::TooMany) } else { Ok(items) }
}

/// Posts a message until the connection has it. Returns whether it has.
async fn send(world: &World, connection: usize, message: Message) -> bool {
    for _ in 0..4 {
        match post(world, connection, message.clone(), POST).await {
            Posted::Accepted => return true,
            Posted::Gone => return false,
            Posted::Failed => world.schedule.sleep(world.chance.small()).await,
        }
    }
    false
}

/// Answers `sync`: the position first, then the registration.
pub(crate) async fn sync(world: Rc<World>, connection: usize) {
    world.schedule.sleep(world.chance.small()).await;
    let reader = &world.readers[usize::try_from(world.chance.below(2)).unwrap()];
    let place = (world.clock(reader.skew), 0);
    world.schedule.sleep(world.chance.up_to(1000)).await;
    let is_registered = world.interests.find(connection).is_some();
    send(&world, connection, if is_registered { Message::Synced { place } } else { Message::NotConnected }).await;
}
