//! The subscriptions of one stream and the requests about them, without I/O.
//!
//! Invariants:
//! - `accepted` holds the subscriptions that the server has accepted. The field changes only by an answer of the server, or in a
//!   stream without a connection.
//! - Requests take effect in their order. At most one is under way, because a server may handle two messages of one
//!   connection at the same time, and the later of two that concern the same name has to win.
//! - A connection opens with `accepted` and the first `opening` requests. Requests that come later wait until it has
//!   subscribed, so that the URL and the first message of a connection always agree.
//! - A connection asks for past events either for all subscriptions that it opens with, or for none. A request for other past
//!   events waits like one that comes later.
//! - A request leaves the set exactly once: it is accepted, is refused, or was part of what a connection opened with.

use std::collections::{BTreeSet, VecDeque};

use entity_stream_protocol::{Action, ErrorCode, RequestId, Since, Subscription, SubscriptionName};
use tokio::time::Instant;

use crate::subscription_limits::{InvalidSubscriptions, check, subscribe};
use crate::subscription_request::SubscriptionRequest;

/// The most attempts of a message that the server cannot serve at the moment.
const ATTEMPTS: u32 = 4;

/// The subscriptions of one stream.
#[derive(Debug)]
pub(crate) struct SubscriptionSet {
    accepted: Vec<Subscription>,
    /// The names of those that begin with a snapshot.
    snapshots: BTreeSet<SubscriptionName>,
    requests: VecDeque<SubscriptionRequest>,
    /// The number of requests that the connection, or the attempt to open one, began with.
    opening: usize,
    /// The id of the message of the first request, while it is under way.
    under_way: Option<RequestId>,
    /// True if the server has accepted the first half of the first request, a [`SubscriptionRequest::Replace`].
    is_half_done: bool,
    /// The number of times that the server could not serve the first request.
    failures: u32,
    /// The number of messages so far, which tells their answers apart.
    messages: u64,
}

/// The result of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AcceptedMessage {
    /// The request, if it is done. Otherwise it needs one more message.
    pub(crate) done: Option<SubscriptionRequest>,
    /// The names of the subscriptions that begin with a snapshot now.
    pub(crate) begun: BTreeSet<SubscriptionName>,
    /// True if the message asked for past events.
    pub(crate) has_asked: bool,
}

impl SubscriptionSet {
    /// A stream that begins with these subscriptions.
    pub(crate) fn new(accepted: Vec<Subscription>) -> Self {
        Self {
            accepted,
            snapshots: BTreeSet::new(),
            requests: VecDeque::new(),
            opening: 0,
            under_way: None,
            is_half_done: false,
            failures: 0,
            messages: 0,
        }
    }

    /// The subscriptions with which the connection opens.
    pub(crate) fn at_opening(&self) -> Vec<Subscription> {
        self.after(self.opening)
    }

    /// Begins these subscriptions with a snapshot.
    pub(crate) fn begin_with_snapshots(&mut self, names: BTreeSet<SubscriptionName>) {
        self.snapshots = names;
    }

    /// The names of the subscriptions with which the connection opens that begin with a snapshot.
    pub(crate) fn snapshots_at_opening(&self) -> BTreeSet<SubscriptionName> {
        let mut names = self.snapshots.clone();
        self.requests.iter().take(self.opening).for_each(|request| request.apply_to_snapshots(&mut names));
        names
    }

    /// The names of the subscriptions that the requests with which the connection opens begin with a snapshot.
    pub(crate) fn new_snapshots_at_opening(&self) -> BTreeSet<SubscriptionName> {
        let requests = self.requests.iter().take(self.opening);
        requests.flat_map(SubscriptionRequest::begins_with_snapshot).collect()
    }

    /// The names of the subscriptions that the requests with which the connection opens add. A subscription that takes the place
    /// of another is not among them, and neither is one that asks for past events of its own.
    pub(crate) fn added_at_opening(&self) -> BTreeSet<SubscriptionName> {
        let requests = self.requests.iter().take(self.opening).filter(|request| request.past().is_none());
        let added = requests.flat_map(SubscriptionRequest::added);
        let is_new = |added: &&Subscription| self.accepted.iter().all(|accepted| accepted.name != added.name);
        added.filter(is_new).map(|added| added.name.clone()).collect()
    }

    /// The names of the subscriptions after all requests.
    pub(crate) fn names(&self) -> Vec<SubscriptionName> {
        self.after(self.requests.len()).into_iter().map(|subscription| subscription.name).collect()
    }

