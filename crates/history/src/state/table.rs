use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure};
use backon::{BackoffBuilder, ExponentialBuilder};
use entity_stream_protocol::{EpochMillis, Event, Tenant};
use tokio::time::{sleep, timeout};

use super::entity_item::{TYPES, VERSION, types_value};
use super::entity_key::EntityKey;
use super::entity_state::EntityState;
use super::entity_turns::EntityTurns;
use super::entity_update::EntityUpdate;
use super::merge::{Applied, Merged};
use super::quick_update::QuickUpdate;
use crate::error::HistoryError;
use crate::keys::{HistoryItem, PARTITION_KEY, TTL_ATTRIBUTE, get_number, hash, number, state_partition};
use crate::timing::Timing;

/// The most items that `BatchGetItem` reads at once.
const BATCH: usize = 100;
/// The time after which an event may be a repetition. Lambda repeats an attempt after a minute.
const REPEATED_AFTER: Duration = Duration::from_secs(30);
/// The shortest time for which a deletion is known. A late change must not bring the entity back.
const DELETED_FOR: Duration = Duration::from_secs(60 * 60);

/// The states of entities, in the table of the history.
#[derive(Clone, Debug)]
pub struct StateTable {
    pub(super) client: Client,
    pub(super) name: String,
    /// The time after its last change after which an entity is forgotten.
    retention: Duration,
    /// The time for which a deletion is known.
    deleted_for: Duration,
    turns: EntityTurns,
}

impl StateTable {
    /// The states in the table of this name or ARN, reached through this client. An entity is forgotten when `retention` has passed
    /// since its last change; a deletion is known for as long as the history lasts, at least one hour.
    pub fn new(client: Client, name: impl Into<String>, retention: Duration, history: Duration) -> Self {
        Self {
            client,
            name: name.into(),
            retention,
            deleted_for: history.max(DELETED_FOR),
            turns: EntityTurns::default(),
        }
    }

    /// Applies the change of an event to the state of its entity, within [`Timing::write`]. `arrival` is the time at which the event
    /// came to the bus. A change that was applied before is not applied again.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`] or [`HistoryError::TimedOut`]. The state may have the change.
    pub async fn apply(&self, event: &Event, arrival: EpochMillis, now: EpochMillis) -> Result<Applied, HistoryError> {
        self.apply_in_time(event, arrival, now, now.since(arrival) > REPEATED_AFTER).await
    }

    /// The same for the event of a continuation, which was applied before. If it is not recognised any more, the former state
    /// counts as unknown.
    ///
    /// # Errors
    /// As [`StateTable::apply`].
    pub async fn apply_again(
        &self,
        event: &Event,
        arrival: EpochMillis,
        now: EpochMillis,
    ) -> Result<Applied, HistoryError> {
        self.apply_in_time(event, arrival, now, true).await
    }

    async fn apply_in_time(
        &self,
        event: &Event,
        arrival: EpochMillis,
        now: EpochMillis,
        may_be_repeated: bool,
    ) -> Result<Applied, HistoryError> {
        let update = EntityUpdate::new(event, arrival, may_be_repeated);
        let apply = timeout(Timing::SERVICE.write, self.apply_until_written(&update, now));
        apply.await.unwrap_or(Err(HistoryError::TimedOut { operation: "UpdateItem" }))
    }

