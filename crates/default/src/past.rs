//! Which past events a connection gets after a change of its subscriptions, and in which form. No I/O.
//!
//! Invariant: an event is replayed if and only if one of the wishes has it, once for each view of the subscriptions that want it. A
//! subscription that follows the states of entities gets each entity that changed once instead, as it is now. The present state of
//! an entity is shown only if it has every change that is replayed.
//! A wish for what the client missed begins at its position; a wish for the moment of an exchange begins where a reader of an
//! audience may have found neither the former nor the new subscription, and wants only what both select.

use std::collections::HashMap;

use entity_stream_connections::{Change, Connection};
use entity_stream_history::{EntityKey, EntityState, Epoch, PastEvent, PastReading, PastRequest, Timing};
use entity_stream_protocol::{
    ChangeFacts, EpochMillis, Event, Filter, MessageForm, NotRecovered, Selection, Since, Subscription,
    SubscriptionName, Verdict, View,
};

use crate::current_entity::replay_of;
use crate::state_wish::StateWish;

/// The past events that a connection gets.
#[derive(Debug)]
pub(crate) struct PastWishes {
    wishes: Vec<Wish>,
    requests: Vec<PastRequest>,
    /// The client's request for missed events.
    missed: Option<PastRequest>,
    connection: Connection,
    is_named: bool,
}

/// A subscription's share of the past.
#[derive(Debug)]
struct Wish {
    subscription: SubscriptionName,
    view: View,
    from: EpochMillis,
    /// All of them have to select an event.
    filters: Vec<PastFilter>,
    /// The wish in its place, as far as the states of the entities are known.
    states: Option<StateWish>,
}

/// The states of entities that changed.
#[derive(Debug, Default)]
pub(crate) struct CurrentStates {
    states: HashMap<EntityKey, EntityState>,
    /// The last event of each entity.
    last: HashMap<EntityKey, String>,
}

#[derive(Debug)]
struct PastFilter {
    whole: Selection,
    /// For events whose data is not known. They are too large to be delivered with it, so a client has to read the entity anyway.
    without_data: Selection,
    /// For events that a former subscription was judged for by the whole entity, which is not known any more.
    without_query: Option<Selection>,
}

/// The readings of a history that are still to be judged.
#[derive(Debug)]
pub(crate) struct PastReadings(Vec<PastReading>);

impl PastWishes {
    /// The wishes of a connection after a change that began at `began`, in which a client may have asked for what it missed.
    ///
    /// # Errors
    /// If the place that the client names is not one of this service.
    pub(crate) fn after(
        change: &Change,
        (subscriptions, since): (&[Subscription], Option<&Since>),
        (timing, keeps_states): (Timing, bool),
        began: EpochMillis,
    ) -> Result<Self, NotRecovered> {
        let connection = change.after.clone();
        let missed = since.map(|since| PastRequest::since(since, timing, began)).transpose()?;
        let exchange = if change.has_moved() {
            PastRequest::of_life(connection.connected_at)
        } else {
            let exchange = PastRequest::of_exchange(connection.connected_at, timing, began);
            match change.before.resumed_at {
                Some(_) => exchange,
                None => exchange.not_before(connection.connected_at),
            }
        };
        let (mut wishes, mut requests) = (Vec::new(), Vec::new());
        let mut wish = |subscription: &Subscription, request: PastRequest, filters: Vec<&Filter>| {
            requests.push(request);
            wishes.push(Wish {
                subscription: subscription.name.clone(),
                view: subscription.view.clone(),
                from: request.from(),
                states: StateWish::new(subscription, &filters).filter(|_| keeps_states),
                filters: PastFilter::of_wish(&filters, keeps_states),
            });
        };
        for subscription in &connection.subscriptions {
            let is_asked_for = subscriptions.iter().any(|asked| asked.name == subscription.name);
            if let Some(missed) = missed.filter(|_| is_asked_for) {
                wish(subscription, missed, vec![&subscription.filter]);
            }
            // The members of a group share events as they come.
            if connection.group.is_none()
                && change.may_have_hidden(&subscription.name)
                && let Some(former) = change.before.subscription(&subscription.name)
            {
                wish(subscription, exchange, vec![&former.filter, &subscription.filter]);
            }
        }
        let is_named = connection.subscriptions.iter().any(|subscription| !subscription.name.is_default());
        Ok(Self { wishes, requests, missed, connection, is_named })
    }

