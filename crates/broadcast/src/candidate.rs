use std::sync::Arc;

use entity_stream_connections::{Interest, Want};
use entity_stream_protocol::SubscriptionName;

use crate::matched::{Matched, union};
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
    /// The events that pass, and those with which their entity leaves; not both empty.
    pub(crate) matched: Matched,
}

impl Match {
    pub(crate) fn new(want: Want, matched: Matched) -> Self {
        Self { subscription: want.subscription, view: want.view, matched }
    }
}

impl Candidate {
    /// The indices of the events that match, in ascending order.
    pub(crate) fn events(&self) -> Arc<[usize]> {
        let [first, others @ ..] = self.matches.as_slice() else { return Arc::default() };
        others.iter().fold(first.matched.all(), |events, other| union(&events, &other.matched.all()))
    }

    /// Keeps only the events that `serves` selects.
    pub(crate) fn retain(&mut self, serves: impl Fn(usize) -> bool) {
        for Match { matched: Matched { passing, leaving }, .. } in &mut self.matches {
            for events in [passing, leaving] {
                if !events.iter().all(|event| serves(*event)) {
                    *events = events.iter().copied().filter(|event| serves(*event)).collect();
                }
            }
        }
        self.matches.retain(|each| !each.matched.is_empty());
    }

    /// Adds what another interest of the same connection matches. If a subscription changed between the two, either version of its
    /// filter is enough for an event.
    pub(crate) fn merge(&mut self, other: Self) {
        for each in other.matches {
            match self.matches.iter_mut().find(|known| known.subscription == each.subscription) {
                Some(known) => {
                    let Matched { passing, leaving } = &mut known.matched;
                    *passing = union(passing, &each.matched.passing);
                    *leaving = union(leaving, &each.matched.leaving);
                }
                None => self.matches.push(each),
            }
        }
        self.interest.is_named |= other.interest.is_named;
    }

    /// The forms of an event for the connection: one for each view of the subscriptions that it matches, and one for all that its
    /// entity leaves.
    pub(crate) fn forms(&self, event: usize) -> Vec<Form> {
        let mut forms = Vec::<Form>::with_capacity(1);
        for each in &self.matches {
            let has_left = match &each.matched {
                Matched { passing, .. } if passing.contains(&event) => false,
                Matched { leaving, .. } if leaving.contains(&event) => true,
                _ => continue,
            };
            let view = if has_left { "" } else { &each.view };
            let form = match forms.iter().position(|form| form.view == view && form.has_left == has_left) {
                Some(index) => &mut forms[index],
                None => {
                    let view = view.to_owned();
                    forms.push(Form { format: self.interest.format, view, subscriptions: Vec::new(), has_left });
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