    async fn apply_until_written(&self, update: &EntityUpdate<'_>, now: EpochMillis) -> Result<Applied, HistoryError> {
        let change = update.event.change();
        let key = EntityKey::new(&change.tenant, &change.entity_id, &change.service_path);
        let _turn = self.turns.next(&key).await;
        let mut known = match QuickUpdate::new(update, (now.seconds(), self.expires(now))) {
            None => self.item(&key).await?,
            Some(request) => match self.update(&key, request).await? {
                ConditionalWrite::Over(item) => {
                    let merged = update.merge(self.read(&item, now), now);
                    if merged.is_bounded {
                        self.bound(&key, &merged, now).await?;
                    }
                    return Ok(merged.outcome);
                }
                ConditionalWrite::Not(item) => item,
            },
        };
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(5))
            .with_max_delay(Duration::from_millis(200))
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            let former = known.as_ref().and_then(|item| self.read(item, now));
            let Merged { mut state, outcome, is_changed, .. } = update.merge(former, now);
            if !is_changed {
                return Ok(outcome);
            }
            self.index(&key, &mut state, known.as_ref(), now).await?;
            match self.put(&key, &state, known.as_ref(), now).await? {
                ConditionalWrite::Over(_) => return Ok(outcome),
                ConditionalWrite::Not(item) => known = item,
            }
            metrics::counter!("StateConflicts").increment(1);
            sleep(delays.next().unwrap_or_default()).await;
        }
    }

    /// Replaces an item that a quick update has made too large. If another change came meanwhile, that one does it.
    async fn bound(&self, key: &EntityKey, merged: &Merged, now: EpochMillis) -> Result<(), HistoryError> {
        let written = self.item(key).await?;
        if written.as_ref().and_then(|item| get_number(item, VERSION)) == Some(merged.state.version) {
            self.put(key, &merged.state, written.as_ref(), now).await?;
        }
        Ok(())
    }

    /// Writes the entity into the index if it is new, has new types, or would leave the index before it is forgotten.
    async fn index(
        &self,
        key: &EntityKey,
        state: &mut EntityState,
        known: Option<&HistoryItem>,
        now: EpochMillis,
    ) -> Result<(), HistoryError> {
        let has_types = known.is_some_and(|item| item.get(TYPES) == Some(&types_value(&state.entity_types)));
        if has_types && state.indexed_until >= self.expires(now) {
            return Ok(());
        }
        let until = now.plus(2 * self.retention).seconds().max(self.expires(now));
        self.write_index(key, &state.entity_types, until).await?;
        state.indexed_until = until;
        Ok(())
    }

    async fn update(&self, key: &EntityKey, request: QuickUpdate) -> Result<ConditionalWrite, HistoryError> {
        let QuickUpdate { update, condition, names, values } = request;
        let result = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.item_key()))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(output) => Ok(ConditionalWrite::Over(output.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(ConditionalWrite::Not(failed.item.clone()))
                }
                // An item that would be too large. A merge leaves parts out.
                Some(other) if other.code() == Some("ValidationException") => {
                    Ok(ConditionalWrite::Not(self.item(key).await?))
                }
                _ => Err(HistoryError::dynamo("UpdateItem")(error)),
            },
        }
    }

    async fn put(
        &self,
        key: &EntityKey,
        state: &EntityState,
        known: Option<&HistoryItem>,
        now: EpochMillis,
    ) -> Result<ConditionalWrite, HistoryError> {
        let expires = if state.is_deleted() { now.plus(self.deleted_for).seconds() } else { self.expires(now) };
        let put = self.client.put_item().table_name(&self.name).set_item(Some(state.to_item(key.item_key(), expires)));
        let put = match known.and_then(|item| get_number(item, VERSION)) {
            Some(version) => put
                .condition_expression("#v = :v")
                .expression_attribute_names("#v", VERSION)
                .expression_attribute_values(":v", number(version)),
            None => {
                put.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", PARTITION_KEY)
            }
        };
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(ConditionalWrite::Over(HistoryItem::new())),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(ConditionalWrite::Not(failed.item.clone()))
                }
                _ => Err(HistoryError::dynamo("PutItem")(error)),
            },
        }
    }

    async fn item(&self, key: &EntityKey) -> Result<Option<HistoryItem>, HistoryError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key.item_key())).consistent_read(true);
        Ok(get.send().await.map_err(HistoryError::dynamo("GetItem"))?.item)
    }

    /// Reads the state in an item. A state that should be forgotten is as good as absent, but for its version.
    fn read(&self, item: &HistoryItem, now: EpochMillis) -> Option<EntityState> {
        let state = EntityState::from_item(item)?;
        if is_alive(item, now) { Some(state) } else { Some(state.forgotten()) }
    }

    /// The states of these entities of one tenant, in no order. Those that are not known are left out.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`].
    pub async fn states(
        &self,
        keys: &[EntityKey],
        now: EpochMillis,
    ) -> Result<Vec<(EntityKey, EntityState)>, HistoryError> {
        self.states_within(keys, now, usize::MAX).await
    }

    /// The same for states that take so many bytes at most.
    ///
    /// # Errors
    /// [`HistoryError::TooMuch`] if they take more; [`HistoryError::Dynamo`].
    pub async fn states_within(
        &self,
        keys: &[EntityKey],
        now: EpochMillis,
        most_bytes: usize,
    ) -> Result<Vec<(EntityKey, EntityState)>, HistoryError> {
        let mut bytes = 0;
        const OPERATION: &str = "BatchGetItem";
        let mut states = Vec::new();
        let Some(EntityKey { tenant, .. }) = keys.first() else { return Ok(states) };
        for keys in keys.chunks(BATCH) {
            let mut wanted: Vec<_> = keys.iter().map(EntityKey::item_key).collect();
            let mut delays =
                ExponentialBuilder::default().with_min_delay(Duration::from_millis(20)).with_jitter().build();
            loop {
                let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
                let request = request.map_err(HistoryError::invalid(OPERATION))?;
                let output = self.client.batch_get_item().request_items(&self.name, request).send().await;
                let output = output.map_err(HistoryError::dynamo(OPERATION))?;
                let items: Vec<_> = output.responses.unwrap_or_default().into_values().flatten().collect();
                bytes += items.iter().map(size_of_item).sum::<usize>();
                if bytes > most_bytes {
                    return Err(HistoryError::TooMuch);
                }
                let items = items.into_iter();
                states.extend(items.filter(|item| is_alive(item, now)).filter_map(|item| keyed(tenant, &item)));
                wanted = output.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
                if wanted.is_empty() {
                    break;
                }
                let delay = delays.next().ok_or(HistoryError::TimedOut { operation: OPERATION })?;
                sleep(delay).await;
            }
        }
        Ok(states)
    }

    /// The states of the entities with an id, one for each service path.
    ///
    /// # Errors
    /// [`HistoryError::Dynamo`].
    pub async fn states_of_id(
        &self,
        tenant: &Tenant,
        entity_id: &str,
        now: EpochMillis,
    ) -> Result<Vec<EntityState>, HistoryError> {
        let mut start: Option<HashMap<_, _>> = None;
        let mut states = Vec::new();
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("#pk = :pk")
                .expression_attribute_names("#pk", PARTITION_KEY)
                .expression_attribute_values(":pk", crate::keys::string(state_partition(tenant, &hash(entity_id))))
                .set_exclusive_start_key(start)
                .consistent_read(true);
            let output = query.send().await.map_err(HistoryError::dynamo("Query"))?;
            let items = output.items.as_deref().unwrap_or_default().iter();
            states.extend(items.filter(|item| is_alive(item, now)).filter_map(EntityState::from_item));
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(states);
            }
        }
    }

    fn expires(&self, now: EpochMillis) -> u64 {
        now.plus(self.retention).seconds()
    }
}

/// The bytes of an item's text.
fn size_of_item(item: &HistoryItem) -> usize {
    item.iter().map(|(name, value)| name.len() + value.as_s().map_or(0, String::len)).sum()
}

/// Reads a state and its key.
fn keyed(tenant: &Tenant, item: &HistoryItem) -> Option<(EntityKey, EntityState)> {
    let state = EntityState::from_item(item)?;
    Some((EntityKey::new(tenant, &state.entity_id, &state.service_path), state))
}

/// The result of a conditional write.
enum ConditionalWrite {
    /// It replaced this item.
    Over(HistoryItem),
    /// It did not, because of this item.
    Not(Option<HistoryItem>),
}

fn is_alive(item: &HistoryItem, now: EpochMillis) -> bool {
    get_number(item, TTL_ATTRIBUTE).is_none_or(|until| until > now.seconds())
}
