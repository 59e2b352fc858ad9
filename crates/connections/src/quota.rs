//! The number of connections of one subject in one tenant.
//!
//! **Invariant.** The connections of a subject each hold a slot in one item, a set. A slot is added only while the set has fewer
//! than the limit, so handshakes at the same moment cannot exceed it. The end of a connection removes its slot. A slot whose
//! removal was lost is found when the set is full: it is removed if its connection does not exist any more. A handshake takes
//! its slot before it writes its connection, so a slot younger than a handshake can last is never removed in this way.

use std::collections::HashSet;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure};
use entity_stream_protocol::limits::{CONNECTION_LIFETIME, YOUNG_CONNECTION};
use entity_stream_protocol::{ConnectionId, EpochMillis, Tenant};
use tokio::time::sleep;

use crate::attributes::{EXPIRES_AT, Item, PK, SK, SLOTS, get_number, number, string};
use crate::authorisation::Authorisation;
use crate::backoff::delays;
use crate::connection::Connection;
use crate::error::TableError;
use crate::keys::{connection_id, connection_key, subject_key};
use crate::table::Table;

/// Most keys that `BatchGetItem` takes at once.
const BATCH: usize = 100;
/// Most times that DynamoDB may leave keys unprocessed.
const ATTEMPTS: usize = 8;

/// The place of one connection among the connections of its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    tenant: Tenant,
    subject: String,
    connection_id: ConnectionId,
    connected_at: EpochMillis,
}

impl Slot {
    /// The slot of a connection; `None` if the subject is not known, because authentication is off or yet to come.
    pub fn new(
        tenant: &Tenant,
        authorisation: &Authorisation,
        connection_id: &ConnectionId,
        connected_at: EpochMillis,
    ) -> Option<Self> {
        let subject = authorisation.subject()?.to_owned();
        Some(Self { tenant: tenant.clone(), subject, connection_id: connection_id.clone(), connected_at })
    }

    /// The slot in the set: the time at which the connection was opened, and its id.
    fn text(&self) -> String {
        format!("{}#{}", self.connected_at.millis(), self.connection_id)
    }

    fn key(&self) -> Item {
        subject_key(&self.tenant, &self.subject)
    }
}

impl Connection {
    /// The slot of the connection; `None` if its subject is not known.
    pub fn slot(&self) -> Option<Slot> {
        Slot::new(&self.tenant, &self.authorisation, &self.id, self.connected_at)
    }
}

impl Table {
    /// Takes a slot for a connection, if its subject has fewer than `most`. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`TableError::TooManyConnections`] if the subject has `most` connections; [`TableError::Dynamo`] or
    /// [`TableError::Unprocessed`].
    pub async fn take_slot(&self, slot: &Slot, most: usize, now: EpochMillis) -> Result<(), TableError> {
        let Some(full) = self.try_slot(slot, most, now).await? else { return Ok(()) };
        let dead = self.dead_slots(&full, now).await?;
        if dead.is_empty() {
            return Err(TableError::TooManyConnections);
        }
        let update = self.client.update_item().table_name(&self.name).set_key(Some(slot.key()));
        let update = update.update_expression("DELETE #slots :dead").expression_attribute_names("#slots", SLOTS);
        let update = update.expression_attribute_values(":dead", AttributeValue::Ss(dead));
        // The item exists unless it has expired; then the update would create one that does not expire.
        let update = update.condition_expression("attribute_exists(#slots)");
        ignore_condition(update.send().await.map(drop))?;
        match self.try_slot(slot, most, now).await? {
            None => Ok(()),
            Some(_) => Err(TableError::TooManyConnections),
        }
    }

    /// Frees the slot of a connection that has ended or was refused. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`TableError::Dynamo`]. The slot is then freed when the subject has no other slot left.
    pub async fn free_slot(&self, slot: &Slot) -> Result<(), TableError> {
        let update = self.client.update_item().table_name(&self.name).set_key(Some(slot.key()));
        let update = update
            .update_expression("DELETE #slots :slot")
            .condition_expression("contains(#slots, :text)")
            .expression_attribute_names("#slots", SLOTS)
            .expression_attribute_values(":slot", AttributeValue::Ss(vec![slot.text()]))
            .expression_attribute_values(":text", string(slot.text()));
        ignore_condition(update.send().await.map(drop))
    }

