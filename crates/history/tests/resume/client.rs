//! The knowledge of a client: the events that it received, its place in the history, and the promises made to it.

use std::cell::RefCell;

use entity_stream_protocol::EpochMillis;

use crate::message::{Answer, Message, Verdict};
use crate::mutation::Mutation;
use crate::past_table::Place;
use crate::subscription::{Form, Forms, Published};
use crate::world::World;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Drops and resumes.
    Resumer,
    /// Never drops by itself.
    Steady,
    /// Resumes on a new connection before it closes the old one.
    Rotator,
    /// Exchanges its subscription for another while it is connected.
    Exchanger,
    /// Has one subscription; comes back, opens another one first, and resumes the earlier one later.
    Mover,
    /// A member of a group.
    Member,
}

pub(crate) struct Client {
    pub(crate) id: usize,
    pub(crate) tenant: u8,
    pub(crate) role: Role,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// A bit for each event.
    received: u64,
    /// Its subscriptions. Those without an answer on this connection are not answered yet.
    wanted: Forms,
    answered: [bool; 2],
    /// The greatest position of each subscription, and its session.
    places: [Option<(Place, u64)>; 2],
    /// Since when each subscription is promised.
    promised: [Option<EpochMillis>; 2],
    /// Every form of each subscription since it was promised.
    forms: [Vec<Form>; 2],
    is_unregistered: bool,
    /// The connections on which each subscription was answered: their positions count.
    committed: Vec<usize>,
    requests: usize,
    synced: usize,
}

impl Client {
    pub(crate) fn new(id: usize, tenant: u8, role: Role) -> Self {
        Self { id, tenant, role, state: RefCell::default() }
    }

    /// The client has a new connection, on which it wants these subscriptions.
    pub(crate) fn begin(&self, wanted: Forms) {
        let mut state = self.state.borrow_mut();
        state.answered = [false; 2];
        state.is_unregistered = false;
        for (forms, wanted) in state.forms.iter_mut().zip(wanted) {
            forms.extend(wanted.filter(|form| !forms.contains(form)));
        }
        state.wanted = wanted;
    }

    /// The client gives a subscription another form.
    pub(crate) fn exchange(&self, connection: usize, name: usize, form: Form) {
        let mut state = self.state.borrow_mut();
        state.wanted[name] = Some(form);
        // An event before the answer does not count as a position: an event may have been missed in the exchange.
        state.answered[name] = false;
        state.committed.retain(|other| *other != connection);
        if !state.forms[name].contains(&form) {
            state.forms[name].push(form);
        }
    }

    /// The number of a new request. Only its answer counts.
    pub(crate) fn request(&self) -> usize {
        let mut state = self.state.borrow_mut();
        state.requests += 1;
        state.requests
    }

    /// The place at which a subscription resumes.
    pub(crate) fn place(&self, name: usize) -> Option<(Place, u64)> {
        self.state.borrow().places[name]
    }

    /// Returns whether each subscription is answered on this connection.
    pub(crate) fn is_answered(&self) -> bool {
        let state = self.state.borrow();
        (0..2).all(|name| state.answered[name] || state.wanted[name].is_none())
    }

    pub(crate) fn has_answer(&self, name: usize) -> bool {
        self.state.borrow().answered[name]
    }

    /// The connection is not registered any more.
    pub(crate) fn is_unregistered(&self) -> bool {
        self.state.borrow().is_unregistered
    }

    /// The number of `synced` answers.
    pub(crate) fn synced(&self) -> usize {
        self.state.borrow().synced
    }

    pub(crate) fn has(&self, event: usize) -> bool {
        self.state.borrow().received & 1 << event != 0
    }

    /// Returns whether a subscription was promised the event.
    pub(crate) fn is_promised(&self, event: &Published) -> bool {
        let state = self.state.borrow();
        (0..2).any(|name| {
            let is_since = state.promised[name].is_some_and(|since| event.at > since);
            is_since && state.forms[name].iter().all(|form| form.matches(event.entity))
        })
    }

    /// Reads the messages that arrived over the connection.
    pub(crate) fn receive(&self, world: &World, connection: usize) {
        for (at, message) in world.gateway.take(connection, world.now()) {
            match message {
                Message::Event { event, place } => {
                    self.state.borrow_mut().received |= 1 << event;
                    if let Some(place) = place {
                        self.commit(world, connection, place);
                    }
                }
                Message::Synced { place } => {
                    self.state.borrow_mut().synced += 1;
                    self.commit(world, connection, place);
                }
                Message::NotConnected => self.state.borrow_mut().is_unregistered = true,
                Message::Subscribed(answer) => self.answer(world, (connection, at), &answer),
            }
        }
    }

    /// Keeps a position, if it is the greatest and each subscription has been answered on its connection.
    fn commit(&self, world: &World, connection: usize, place: Place) {
        if self.state.borrow().committed.contains(&connection) || world.is(Mutation::EarlyCommit) {
            for (known, _) in self.state.borrow_mut().places.iter_mut().flatten() {
                *known = place.max(*known);
            }
        }
    }

    fn answer(&self, world: &World, (connection, at): (usize, EpochMillis), answer: &Answer) {
        world.note(|| format!("client {} is answered {:?} at {}", self.id, answer.verdicts, answer.place.0.millis()));
        let mut state = self.state.borrow_mut();
        if answer.request != state.requests {
            return;
        }
        for name in 0..2 {
            let Some(verdict) = &answer.verdicts[name] else { continue };
            state.answered[name] = true;
            let since = match verdict {
                Verdict::FromNow | Verdict::NotRecovered => at,
                Verdict::Since(since) => *since,
                Verdict::Recovered => continue,
            };
            state.promised[name] = Some(since);
            state.forms[name] = state.wanted[name].into_iter().collect();
        }
        let is_whole = (0..2).all(|name| state.answered[name] || state.wanted[name].is_none());
        if is_whole {
            state.committed.push(connection);
        }
        for name in (0..2).filter(|_| is_whole) {
            if state.wanted[name].is_some() {
                let known = state.places[name].map_or(answer.place, |(known, _)| known.max(answer.place));
                state.places[name] = Some((known, answer.session));
            }
        }
    }
}
