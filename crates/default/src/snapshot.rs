//! The entities that match subscriptions now, in parts.
//!
//! Invariant: the parts of a snapshot together have each entity that matched from its beginning to its end, once for each view of the
//! subscriptions. The interests of the connection are written before the first part is read, and the state of an entity is written
//! before its event is delivered, so an entity that changes meanwhile comes as an event at least.
//!
//! The entities are read by the scopes of the subscriptions: ids, then types, in one order. An entity that several scopes have
//! counts at the first of them. So a place in this order is all that the next part needs, and the time of the beginning: an entity
//! that has changed since may have come to an earlier scope after that was read, so it counts here as well.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_connections::Connection;
use entity_stream_history::{EntityKey, EntityState, HistoryError, IndexPlace, StateTable};
use entity_stream_protocol::limits::{SNAPSHOT_BYTES, SNAPSHOT_ENTITIES};
use entity_stream_protocol::{
    ChangeFacts, EpochMillis, MessageForm, Selection, SnapshotToken, Subscription, SubscriptionName, pack_events,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::current_entity::snapshot_of;
use crate::snapshot_scopes::{SnapshotScope, SnapshotScopes};

/// The entities that are read at once.
const PAGE: i32 = 100;
/// The frames after which a part ends. Their delivery takes seconds.
const FRAMES: usize = 500;
/// The time after which a part ends.
const READING_TIME: Duration = Duration::from_secs(5);
/// The most by which a state can be written later than it says: the clocks of the functions differ, and a write takes time.
const WRITING: Duration = Duration::from_secs(60);
/// The time after which the choice of entities lets other tasks run.
const TURN: Duration = Duration::from_millis(1);

/// A part of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct SnapshotPart {
    pub(crate) frames: Vec<String>,
    pub(crate) entities: u32,
    /// The place at which the snapshot goes on.
    pub(crate) next: Option<SnapshotToken>,
}

/// The place at which a part begins, as it stands in the token.
#[derive(Debug, Serialize, Deserialize)]
struct SnapshotPlace {
    /// The subscriptions.
    #[serde(rename = "s")]
    subscriptions: BTreeSet<SubscriptionName>,
    /// The number of the scope.
    #[serde(rename = "n")]
    scope: usize,
    /// A hash of the subscriptions, which may change between two parts.
    #[serde(rename = "h")]
    wanted: u64,
    /// The last entity of the scope.
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// The time in milliseconds at which the snapshot began. A token of an earlier version has none.
    #[serde(rename = "t", default)]
    began: u64,
}

/// The token does not belong to the subscriptions.
#[derive(Debug)]
pub(crate) struct UnknownPlace;

/// A subscription that begins with a snapshot.
struct SnapshotWish<'a> {
    subscription: &'a Subscription,
    selection: Selection,
    /// For entities that are too large to be kept.
    without_data: Selection,
}

/// A snapshot of some subscriptions of a connection.
pub(crate) struct Snapshot<'a> {
    states: &'a StateTable,
    connection: &'a Connection,
    wishes: Vec<SnapshotWish<'a>>,
    scopes: SnapshotScopes,
    /// A hash of the subscriptions.
    wanted: u64,
    place: SnapshotPlace,
    /// The scope at which an earlier part ended.
    resumed_at: Option<usize>,
    /// The entities that this part has shown, if they may come at another scope.
    shown: HashSet<EntityKey>,
}

impl<'a> Snapshot<'a> {
    /// Begins a snapshot of these subscriptions.
    pub(crate) fn begin(
        states: &'a StateTable,
        connection: &'a Connection,
        subscriptions: BTreeSet<SubscriptionName>,
        now: EpochMillis,
    ) -> Self {
        let place = SnapshotPlace { subscriptions, scope: 0, wanted: 0, after: None, began: now.millis() };
        let mut snapshot = Self::at(states, connection, place);
        snapshot.place.wanted = snapshot.wanted;
        snapshot
    }

