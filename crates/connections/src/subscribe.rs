use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use entity_stream_protocol::{ConnectionId, EpochMillis, Filter, Tenant};

use crate::attributes::{ENTITY_TYPES, EXPIRES_AT, ID_PATTERN, LEFTOVERS, REVISION, SUBSCRIBED, number, string};
use crate::connection::{StoredConnection, entity_types_attribute, interest_item, scopes_attribute};
use crate::keys::{Scope, connection_key, interest_key};
use crate::table::{invalid, pause};
use crate::{Table, TableError};

/// Most items that `TransactWriteItems` takes at once.
const TRANSACTION: usize = 100;
/// How often a change is tried again after another change of the same connection came in between.
const ATTEMPTS: u32 = 20;

const OPERATION: &str = "TransactWriteItems";

impl Table {
    /// Replaces a connection's whole filter, or with `None` unsubscribes it, and returns its tenant. Once this has returned, every later event
    /// finds exactly this filter, unless another change of the same connection came after it.
    ///
    /// # Errors
    /// [`TableError::NotConnected`] if the connection is not registered or its record has expired at `now`;
    /// [`TableError::Contended`] or [`TableError::Dynamo`], and then the filter is what it was, unless the last request
    /// was lost on its way back.
    pub async fn subscribe(
        &self,
        id: &ConnectionId,
        filter: Option<&Filter>,
        now: EpochMillis,
    ) -> Result<Tenant, TableError> {
        for attempt in 1..=ATTEMPTS {
            let stored = self.find_stored(id, now).await?.ok_or(TableError::NotConnected)?;
            if stored.connection.filter.as_ref() == filter && stored.leftovers.is_empty() {
                return Ok(stored.connection.tenant);
            }
            let tenant = stored.connection.tenant.clone();
            match self.swap(stored, filter, now).await? {
                // What did not fit into the transaction is removed by the next round.
                Swap::Done { complete: false } => {}
                Swap::Done { complete: true } => return Ok(tenant),
                Swap::Overtaken => pause(attempt).await,
            }
        }
        Err(TableError::Contended)
    }

    async fn swap(
        &self,
        stored: StoredConnection,
        filter: Option<&Filter>,
        now: EpochMillis,
    ) -> Result<Swap, TableError> {
        let connection = &stored.connection;
        let wanted = StoredConnection::scopes(filter);
        let mut stale: Vec<Scope> =
            stored.stored_scopes().into_iter().filter(|scope| !wanted.contains(scope)).collect();
        let mut writes = Vec::new();
        if let Some(filter) = filter {
            // An interest that is there already, with the same pattern, need not be written again.
            let kept = |scope: &Scope| {
                connection.filter.as_ref().is_some_and(|old| old.id_pattern() == filter.id_pattern())
                    && StoredConnection::scopes(connection.filter.as_ref()).contains(scope)
            };
            for scope in wanted.iter().filter(|scope| !kept(scope)) {
                let put = Put::builder().table_name(&self.name);
                let put = put.set_item(Some(interest_item(connection, filter, scope))).build();
                writes.push(TransactWriteItem::builder().put(put.map_err(invalid(OPERATION))?).build());
            }
        }
        // Fifty old types, fifty new ones and the connection are one item too many.
        let fits = TRANSACTION - 1 - writes.len();
        let leftovers = stale.split_off(stale.len().min(fits));
        for scope in &stale {
            let delete = Delete::builder().table_name(&self.name);
            let delete = delete.set_key(Some(interest_key(&connection.tenant, scope, &connection.id))).build();
            writes.push(TransactWriteItem::builder().delete(delete.map_err(invalid(OPERATION))?).build());
        }
        // The connection comes first: its position tells a failed condition from other reasons.
        writes.insert(0, self.update(&stored, filter, &leftovers, now)?);

        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(Swap::Done { complete: leftovers.is_empty() }),
            Err(error) if is_overtaken(&error) => Ok(Swap::Overtaken),
            Err(error) => Err(TableError::dynamo(OPERATION)(error)),
        }
    }

    fn update(
        &self,
        stored: &StoredConnection,
        filter: Option<&Filter>,
        leftovers: &[Scope],
        now: EpochMillis,
    ) -> Result<TransactWriteItem, TableError> {
        let mut set = vec!["#revision = :next", "#subscribed = :subscribed"];
        let mut remove = Vec::new();
        let mut update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(connection_key(&stored.connection.id)))
            .condition_expression("#revision = :revision AND #expiresAt > :now")
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_names("#subscribed", SUBSCRIBED)
            .expression_attribute_names("#expiresAt", EXPIRES_AT)
            .expression_attribute_names("#entityTypes", ENTITY_TYPES)
            .expression_attribute_names("#idPattern", ID_PATTERN)
            .expression_attribute_names("#leftovers", LEFTOVERS)
            .expression_attribute_values(":revision", number(stored.revision))
            .expression_attribute_values(":next", number(stored.revision + 1))
            .expression_attribute_values(":now", number(now.seconds()))
            .expression_attribute_values(":subscribed", AttributeValue::Bool(filter.is_some()));
        let values = [
            ("#entityTypes", ":entityTypes", filter.map(entity_types_attribute)),
            ("#idPattern", ":idPattern", filter.and_then(Filter::id_pattern).map(|pattern| string(pattern.as_str()))),
            ("#leftovers", ":leftovers", (!leftovers.is_empty()).then(|| scopes_attribute(leftovers))),
        ];
        let mut assignments = Vec::new();
        for (name, placeholder, value) in values {
            match value {
                Some(value) => {
                    assignments.push(format!("{name} = {placeholder}"));
                    update = update.expression_attribute_values(placeholder, value);
                }
                None => remove.push(name),
            }
        }
        set.extend(assignments.iter().map(String::as_str));
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression = format!("{expression} REMOVE {}", remove.join(", "));
        }
        let update = update.update_expression(expression).build().map_err(invalid(OPERATION))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

enum Swap {
    Done { complete: bool },
    Overtaken,
}

/// Whether a transaction was cancelled because another message of the same connection, or its end, came first.
fn is_overtaken(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return matches!(error.as_service_error(), Some(TransactWriteItemsError::TransactionInProgressException(_)));
    };
    cancelled
        .cancellation_reasons()
        .iter()
        .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict")))
}