    /// True if the stream has, or will have, a subscription after all requests.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.after(self.requests.len()).is_empty()
    }

    /// True if the server has no subscription of the stream, and no request waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.accepted.is_empty() && self.requests.is_empty()
    }

    /// The subscriptions after the first requests.
    fn after(&self, requests: usize) -> Vec<Subscription> {
        let mut subscriptions = self.accepted.clone();
        self.requests.iter().take(requests).for_each(|request| request.apply(&mut subscriptions));
        subscriptions
    }

    /// Returns whether a request is possible after those that wait.
    ///
    /// # Errors
    /// [`InvalidSubscriptions`] if the connection cannot have the subscriptions, or lacks the one to remove.
    pub(crate) fn check(&self, request: &SubscriptionRequest) -> Result<(), InvalidSubscriptions> {
        let mut subscriptions = self.after(self.requests.len());
        let lacks = |name: &&SubscriptionName| !subscriptions.iter().any(|subscription| subscription.name == **name);
        if let Some(missing) = request.removes().filter(lacks) {
            return Err(InvalidSubscriptions::NotSubscribed(missing.clone()));
        }
        match request {
            // Both are there for a moment.
            SubscriptionRequest::Replace { new, .. } => {
                let mut both = subscriptions.clone();
                SubscriptionRequest::Subscribe(vec![Subscription::clone(new)]).apply(&mut both);
                check(&both)?;
            }
            request => check(request.added())?,
        }
        request.apply(&mut subscriptions);
        check(&subscriptions)
    }

    /// Takes a request. A request that adds nothing needs no message.
    pub(crate) fn push(&mut self, request: SubscriptionRequest) {
        use SubscriptionRequest::{Replace, Unsubscribe};
        if matches!(&request, Replace { .. } | Unsubscribe(_)) || !request.added().is_empty() {
            self.requests.push_back(request);
        }
    }

    /// The attempt to open a connection begins. `is_cautious`: the server could not serve the last first message. The connection
    /// then opens with the subscriptions that the server has accepted before, and new subscriptions follow by themselves.
    pub(crate) fn open(&mut self, is_cautious: bool) {
        let most = if is_cautious { usize::from(self.accepted.is_empty()) } else { usize::MAX };
        let since = |request: &SubscriptionRequest| request.past().map(|past| past.since().clone());
        let first = if self.accepted.is_empty() { self.requests.front().and_then(since) } else { None };
        self.opening = self.requests.iter().take(most).take_while(|request| since(request) == first).count();
    }

    /// The past events for which the requests that the connection opens with ask.
    pub(crate) fn since_at_opening(&self, now: Instant) -> Option<Since> {
        let first = self.requests.front().filter(|_| self.opening > 0)?;
        first.past().map(|past| past.at(now))
    }

    /// True if the next message asks for past events.
    pub(crate) fn asks_next(&self) -> bool {
        self.under_way.is_none() && self.requests.front().is_some_and(|request| request.past().is_some())
    }

    /// The connection has subscribed to all it opened with.
    pub(crate) fn opened(&mut self) {
        (self.accepted, self.snapshots) = (self.at_opening(), self.snapshots_at_opening());
        self.requests.drain(..self.opening);
        self.opening = 0;
    }

    /// Returns whether the program still wants one of these subscriptions, or one that takes the place of one of them.
    pub(crate) fn is_any_wanted(&self, names: &BTreeSet<SubscriptionName>) -> bool {
        let mut wanted = names.clone();
        for request in &self.requests {
            match request {
                SubscriptionRequest::Replace { old, new, .. } if wanted.remove(old) => {
                    wanted.insert(new.name.clone());
                }
                SubscriptionRequest::Unsubscribe(name) => {
                    wanted.remove(name);
                }
                _ => {}
            }
        }
        !wanted.is_empty()
    }

    /// All requests take effect without the server, which has no connection of the stream.
    pub(crate) fn settle(&mut self) {
        self.opening = self.requests.len();
        self.opened();
    }

    /// The connection, or the attempt to open one, ended. A request that was under way takes effect with the next connection.
    pub(crate) fn lost(&mut self) {
        (self.opening, self.under_way, self.is_half_done, self.failures) = (0, None, false, 0);
    }

    /// Gives up the request that an attempt to open a connection was refused for: the one that adds this subscription.
    pub(crate) fn give_up(&mut self, at_fault: &SubscriptionName) -> Option<SubscriptionRequest> {
        let index = self.requests.iter().take(self.opening).rposition(|request| request.adds(at_fault))?;
        self.opening -= 1;
        self.requests.remove(index)
    }

    /// Gives up the last request of an attempt to open a connection. `None` if the connection opened with no request.
    pub(crate) fn give_up_last(&mut self) -> Option<SubscriptionRequest> {
        self.opening = self.opening.checked_sub(1)?;
        self.requests.remove(self.opening)
    }

    /// Gives up a subscription that the server has accepted before: the one at fault, or else the only one. `None` if there is no such
    /// one, or the stream would have none any more.
    pub(crate) fn give_up_restored(&mut self, at_fault: Option<&SubscriptionName>) -> Option<Subscription> {
        let only = (self.accepted.len() == 1).then_some(0);
        let named = at_fault.map(|name| self.accepted.iter().position(|accepted| accepted.name == *name));
        let index = named.unwrap_or(only)?;
        let given_up = self.accepted.remove(index);
        if !self.is_wanted() {
            self.accepted.insert(index, given_up);
            return None;
        }
        self.snapshots.remove(&given_up.name);
        Some(given_up)
    }

    /// Gives up the request whose message is under way. `None` if none is.
    pub(crate) fn give_up_message(&mut self) -> Option<SubscriptionRequest> {
        self.under_way.take()?;
        self.take_first()
    }

    /// The first request is over.
    fn take_first(&mut self) -> Option<SubscriptionRequest> {
        (self.is_half_done, self.failures) = (false, 0);
        self.requests.pop_front()
    }

    /// The next message to send. `None` if no request waits, or one is under way.
    pub(crate) fn next_message(&mut self, now: Instant) -> Option<(Action, RequestId)> {
        if self.under_way.is_some() {
            return None;
        }
        let action = match self.requests.front()? {
            request @ SubscriptionRequest::Replace { new, .. } if !self.is_half_done => {
                subscribe(vec![Subscription::clone(new)], request.begins_with_snapshot(), None)?
            }
            SubscriptionRequest::Replace { old: name, .. } | SubscriptionRequest::Unsubscribe(name) => {
                Action::Unsubscribe { subscription: name.clone() }
            }
            request => {
                let since = request.past().map(|past| past.at(now));
                subscribe(request.added().to_vec(), request.begins_with_snapshot(), since)?
            }
        };
        self.messages += 1;
        let request_id = RequestId::parse(format!("request-{}", self.messages)).ok()?;
        self.under_way = Some(request_id.clone());
        Some((action, request_id))
    }

    /// Returns whether this is the id of the message under way.
    pub(crate) fn awaits(&self, request_id: Option<&RequestId>) -> bool {
        request_id.is_some() && self.under_way.as_ref() == request_id
    }

    /// Returns whether the message under way removes a subscription.
    pub(crate) fn is_removing(&self) -> bool {
        let is_unsubscribe = matches!(self.requests.front(), Some(SubscriptionRequest::Unsubscribe(_)));
        self.under_way.is_some() && (self.is_half_done || is_unsubscribe)
    }

    /// The server accepted the message under way. `None` if there is none.
    pub(crate) fn accept(&mut self) -> Option<AcceptedMessage> {
        self.under_way.take()?;
        let request = self.requests.front()?;
        let begun = if self.is_half_done { BTreeSet::new() } else { request.begins_with_snapshot() };
        let has_asked = request.past().is_some();
        match request {
            SubscriptionRequest::Replace { new, .. } if request.removes().is_some() && !self.is_half_done => {
                let added = vec![Subscription::clone(new)];
                SubscriptionRequest::Subscribe(added).apply(&mut self.accepted);
                self.snapshots.remove(&new.name);
                self.snapshots.extend(begun.iter().cloned());
                (self.is_half_done, self.failures) = (true, 0);
                Some(AcceptedMessage { done: None, begun, has_asked })
            }
            request => {
                request.apply(&mut self.accepted);
                request.apply_to_snapshots(&mut self.snapshots);
                Some(AcceptedMessage { done: self.take_first(), begun, has_asked })
            }
        }
    }

    /// The server refused a message because the connection has asked for past events too recently. Returns true if the client
    /// sends it once more.
    pub(crate) fn can_ask_again(&mut self) -> bool {
        self.failures == 0 && self.requests.front().is_some_and(|request| request.past().is_some()) && self.can_retry()
    }

    /// The names of the subscriptions that the server has accepted.
    pub(crate) fn accepted_names(&self) -> Vec<SubscriptionName> {
        self.accepted.iter().map(|accepted| accepted.name.clone()).collect()
    }

    /// The server could not serve the message under way. Returns true if the client sends the message again.
    pub(crate) fn can_retry(&mut self) -> bool {
        self.under_way = None;
        self.failures += 1;
        self.failures < ATTEMPTS
    }

    /// The server could not serve the removal that the first request is, or ends with. For the program it is done. Returns the name to
    /// remove, and the request.
    pub(crate) fn postpone_removal(&mut self) -> Option<(SubscriptionName, SubscriptionRequest)> {
        let request = self.requests.front()?;
        let name = request.removes()?.clone();
        request.apply(&mut self.accepted);
        request.apply_to_snapshots(&mut self.snapshots);
        Some((name, self.take_first()?))
    }

    /// The server refused the first request, which is given up. Returns the request.
    pub(crate) fn refuse(&mut self, code: &ErrorCode) -> Option<SubscriptionRequest> {
        self.under_way = None;
        let request = self.take_first()?;
        if let (ErrorCode::NotSubscribed, Some(name)) = (code, request.removes()) {
            // The server does not have the subscription either.
            self.accepted.retain(|subscription| subscription.name != *name);
            self.snapshots.remove(name);
        }
        Some(request)
    }
}

#[cfg(test)]
mod tests;
