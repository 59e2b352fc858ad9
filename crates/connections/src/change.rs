//! Changes the filter or the authorisation of a connection.
//!
//! **Invariant.** The interest items of a connection are exactly those that its item lists, before and after every change. A
//! change reads the connection item and writes one transaction: the new interests, the removal of the old ones, and the
//! connection item with the next revision. The transaction is conditional on the revision that was read, so a concurrent
//! change or a removal in between cancels it, and the change starts again.
//!
//! A transaction takes 100 items. If there are more, the transaction removes as many old interests as fit, and the connection
//! item lists the others as leftovers. The change is complete, and the client is answered, when a further transaction has
//! removed them. If the process dies in between, the next change of the connection or its removal removes them.
//!
//! A connection that changes from types to every type keeps the interests of its types, with the new filter in them.
//! `interest_pages` explains the reason.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use entity_stream_protocol::{ConnectionId, EpochMillis, Filter};
use tokio::time::{sleep, timeout};

use crate::attributes::{EXPIRES_AT, REVISION, number};
use crate::authorisation::{Authorisation, Grant};
use crate::backoff::delays;
use crate::connection::Connection;
use crate::error::TableError;
use crate::interest::interest_item;
use crate::keys::{Scope, interest_key};
use crate::stored_connection::StoredConnection;
use crate::table::Table;

/// Most items that `TransactWriteItems` takes at once.
const TRANSACTION: usize = 100;
/// Most attempts at a change. Another change of the same connection in between, or throttling, fails an attempt.
const ATTEMPTS: usize = 20;
/// Longest time for all attempts. API Gateway waits 29 seconds for the function, which also has to answer the client.
const TIME: Duration = Duration::from_secs(15);

const OPERATION: &str = "TransactWriteItems";

impl Table {
    /// Replaces the whole filter of a connection, or unsubscribes it with `None`, and returns the connection after the change.
    /// Every event after the return of this method finds exactly this filter, until the next change of the connection. An
    /// event that is read during the change finds the connection if both filters match it.
    ///
    /// # Errors
    /// [`TableError::NotConnected`] if the connection is not registered or its record has expired at `now`;
    /// [`TableError::NotAuthorised`] if it has not authenticated yet, or its authorisation has expired;
    /// [`TableError::Contended`], [`TableError::TimedOut`] or [`TableError::Dynamo`]. After these three the filter is
    /// unchanged, unless the answer to the last request was lost.
    pub async fn subscribe(
        &self,
        id: &ConnectionId,
        filter: Option<&Filter>,
        now: EpochMillis,
    ) -> Result<Connection, TableError> {
        self.change(id, now, |connection| {
            if !connection.authorisation.is_valid(now) {
                return Err(TableError::NotAuthorised);
            }
            connection.filter = filter.cloned();
            Ok(())
        })
        .await
    }

    /// Authorises a connection that has not authenticated yet, or renews an authorisation that has not expired. The change
    /// covers the connection and all its interests at once. The filter stays the same.
    ///
    /// # Errors
    /// [`TableError::NotAuthorised`] if the authorisation has expired and can no longer be renewed;
    /// [`TableError::AnotherSubject`] if the connection belongs to another subject; otherwise as for [`Table::subscribe`].
    pub async fn authorise(
        &self,
        id: &ConnectionId,
        grant: &Grant,
        now: EpochMillis,
    ) -> Result<Connection, TableError> {
        self.change(id, now, |connection| {
            if let Authorisation::Granted(held) = &connection.authorisation {
                if !connection.authorisation.is_valid(now) {
                    return Err(TableError::NotAuthorised);
                }
                if held.subject != grant.subject {
                    return Err(TableError::AnotherSubject);
                }
            }
            connection.authorisation = Authorisation::Granted(grant.clone());
            Ok(())
        })
        .await
    }

    /// Changes a connection and its interests within the time limit.
    async fn change(
        &self,
        id: &ConnectionId,
        now: EpochMillis,
        change: impl Fn(&mut Connection) -> Result<(), TableError>,
    ) -> Result<Connection, TableError> {
        let attempts = self.change_in_attempts(id, now, change);
        timeout(TIME, attempts).await.unwrap_or(Err(TableError::TimedOut { operation: OPERATION }))
    }

