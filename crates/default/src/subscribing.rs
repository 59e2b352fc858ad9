//! Handles `subscribe` and `snapshot`.

use std::collections::BTreeSet;
use std::time::Duration;

use entity_stream_connections::Connection;
use entity_stream_history::HistoryError;
use entity_stream_protocol::{
    Answer, ClientMessage, ErrorCode, NotRecovered, Recovery, SnapshotToken, Subscribe, Subscription, SubscriptionName,
};
use entity_stream_runtime::Caller;
use tokio::time::{Instant, timeout_at};

use crate::handler::DefaultRoute;
use crate::refusal::refuse;
use crate::replay::{Replay, Subscribing};
use crate::reply::Reply;
use crate::snapshot::{Snapshot, SnapshotPart};
use crate::state_fault::note_fault;

/// The part of the time of a message after which neither the history nor states are read. A change of subscriptions is answered
/// although they are not.
const READING_TIME: Duration = Duration::from_secs(11);

const NO_STATES: &str =
    "wholeEntity, showChanges and snapshot need entity state, which this service does not keep; leave them out";
const NO_SNAPSHOT_FOR_GROUPS: &str =
    "a member of a group cannot ask for a snapshot; leave out snapshot, or connect without group_id";

impl DefaultRoute {
    /// Adds subscriptions, and finds the messages before the answer: past events, and the entities that match.
    pub(crate) async fn subscribe(
        &self,
        caller: &Caller,
        message: &ClientMessage,
        Subscribe { subscriptions, snapshots, since }: &Subscribe,
    ) -> Option<Reply> {
        let (until, began) = (Instant::now() + READING_TIME, self.clock.now());
        let (asked, since) = (subscriptions.as_slice(), since.as_ref());
        let has_no_states = self.states.is_none() && asked.iter().any(follows_states);
        if has_no_states || !snapshots.is_empty() {
            let connection = match self.authorised(caller, message, began).await {
                Ok(connection) => connection,
                Err(refusal) => return Some(refusal.into()),
            };
            let text = match connection.group {
                _ if self.states.is_none() => Some(NO_STATES),
                Some(_) => Some(NO_SNAPSHOT_FOR_GROUPS),
                None => None,
            };
            if let Some(text) = text {
                return Some(Answer::Error(message.reject(ErrorCode::NotAvailable, text)).into());
            }
        }
        let change = match self.table.subscribe(&caller.connection_id, asked, since, began).await {
            Ok(change) => change,
            Err(error) => return Some(refuse(message, &error).into()),
        };
        let connection = &change.after;
        if !self.acknowledges(message, connection) && since.is_none() && snapshots.is_empty() {
            return None;
        }
        let has_turn = since.is_some() || !snapshots.is_empty();
        let subscribing = Subscribing {
            change: &change,
            subscriptions: asked,
            since,
            began,
            states: self.states.as_ref(),
            turns: (!has_turn).then_some(&self.readings),
        };
        let mut replay = match &self.history {
            Some(history) => Some(Replay::read(history, &self.clock, subscribing, until).await),
            None => None,
        };
        // A client that has everything needs no snapshot.
        let has_everything =
            replay.as_ref().is_some_and(|replay| matches!(replay.recovery, Some(Recovery::Recovered { .. })));
        let part = if snapshots.is_empty() || has_everything {
            None
        } else {
            Some(self.first_part(connection, snapshots, until).await)
        };
        if let (Some(replay), Some(part)) = (&mut replay, &part) {
            replay.make_room_for(part.frames.len());
        }
        let (mut frames, position, recovery, turn) = match replay {
            Some(Replay { frames, position, recovery, turn }) => (frames, Some(position), recovery, turn),
            None => (Vec::new(), None, since.map(|_| Recovery::NotRecovered(NotRecovered::Unavailable)), None),
        };
        let (snapshot, snapshot_next) = match part {
            Some(SnapshotPart { frames: of_snapshot, entities, next }) => {
                frames.extend(of_snapshot);
                (Some(entities), next)
            }
            None => (None, None),
        };
        // The members of a group have no place of their own in the history.
        let is_member = connection.group.is_some();
        let answer = |recovery| Answer::Subscribed {
            subscriptions: subscriptions.clone(),
            session: position.as_ref().filter(|_| !is_member).map(|_| connection.session()),
            position: position.clone().filter(|_| !is_member),
            recovery,
            snapshot,
            snapshot_next: snapshot_next.clone(),
            request_id: message.request_id.clone(),
        };
        // A client that has asked for nothing may get a part of the moment of the exchange, and then goes on.
        let is_exchange = since.is_none() && snapshots.is_empty() && !frames.is_empty();
        let late_answer = is_exchange.then(|| answer(Some(Recovery::NotRecovered(NotRecovered::TooMany))));
        let reply = Reply::after(frames, answer(recovery), connection);
        Some(Reply { late_answer, turn, ..reply })
    }

    /// The first part of a snapshot. If it cannot be read, it is empty, and the client asks for the next one.
    async fn first_part(
        &self,
        connection: &Connection,
        subscriptions: &BTreeSet<SubscriptionName>,
        until: Instant,
    ) -> SnapshotPart {
        let Some(states) = &self.states else { return SnapshotPart::default() };
        let now = self.clock.now();
        let snapshot = || Snapshot::begin(states, connection, subscriptions.clone(), now);
        match timeout_at(until, snapshot().read(now)).await {
            Ok(Ok(part)) => part,
            Ok(Err(error)) => {
                note_fault(&error);
                snapshot().unread()
            }
            Err(_) => snapshot().unread(),
        }
    }

    /// Reads the next part of a snapshot.
    pub(crate) async fn snapshot(&self, caller: &Caller, message: &ClientMessage, next: &SnapshotToken) -> Reply {
        let until = Instant::now() + READING_TIME;
        let now = self.clock.now();
        let connection = match self.authorised(caller, message, now).await {
            Ok(connection) => connection,
            Err(refusal) => return refusal.into(),
        };
        let Some(states) = &self.states else {
            return Answer::Error(message.reject(ErrorCode::NotAvailable, NO_STATES)).into();
        };
        if connection.group.is_some() {
            return Answer::Error(message.reject(ErrorCode::NotAvailable, NO_SNAPSHOT_FOR_GROUPS)).into();
        }
        let Ok(snapshot) = Snapshot::resume(states, &connection, next) else {
            let text = "next does not belong to the present subscriptions; subscribe again with snapshot";
            return Answer::Error(message.reject(ErrorCode::InvalidSnapshotToken, text)).into();
        };
        let error = match timeout_at(until, snapshot.read(now)).await {
            Ok(Ok(SnapshotPart { frames, entities, next })) => {
                let request_id = message.request_id.clone();
                let answer = Answer::Snapshot { snapshot: entities, snapshot_next: next, request_id };
                return Reply::after(frames, answer, &connection);
            }
            Ok(Err(error)) => error,
            Err(_) => HistoryError::TimedOut { operation: "BatchGetItem" },
        };
        note_fault(&error);
        Answer::Error(message.reject(ErrorCode::Internal, "the entities could not be read; try again")).into()
    }
}

/// True if the subscription needs the state of an entity.
fn follows_states(subscription: &Subscription) -> bool {
    subscription.view.shows_whole_entity() || subscription.view.shows_changes()
}