    /// Goes on with a snapshot.
    ///
    /// # Errors
    /// If the token is not one of this service, or the subscriptions are others now.
    pub(crate) fn resume(
        states: &'a StateTable,
        connection: &'a Connection,
        token: &SnapshotToken,
    ) -> Result<Self, UnknownPlace> {
        let json = URL_SAFE_NO_PAD.decode(token.as_str()).map_err(|_| UnknownPlace)?;
        let place: SnapshotPlace = serde_json::from_slice(&json).map_err(|_| UnknownPlace)?;
        let expected = place.wanted;
        let resumed_at = Some(place.scope);
        let snapshot = Self { resumed_at, ..Self::at(states, connection, place) };
        let after = snapshot.place.after.clone().map(IndexPlace);
        let is_known = snapshot.wanted == expected
            && snapshot.place.scope < snapshot.scopes.len()
            && after.is_none_or(|after| after.is_valid());
        if is_known { Ok(snapshot) } else { Err(UnknownPlace) }
    }

    fn at(states: &'a StateTable, connection: &'a Connection, place: SnapshotPlace) -> Self {
        let wanted = connection.subscriptions.iter().filter(|each| place.subscriptions.contains(&each.name));
        let wishes: Vec<_> = wanted.map(SnapshotWish::new).collect();
        let scopes = SnapshotScopes::of(wishes.iter().map(|wish| wish.subscription));
        let wanted = hash_of(wishes.iter().map(|wish| wish.subscription));
        Self { states, connection, wishes, scopes, wanted, place, resumed_at: None, shown: HashSet::new() }
    }

    /// Reads the next part.
    ///
    /// # Errors
    /// [`HistoryError`] if the states cannot be read.
    pub(crate) async fn read(mut self, now: EpochMillis) -> Result<SnapshotPart, HistoryError> {
        let started = Instant::now();
        let (mut messages, mut entities, mut bytes, mut frames) = (Vec::new(), 0, 0, 0);
        let mut turn = Instant::now();
        let mut is_full = false;
        while self.place.scope < self.scopes.len() {
            let scope = self.place.scope;
            for (key, state) in self.next_states(now).await? {
                let of_entity = self.messages(&state);
                if let Some(key) =
                    key.as_ref().filter(|_| !of_entity.is_empty() && self.scopes.is_one_of_several_types(scope))
                {
                    self.shown.insert(key.clone());
                }
                entities += u32::from(!of_entity.is_empty());
                bytes += of_entity.iter().map(String::len).sum::<usize>();
                frames += of_entity.len();
                messages.extend(of_entity);
                let has_all_frames = !self.connection.takes_batches && frames >= FRAMES;
                is_full = entities as usize >= SNAPSHOT_ENTITIES || bytes >= SNAPSHOT_BYTES || has_all_frames;
                if let Some(key) = key.filter(|_| is_full) {
                    // The rest of the page is read again.
                    (self.place.scope, self.place.after) = (scope, Some(IndexPlace::after(&key).0));
                    break;
                }
                if turn.elapsed() > TURN {
                    tokio::task::yield_now().await;
                    turn = Instant::now();
                }
            }
            if is_full || started.elapsed() > READING_TIME {
                break;
            }
        }
        let packed = |messages| pack_events::<String>(messages).into_iter().map(|frame| frame.text).collect();
        let frames = if self.connection.takes_batches { packed(messages) } else { messages };
        let next = (self.place.scope < self.scopes.len()).then(|| self.place.token());
        Ok(SnapshotPart { frames, entities, next: next.flatten() })
    }

    /// The part that has nothing, of a snapshot that could not be read. The next one begins where it does.
    pub(crate) fn unread(self) -> SnapshotPart {
        SnapshotPart { next: self.place.token(), ..SnapshotPart::default() }
    }

