use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use entity_stream_protocol::{ConnectionId, EpochMillis, Filter};
use tokio::time::{sleep, timeout};

use crate::attributes::{EXPIRES_AT, REVISION, number};
use crate::connection::{StoredConnection, interest_item};
use crate::keys::{Scope, interest_key};
use crate::table::{delays, invalid};
use crate::{Authorisation, Connection, Grant, Table, TableError};

/// The largest number of items in one `TransactWriteItems`.
const TRANSACTION: usize = 100;
/// The largest number of retries of a change after a concurrent change of the same connection, or after throttling.
const ATTEMPTS: usize = 20;
/// The time limit for all attempts. API Gateway waits 29 seconds for a message, and the client has to get an answer.
const TIME: Duration = Duration::from_secs(15);

const OPERATION: &str = "TransactWriteItems";

impl Table {
    /// Replaces a connection's whole filter, or unsubscribes it with `None`. Returns the changed connection. After that,
    /// every later event finds exactly this filter, until the next change of the same connection. An event whose audience is
    /// read during the change finds the connection if both filters match (see [`Table::interests`]).
    ///
    /// # Errors
    /// [`TableError::NotConnected`] if the connection is not registered or its record has expired at `now`;
    /// [`TableError::NotAuthorised`] if it has yet to authenticate, or its authorisation has expired;
    /// [`TableError::Contended`], [`TableError::TimedOut`] or [`TableError::Dynamo`]. The filter is then unchanged, unless
    /// only the answer to the last request was lost.
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

    /// Authorises a connection that has yet to authenticate, or renews an authorisation that has not expired. Changes the
    /// connection and all its interests at once. The filter stays unchanged.
    ///
    /// # Errors
    /// [`TableError::NotAuthorised`] if the authorisation has expired: it cannot be renewed any more;
    /// [`TableError::AnotherSubject`] if the connection belongs to another subject; otherwise as [`Table::subscribe`].
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

    /// Changes a connection and its interests in one transaction. The transaction is conditional on the revision that was
    /// read.
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
            // An unchanged interest need not be written again.
            let item = interest_item(&wanted, scope);
            if !old_scopes.contains(scope) || interest_item(&old.connection, scope) != item {
                let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
                writes.push(TransactWriteItem::builder().put(put.map_err(invalid(OPERATION))?).build());
            }
        }
        let mut stale: Vec<Scope> = old.stored_scopes().into_iter().filter(|scope| !scopes.contains(scope)).collect();
        // Fifty old types, fifty new ones and the connection are one item too many. `*` may be another one. It comes first,
        // so that it is never among the leftovers.
        let leftovers = stale.split_off(stale.len().min(TRANSACTION - 1 - writes.len()));
        for scope in &stale {
            let delete = Delete::builder().table_name(&self.name);
            let delete =
                delete.set_key(Some(interest_key(&wanted.tenant, scope, &wanted.id, wanted.group.as_ref()))).build();
            writes.push(TransactWriteItem::builder().delete(delete.map_err(invalid(OPERATION))?).build());
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
        writes.push(TransactWriteItem::builder().put(connection.map_err(invalid(OPERATION))?).build());

        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) if partly => Ok(Replaced::Partly),
            Ok(_) => Ok(Replaced::Wholly(new.connection)),
            Err(error) if is_passing(&error) => Ok(Replaced::NotYet),
            Err(error) => Err(TableError::dynamo(OPERATION)(error)),
        }
    }
}

enum Replaced {
    Wholly(Connection),
    Partly,
    NotYet,
}

/// True if a transaction was cancelled for a temporary reason: a concurrent message or the end of the same connection, or a
/// throttled item. The SDK does not retry a transaction with a throttled item, as it does with a throttled request.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
fn is_passing(error: &SdkError<TransactWriteItemsError>) -> bool {
    const PASSING: [&str; 4] =
        ["ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return matches!(error.as_service_error(), Some(TransactWriteItemsError::TransactionInProgressException(_)));
    };
    cancelled.cancellation_reasons().iter().any(|reason| reason.code().is_some_and(|code| PASSING.contains(&code)))
}