    async fn change_in_attempts(
        &self,
        id: &ConnectionId,
        now: EpochMillis,
        change: impl Fn(&mut Connection) -> Result<(), TableError>,
    ) -> Result<Connection, TableError> {
        for delay in delays(ATTEMPTS) {
            let old = self.find_stored(id, now).await?.ok_or(TableError::NotConnected)?;
            let mut wanted = old.connection.clone();
            change(&mut wanted)?;
            if wanted == old.connection && old.leftovers.is_empty() {
                return Ok(wanted);
            }
            match self.replace(&old, wanted, now).await? {
                // The next round removes the interests that did not fit into the transaction.
                Replaced::Partly => {}
                Replaced::Wholly(connection) => return Ok(connection),
                Replaced::NotYet => sleep(delay).await,
            }
        }
        Err(TableError::Contended)
    }

    async fn replace(
        &self,
        old: &StoredConnection,
        wanted: Connection,
        now: EpochMillis,
    ) -> Result<Replaced, TableError> {
        let (old_scopes, kept) = (old.current_scopes(), old.kept_by(&wanted));
        let mut scopes = StoredConnection::scopes(&wanted);
        scopes.extend(kept.iter().cloned());
        let mut writes = Vec::new();
        for scope in &scopes {
            // An interest that exists and stays the same is not written again.
            let item = interest_item(&wanted, scope);
            if !old_scopes.contains(scope) || interest_item(&old.connection, scope) != item {
                let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
                writes.push(TransactWriteItem::builder().put(put.map_err(TableError::invalid(OPERATION))?).build());
            }
        }
        let mut stale: Vec<Scope> = old.stored_scopes().into_iter().filter(|scope| !scopes.contains(scope)).collect();
        // Fifty old types, fifty new ones and the connection are one item too many, and `*` can be another. `*` comes first, so
        // it is never a leftover.
        let leftovers = stale.split_off(stale.len().min(TRANSACTION - 1 - writes.len()));
        for scope in &stale {
            let delete = Delete::builder().table_name(&self.name);
            let delete =
                delete.set_key(Some(interest_key(&wanted.tenant, scope, &wanted.id, wanted.group.as_ref()))).build();
            writes.push(TransactWriteItem::builder().delete(delete.map_err(TableError::invalid(OPERATION))?).build());
        }
        let partly = !leftovers.is_empty();
        let new = StoredConnection { connection: wanted, revision: old.revision + 1, kept, leftovers };
        let connection = Put::builder()
            .table_name(&self.name)
            .set_item(Some(new.to_item()))
            .condition_expression("#revision = :revision AND #expiresAt > :now")
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_names("#expiresAt", EXPIRES_AT)
            .expression_attribute_values(":revision", number(old.revision))
            .expression_attribute_values(":now", number(now.seconds()))
            .build();
        writes.push(TransactWriteItem::builder().put(connection.map_err(TableError::invalid(OPERATION))?).build());

        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) if partly => Ok(Replaced::Partly),
            Ok(_) => Ok(Replaced::Wholly(new.connection)),
            Err(error) if is_temporary(&error) => Ok(Replaced::NotYet),
            Err(error) => Err(TableError::dynamo(OPERATION)(error)),
        }
    }
}

enum Replaced {
    Wholly(Connection),
    Partly,
    NotYet,
}

/// True if a transaction was cancelled for a temporary reason. Another message of the same connection or its end came first,
/// or DynamoDB throttled one of the items. The SDK retries a throttled request, but not a transaction with a throttled item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
fn is_temporary(error: &SdkError<TransactWriteItemsError>) -> bool {
    const TEMPORARY: [&str; 4] =
        ["ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return matches!(error.as_service_error(), Some(TransactWriteItemsError::TransactionInProgressException(_)));
    };
    cancelled.cancellation_reasons().iter().any(|reason| reason.code().is_some_and(|code| TEMPORARY.contains(&code)))
}