    /// Reads some entities from the place on, in the order of their keys, and moves the place behind them. Those of an id, which
    /// are few, have no place between them.
    async fn next_states(&mut self, now: EpochMillis) -> Result<Vec<(Option<EntityKey>, EntityState)>, HistoryError> {
        let tenant = &self.connection.tenant;
        let scope = self.place.scope;
        let entity_type = match self.scopes.get(scope) {
            Some(SnapshotScope::Id(id)) => {
                let states = self.states.states_of_id(tenant, id, now).await?;
                self.place.scope += 1;
                return Ok(states.into_iter().map(|state| (None, state)).collect());
            }
            Some(SnapshotScope::Type(entity_type)) => Some(entity_type.to_owned()),
            Some(SnapshotScope::Every) | None => None,
        };
        let after = self.place.after.take().map(IndexPlace);
        let page = self.states.list(tenant, entity_type.as_deref(), after.as_ref(), (PAGE, now)).await?;
        let mut states = self.states.states(&page.keys, now).await?;
        states.retain(|(key, state)| self.counts_at(scope, key, state));
        states.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        match page.next {
            Some(IndexPlace(after)) => self.place.after = Some(after),
            None => self.place.scope += 1,
        }
        Ok(states.into_iter().map(|(key, state)| (Some(key), state)).collect())
    }

    /// Returns whether an entity that was read at a scope is shown there: earlier scopes have not shown it.
    fn counts_at(&self, scope: usize, key: &EntityKey, state: &EntityState) -> bool {
        match self.scopes.first_of(state) {
            _ if self.shown.contains(key) => false,
            Some(first) if first == scope => true,
            Some(first) if first < scope && self.scopes.is_one_of_several_types(first) => {
                let may_be_shown = self.resumed_at.is_some_and(|resumed_at| first <= resumed_at);
                !may_be_shown || self.may_have_changed(state)
            }
            _ => false,
        }
    }

    /// False if the state is certainly that of the beginning of the snapshot.
    fn may_have_changed(&self, state: &EntityState) -> bool {
        state.written().is_none_or(|written| written.plus(WRITING).millis() >= self.place.began)
    }

    /// The messages that show an entity: one for each view of the subscriptions that it matches.
    fn messages(&self, state: &EntityState) -> Vec<String> {
        if state.is_deleted() {
            return Vec::new();
        }
        let event = snapshot_of(state, &self.connection.tenant);
        let facts = ChangeFacts::new(event.change());
        let is_named = self.connection.subscriptions.iter().any(|subscription| !subscription.name.is_default());
        let mut forms: Vec<MessageForm> = Vec::new();
        for wish in &self.wishes {
            let selection = if state.is_too_large() { &wish.without_data } else { &wish.selection };
            if !selection.matches(&facts) {
                continue;
            }
            let view = &wish.subscription.view;
            let form = match forms.iter_mut().find(|form| form.view == *view) {
                Some(form) => form,
                None => {
                    let (format, view) = (self.connection.format, view.clone());
                    forms.push(MessageForm { format, view, ..MessageForm::default() });
                    let last = forms.len() - 1;
                    &mut forms[last]
                }
            };
            if is_named {
                form.subscriptions.push(wish.subscription.name.clone());
            }
        }
        forms.iter().map(|form| event.message(form)).collect()
    }
}

impl<'a> SnapshotWish<'a> {
    fn new(subscription: &'a Subscription) -> Self {
        let entities = subscription.filter.of_entities();
        Self {
            subscription,
            without_data: Selection::new(entities.without_query()),
            selection: Selection::new(entities),
        }
    }
}

impl SnapshotPlace {
    fn token(&self) -> Option<SnapshotToken> {
        let json = serde_json::to_vec(self).ok()?;
        SnapshotToken::parse(URL_SAFE_NO_PAD.encode(json)).ok()
    }
}

fn hash_of<'a>(subscriptions: impl Iterator<Item = &'a Subscription>) -> u64 {
    let subscriptions: Vec<_> = subscriptions.collect();
    entity_stream_connections::stable_hash(serde_json::to_string(&subscriptions).unwrap_or_default().as_bytes())
}