    /// The first position that a wish reaches back to; `None` if there is no wish.
    pub(crate) fn from(&self) -> Option<EpochMillis> {
        self.requests.iter().map(PastRequest::from).min()
    }

    /// Returns whether an event counts towards the limit of those that a client may have missed. The overlap and the moment of an
    /// exchange do not: their number follows the rate of events and not the client's absence.
    pub(crate) fn counts(&self, past: &PastEvent) -> bool {
        self.missed.is_some_and(|missed| !missed.is_overlap(past.at))
    }

    /// The readings after the interests of the connection were written, at this time.
    pub(crate) fn registered(&self, now: EpochMillis) -> PastReadings {
        PastReadings(self.requests.iter().map(|request| request.registered(now)).collect())
    }

    /// Notes the entities that changed, as far as subscriptions follow their states. Returns their keys.
    pub(crate) fn note(&mut self, events: &[impl AsRef<PastEvent>]) -> Vec<EntityKey> {
        let mut keys = Vec::new();
        if self.wishes.iter().all(|wish| wish.states.is_none()) {
            return keys;
        }
        for past in events.iter().map(AsRef::as_ref) {
            let facts = ChangeFacts::new(past.event.change());
            let key = key_of(past);
            let mut is_wanted = false;
            for wish in self.wishes.iter_mut().filter(|wish| past.at >= wish.from) {
                is_wanted |= wish.states.as_mut().is_some_and(|states| states.note(past, &facts, &key));
            }
            if is_wanted {
                keys.push(key);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The messages with which an event is replayed; none if no wish has it.
    pub(crate) fn messages(&self, past: &PastEvent, current: &CurrentStates) -> Vec<String> {
        let key = if current.states.is_empty() { None } else { Some(key_of(past)) };
        let state = key.as_ref().and_then(|key| current.states.get(key));
        let is_last = key.as_ref().and_then(|key| current.last.get(key)).is_some_and(|last| last == past.event.id());
        let present = state.map(|state| replay_of(state, &self.connection.tenant, past.event.position()));
        let present_facts = present.as_ref().map(|present| ChangeFacts::new(present.change()));
        let facts = ChangeFacts::new(past.event.change());
        let (mut forms, mut unknown_forms, mut present_forms) = (Vec::new(), Vec::new(), Vec::new());
        for wish in &self.wishes {
            match (&wish.states, &key, &present_facts) {
                (Some(states), Some(key), Some(present)) => {
                    let is_known = state.is_some_and(|state| !state.is_too_large());
                    let verdict = if is_last { states.judge(key, present, is_known) } else { Verdict::Fails };
                    match verdict {
                        Verdict::Passes => self.add(&mut present_forms, wish, false),
                        Verdict::Leaves => self.add(&mut present_forms, wish, true),
                        Verdict::Fails => {}
                    }
                }
                _ if !wish.has(past, &facts) => {}
                (Some(_), _, _) => self.add(&mut unknown_forms, wish, false),
                (None, _, _) => self.add(&mut forms, wish, false),
            }
        }
        let published = forms.iter().map(|form| past.event.message(form));
        let unknown = (!unknown_forms.is_empty()).then(|| without_state(past));
        let unknown = unknown.iter().flat_map(|event| unknown_forms.iter().map(|form| event.message(form)));
        let present = present.iter().flat_map(|present| present_forms.iter().map(|form| present.message(form)));
        published.chain(unknown).chain(present).collect()
    }

    /// Adds a subscription to the forms of an event.
    fn add(&self, forms: &mut Vec<MessageForm>, wish: &Wish, has_left: bool) {
        let view = if has_left { View::default() } else { wish.view.clone() };
        let form = match forms.iter_mut().find(|form| form.view == view && form.has_left == has_left) {
            Some(form) => form,
            None => {
                forms.push(MessageForm { format: self.connection.format, view, subscriptions: Vec::new(), has_left });
                let last = forms.len() - 1;
                &mut forms[last]
            }
        };
        // A subscription can have two wishes.
        if self.is_named && !form.subscriptions.contains(&wish.subscription) {
            form.subscriptions.push(wish.subscription.clone());
        }
    }
}

impl CurrentStates {
    /// The states of the entities of these events, each of which is there once.
    ///
    /// # Errors
    /// [`NotRecovered::Unavailable`] if a state lacks a change: the change came while no states were kept, or could not be written,
    /// or the state is a copy of an earlier one.
    pub(crate) fn new(
        states: Vec<(EntityKey, EntityState)>,
        events: &[impl AsRef<PastEvent>],
    ) -> Result<Self, NotRecovered> {
        let states: HashMap<_, _> = states.into_iter().collect();
        let mut last = HashMap::new();
        for past in events.iter().map(AsRef::as_ref).filter(|_| !states.is_empty()) {
            let key = key_of(past);
            let Some(state) = states.get(&key) else { continue };
            if lacks(state, past) {
                return Err(NotRecovered::Unavailable);
            }
            last.insert(key, past.event.id().to_owned());
        }
        Ok(Self { states, last })
    }
}

/// Returns whether a state lacks the change of an event.
fn lacks(state: &EntityState, past: &PastEvent) -> bool {
    match past.event.revision() {
        Some(revision) => revision.version > state.version,
        None if !past.event.has_no_state() => true,
        // An entity that is too large has no state that lacks the change.
        None if state.is_too_large() => false,
        // The change could not be written. It is missing until it comes again, unless later changes have replaced all of it.
        None => {
            let arrival = EpochMillis::from_rfc3339(past.event.time()).unwrap_or(past.at);
            state.lacks(&past.event, arrival)
        }
    }
}

/// An event of an entity whose state is not known. A version would claim that it is.
fn without_state(past: &PastEvent) -> Event {
    let mut event = past.event.clone();
    event.set_without_state();
    event
}

fn key_of(past: &PastEvent) -> EntityKey {
    let change = past.event.change();
    EntityKey::new(&change.tenant, &change.entity_id, &change.service_path)
}

impl Wish {
    fn has(&self, past: &PastEvent, facts: &ChangeFacts<'_>) -> bool {
        let selects = |filter: &PastFilter| {
            let selection = match &filter.without_query {
                _ if past.event.is_left_out() => &filter.without_data,
                Some(without_query) if past.event.revision().is_some() => without_query,
                _ => &filter.whole,
            };
            selection.matches(facts)
        };
        past.at >= self.from && self.filters.iter().all(selects)
    }
}

impl PastFilter {
    /// The filters of a wish, the present one at the end.
    fn of_wish(filters: &[&Filter], keeps_states: bool) -> Vec<Self> {
        let last = filters.len().saturating_sub(1);
        let is_judged_by_state = |index| keeps_states && index < last;
        let of_filter = |(index, filter): (usize, &&Filter)| Self {
            whole: Selection::new((*filter).clone()),
            without_data: Selection::new(filter.without_data()),
            without_query: is_judged_by_state(index).then(|| Selection::new(filter.without_query())),
        };
        filters.iter().enumerate().map(of_filter).collect()
    }
}

impl PastReadings {
    /// Judges whether the history reaches back far enough for each wish.
    ///
    /// # Errors
    /// The reason why it does not.
    pub(crate) fn judge(&self, epoch: Option<&Epoch>) -> Result<(), NotRecovered> {
        self.0.iter().try_for_each(|reading| reading.judge(epoch))
    }
}
