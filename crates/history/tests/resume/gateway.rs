//! A model of API Gateway and of the network behind it. A connection delivers in order; a connection that ends loses what is
//! still under way. API Gateway may take messages for a dropped connection for a while, and lose them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use entity_stream_protocol::EpochMillis;

use crate::message::Message;
use crate::subscription::Form;
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The client is gone, and API Gateway does not know it until this time.
    Unknown(EpochMillis),
    Closed,
}

#[derive(Debug)]
struct Link {
    tenant: u8,
    state: State,
    slow_until: EpochMillis,
    last_arrival: EpochMillis,
    inbox: VecDeque<(EpochMillis, Message)>,
    /// The forms that its subscriptions ever had.
    forms: Vec<Form>,
}

/// The answer to a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    Accepted,
    /// 410.
    Gone,
    /// An error, or no answer in time.
    Failed,
}

#[derive(Default)]
pub(crate) struct Gateway {
    links: RefCell<Vec<Link>>,
}

impl Gateway {
    pub(crate) fn open(&self, tenant: u8, now: EpochMillis) -> usize {
        let mut links = self.links.borrow_mut();
        let inbox = VecDeque::new();
        let state = State::Open;
        links.push(Link { tenant, state, slow_until: now, last_arrival: now, inbox, forms: Vec::new() });
        links.len() - 1
    }

    pub(crate) fn is_open(&self, connection: usize) -> bool {
        self.links.borrow()[connection].state == State::Open
    }

    pub(crate) fn allow(&self, connection: usize, form: Form) {
        self.links.borrow_mut()[connection].forms.push(form);
    }

    /// The client stops to read until this time.
    pub(crate) fn stall(&self, connection: usize, until: EpochMillis) {
        self.links.borrow_mut()[connection].slow_until = until;
    }

    /// The messages that have arrived until now.
    pub(crate) fn take(&self, connection: usize, now: EpochMillis) -> Vec<(EpochMillis, Message)> {
        let mut links = self.links.borrow_mut();
        let inbox = &mut links[connection].inbox;
        let count = inbox.iter().take_while(|(arrival, _)| *arrival <= now).count();
        inbox.drain(..count).collect()
    }

    /// The connection ends for its client; API Gateway learns of it at this time.
    pub(crate) fn drop(&self, connection: usize, known: EpochMillis) {
        let mut links = self.links.borrow_mut();
        let link = &mut links[connection];
        link.inbox.clear();
        if link.state == State::Open {
            link.state = State::Unknown(known);
        }
    }

    fn close(&self, connection: usize, now: EpochMillis) {
        let mut links = self.links.borrow_mut();
        let link = &mut links[connection];
        link.inbox.retain(|(arrival, _)| *arrival <= now);
        link.state = State::Closed;
    }

    fn accept(&self, connection: usize, message: Message, (now, transit): (EpochMillis, u64)) -> Posted {
        let mut links = self.links.borrow_mut();
        let link = &mut links[connection];
        match link.state {
            State::Unknown(until) if now < until => Posted::Accepted,
            State::Unknown(_) | State::Closed => Posted::Gone,
            State::Open if now < link.slow_until => Posted::Failed,
            State::Open => {
                let arrival = link.last_arrival.max(now.plus(std::time::Duration::from_millis(transit)));
                link.last_arrival = arrival;
                link.inbox.push_back((arrival, message));
                Posted::Accepted
            }
        }
    }

    /// Returns whether an event of this tenant and entity may come over the connection.
    pub(crate) fn may_receive(&self, connection: usize, tenant: u8, entity: u8) -> bool {
        let link = &self.links.borrow()[connection];
        link.tenant == tenant && link.forms.iter().any(|form| form.matches(entity))
    }
}

/// `POST @connections`, which takes at most this many milliseconds.
pub(crate) async fn post(world: &World, connection: usize, message: Message, time_out: u64) -> Posted {
    world.check_message(connection, &message);
    let chance = &world.chance;
    let time = chance.up_to(time_out);
    let accepted = chance.below(time + 1);
    world.schedule.sleep(accepted).await;
    let posted = world.gateway.accept(connection, message, (world.now(), chance.up_to(2000)));
    if posted == Posted::Failed || chance.trouble(20) {
        // An error, or an answer that comes too late.
        world.schedule.sleep(chance.one_of(&[time, time_out]) - accepted.min(time)).await;
        return Posted::Failed;
    }
    world.schedule.sleep(time - accepted).await;
    posted
}

/// `DELETE @connections`. Returns whether it was answered 204 or 410 within this many milliseconds.
pub(crate) async fn delete(world: &Rc<World>, connection: usize, time_out: u64) -> bool {
    let chance = &world.chance;
    if chance.trouble(300) {
        world.schedule.sleep(time_out).await;
        if chance.percent(30) {
            world.gateway.close(connection, world.now());
        }
        return false;
    }
    world.schedule.sleep(chance.up_to(time_out)).await;
    world.gateway.close(connection, world.now());
    true
}