    /// Adds a slot to the set, or returns the full set.
    async fn try_slot(&self, slot: &Slot, most: usize, now: EpochMillis) -> Result<Option<Vec<String>>, TableError> {
        let update = self.client.update_item().table_name(&self.name).set_key(Some(slot.key()));
        let update = update
            .update_expression("ADD #slots :slot SET #expiresAt = :expiresAt")
            .condition_expression("attribute_not_exists(#slots) OR size(#slots) < :most OR contains(#slots, :text)")
            .expression_attribute_names("#slots", SLOTS)
            .expression_attribute_names("#expiresAt", EXPIRES_AT)
            .expression_attribute_values(":slot", AttributeValue::Ss(vec![slot.text()]))
            .expression_attribute_values(":text", string(slot.text()))
            .expression_attribute_values(":most", number(most as u64))
            .expression_attribute_values(":expiresAt", number(now.plus(CONNECTION_LIFETIME).seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match update.send().await {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        if let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            let slots = failed.item().and_then(|item| item.get(SLOTS)?.as_ss().ok());
            return Ok(Some(slots.cloned().unwrap_or_default()));
        }
        Err(TableError::dynamo("UpdateItem")(error))
    }

    /// The slots whose connections do not exist any more.
    async fn dead_slots(&self, slots: &[String], now: EpochMillis) -> Result<Vec<String>, TableError> {
        let mut dead = Vec::new();
        let mut doubtful = Vec::new();
        for slot in slots {
            match parse(slot) {
                // The handshake of a young connection may not have written it yet.
                Some((connected_at, _)) if now.since(connected_at) < YOUNG_CONNECTION => {}
                Some((connected_at, id)) if now.since(connected_at) < CONNECTION_LIFETIME => doubtful.push((slot, id)),
                _ => dead.push(slot.clone()),
            }
        }
        for batch in doubtful.chunks(BATCH) {
            let alive = self.alive(batch.iter().map(|(_, id)| id), now).await?;
            let others = batch.iter().filter(|(_, id)| !alive.contains(id));
            dead.extend(others.map(|(slot, _)| (*slot).clone()));
        }
        Ok(dead)
    }

    /// The ones of these connections that exist.
    async fn alive<'a>(
        &self,
        ids: impl Iterator<Item = &'a ConnectionId>,
        now: EpochMillis,
    ) -> Result<HashSet<ConnectionId>, TableError> {
        const OPERATION: &str = "BatchGetItem";
        let keys = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(ids.map(connection_key).collect()));
        let keys = keys.projection_expression("#pk, #sk, #expiresAt").expression_attribute_names("#pk", PK);
        let keys = keys.expression_attribute_names("#sk", SK).expression_attribute_names("#expiresAt", EXPIRES_AT);
        let mut keys = keys.build().map_err(TableError::invalid(OPERATION))?;
        let mut alive = HashSet::new();
        let mut delays = delays(ATTEMPTS - 1);
        loop {
            let request = self.client.batch_get_item().request_items(&self.name, keys);
            let output = request.send().await.map_err(TableError::dynamo(OPERATION))?;
            let items = output.responses.unwrap_or_default().remove(&self.name).unwrap_or_default();
            let unexpired = items.iter().filter(|item| get_number(item, EXPIRES_AT) > Some(now.seconds()));
            alive.extend(unexpired.filter_map(connection_id));
            match output.unprocessed_keys.unwrap_or_default().remove(&self.name) {
                None => return Ok(alive),
                Some(rest) => keys = rest,
            }
            match delays.next() {
                Some(delay) => sleep(delay).await,
                None => return Err(TableError::Unprocessed(keys.keys.len())),
            }
        }
    }
}

/// The time and the id in the text of a slot.
fn parse(slot: &str) -> Option<(EpochMillis, ConnectionId)> {
    let (millis, id) = slot.split_once('#')?;
    Some((EpochMillis::new(millis.parse().ok()?), ConnectionId::parse(id).ok()?))
}

/// An update whose condition fails has nothing to do.
fn ignore_condition(result: Result<(), SdkError<UpdateItemError>>) -> Result<(), TableError> {
    match result {
        Err(error) if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) => {
            Ok(())
        }
        result => result.map_err(TableError::dynamo("UpdateItem")),
    }
}
