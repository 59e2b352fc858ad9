//! Which past events a connection gets after a change of its subscriptions, and in which form. No I/O.
//!
//! Invariant: an event is replayed if and only if one of the wishes has it, once for each view of the subscriptions that want it.
//! A wish for what the client missed begins at its position; a wish for the moment of an exchange begins where a reader of an
//! audience may have found neither the former nor the new subscription, and wants only what both select.

use entity_stream_connections::{Change, Connection};
use entity_stream_history::{Epoch, PastEvent, PastReading, PastRequest, Timing};
use entity_stream_protocol::{
    ChangeFacts, EpochMillis, Filter, MessageForm, NotRecovered, Selection, Since, Subscription, SubscriptionName, View,
};

/// The past events that a connection gets.
#[derive(Debug)]
pub(crate) struct PastWishes {
    wishes: Vec<Wish>,
    requests: Vec<PastRequest>,
    /// What the client asked for.
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
}

#[derive(Debug)]
struct PastFilter {
    whole: Selection,
    /// For events whose data is not known. They are too large to be delivered with it, so a client has to read the entity anyway.
    without_data: Selection,
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
        timing: Timing,
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
                filters: filters.into_iter().map(PastFilter::new).collect(),
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

    /// Returns whether an event counts towards the limit of those that a client may have missed. The overlap does not: it holds
    /// mostly repeats, and their number follows the rate of events and not the client's absence.
    pub(crate) fn counts(&self, past: &PastEvent) -> bool {
        self.missed.is_none_or(|missed| !missed.is_overlap(past.at))
    }

    /// The readings after the interests of the connection were written, at this time.
    pub(crate) fn registered(&self, now: EpochMillis) -> PastReadings {
        PastReadings(self.requests.iter().map(|request| request.registered(now)).collect())
    }

    /// The messages with which an event is replayed; none if no wish has it.
    pub(crate) fn messages(&self, past: &PastEvent) -> Vec<String> {
        let facts = ChangeFacts::new(past.event.change());
        let mut forms: Vec<MessageForm> = Vec::new();
        for wish in self.wishes.iter().filter(|wish| wish.has(past, &facts)) {
            let form = match forms.iter_mut().find(|form| form.view == wish.view) {
                Some(form) => form,
                None => {
                    let (format, view) = (self.connection.format, wish.view.clone());
                    forms.push(MessageForm { format, view, subscriptions: Vec::new() });
                    let last = forms.len() - 1;
                    &mut forms[last]
                }
            };
            // A subscription can have two wishes.
            if self.is_named && !form.subscriptions.contains(&wish.subscription) {
                form.subscriptions.push(wish.subscription.clone());
            }
        }
        forms.iter().map(|form| past.event.message(form)).collect()
    }
}

impl Wish {
    fn has(&self, past: &PastEvent, facts: &ChangeFacts<'_>) -> bool {
        let selects = |filter: &PastFilter| {
            let selection = if past.event.is_left_out() { &filter.without_data } else { &filter.whole };
            selection.matches(facts)
        };
        past.at >= self.from && self.filters.iter().all(selects)
    }
}

impl PastFilter {
    fn new(filter: &Filter) -> Self {
        Self { whole: Selection::new(filter.clone()), without_data: Selection::new(filter.without_data()) }
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
