use std::sync::Arc;

use entity_stream_connections::{Interest, Want};
use entity_stream_protocol::SubscriptionName;

use crate::messages::Form;

/// An interest that events of the batch match.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) interest: Interest,
    /// The subscriptions that events match; never empty. Each name occurs once.
    pub(crate) matches: Vec<Match>,
}

/// A subscription that events match.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    pub(crate) subscription: SubscriptionName,
    /// The JSON of its view; empty for the default view.
    pub(crate) view: String,
    /// The indices of the events in ascending order; never empty. Subscriptions with the same filter share them.
    pub(crate) events: Arc<[usize]>,
}

impl Match {
    pub(crate) fn new(want: Want, events: Arc<[usize]>) -> Self {
        Self { subscription: want.subscription, view: want.view, events }
    }
}

impl Candidate {
    /// The indices of the events that match, in ascending order.
    pub(crate) fn events(&self) -> Arc<[usize]> {
        let mut events = Arc::clone(&self.matches[0].events);
        self.matches[1..].iter().for_each(|other| events = union(&events, &other.events));
        events
    }

    /// Keeps only the events that `serves` selects.
    pub(crate) fn retain(&mut self, serves: impl Fn(usize) -> bool) {
        for each in &mut self.matches {
            if !each.events.iter().all(|event| serves(*event)) {
                each.events = each.events.iter().copied().filter(|event| serves(*event)).collect();
            }
        }
        self.matches.retain(|each| !each.events.is_empty());
    }

    /// Adds what another interest of the same connection matches. If a subscription changed between the two, either version of its
    /// filter is enough for an event.
    pub(crate) fn merge(&mut self, other: Self) {
        for each in other.matches {
            match self.matches.iter_mut().find(|known| known.subscription == each.subscription) {
                Some(known) => known.events = union(&known.events, &each.events),
                None => self.matches.push(each),
            }
        }
        self.interest.is_named |= other.interest.is_named;
    }

    /// The forms of an event for the connection: one for each view of the subscriptions that it matches.
    pub(crate) fn forms(&self, event: usize) -> Vec<Form> {
        let mut forms = Vec::<Form>::with_capacity(1);
        for each in self.matches.iter().filter(|each| each.events.contains(&event)) {
            let form = match forms.iter().position(|form| form.view == each.view) {
                Some(index) => &mut forms[index],
                None => {
                    let view = each.view.clone();
                    forms.push(Form { format: self.interest.format, view, subscriptions: Vec::new() });
                    let last = forms.len() - 1;
                    &mut forms[last]
                }
            };
            if self.interest.is_named {
                form.subscriptions.push(each.subscription.clone());
            }
        }
        forms.iter_mut().for_each(|form| form.subscriptions.sort_unstable());
        forms
    }
}

fn union(some: &Arc<[usize]>, others: &Arc<[usize]>) -> Arc<[usize]> {
    if some == others {
        return Arc::clone(some);
    }
    let mut union = [&**some, &**others].concat();
    union.sort_unstable();
    union.dedup();
    union.into()
}
