//! Changes the subscriptions or the authorisation of a connection.
//!
//! **Invariant.** The interest items of a connection are exactly those that its item lists, before and after every change. A
//! change reads the connection item and writes one transaction: the new interests, the removal of the old ones, and the
//! connection item with the next revision. The transaction is conditional on the revision that was read, so a concurrent
//! change or a removal in between cancels it, and the change starts again.
//!
//! A transaction takes 100 items, and the limit of a connection's scopes keeps every change within it.
//!
//! A connection that takes the place of an earlier one in its session gets the hash of the session, so all its interests move.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use entity_stream_protocol::limits::{RESUME_INTERVAL, SCOPES, SUBSCRIPTIONS};
use entity_stream_protocol::{ConnectionId, EpochMillis, Since, Subscription, SubscriptionName};
use tokio::time::{Instant, sleep, timeout};

use crate::attributes::{EXPIRES_AT, REVISION, number};
use crate::authorisation::{Authorisation, Grant};
use crate::backoff::delays;
use crate::connection::Connection;
use crate::error::TableError;
use crate::interest::{interest_item, is_within_limit};
use crate::stored_connection::{StoredConnection, scopes_of};
use crate::table::Table;

/// Most items that `TransactWriteItems` takes at once.
const TRANSACTION: usize = 100;
// The largest change is from as many interests as a connection can have to as many others.
const _: () = assert!(1 + SCOPES + SCOPES <= TRANSACTION, "each change is one transaction");
/// Most attempts at a change. Another change of the same connection in between, or throttling, fails an attempt.
const ATTEMPTS: usize = 10;
/// The time after which no further attempt begins. Many messages of one connection at once would otherwise keep the function
/// and the table busy for minutes, because each attempt of one of them fails the attempts of the others.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest time for a change. API Gateway waits 29 seconds for the function, which also has to answer the client.
const TIME: Duration = Duration::from_secs(8);

const OPERATION: &str = "TransactWriteItems";

/// A connection before and after a change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The connection before.
    pub before: Connection,
    /// The connection after.
    pub after: Connection,
}

impl Change {
    /// Returns whether the connection has moved to another place in all partitions.
    pub fn has_moved(&self) -> bool {
        self.before.resumed != self.after.resumed && self.after.group.is_none()
    }

    /// Returns whether a reader of an audience may have missed the connection during the change, although a subscription matched
    /// before and after it: at least one of its former interests is gone.
    pub fn may_have_hidden(&self, name: &SubscriptionName) -> bool {
        let (Some(old), Some(new)) = (self.before.subscription(name), self.after.subscription(name)) else {
            return false;
        };
        self.has_moved() || (old != new && scopes_of(old).iter().any(|scope| !scopes_of(new).contains(scope)))
    }
}

impl Table {
    /// Adds subscriptions to a connection. With `since` it also asks for past events, and with a session the connection takes its
    /// place. Each replaces the subscription of the same name as a whole. Every event after the return of this method finds
    /// exactly these, until the next change.
    ///
    /// # Errors
    /// [`TableError::NotConnected`] if the connection is not registered or its record has expired at `now`;
    /// [`TableError::NotAuthorised`] if it has not authenticated yet, or its authorisation has expired;
    /// [`TableError::ProofRequired`] if it has yet to prove that it has the key of its token;
    /// [`TableError::TooManySubscriptions`], [`TableError::TooManyScopes`] or [`TableError::LimitExceeded`] if its subscriptions
    /// would exceed a limit; [`TableError::ResumedRecently`], [`TableError::AnotherSession`] or
    /// [`TableError::NotForGroups`] for `since`;
    /// [`TableError::Contended`] if other changes of the connection kept coming first, or
    /// [`TableError::Throttled`]. After all of these the connection is unchanged. [`TableError::TimedOut`] or
    /// [`TableError::Dynamo`]; after these two it is unchanged unless the answer to the last request was lost.
    pub async fn subscribe(
        &self,
        id: &ConnectionId,
        subscriptions: &[Subscription],
        since: Option<&Since>,
        now: EpochMillis,
    ) -> Result<Change, TableError> {
        let is_repeated = AtomicBool::new(false);
        self.change(id, now, |connection| {
            connection.authorisation.check(now)?;
            if let Some(since) = since {
                ask_for_the_past(connection, since, now, is_repeated.swap(true, Ordering::Relaxed))?;
            }
            subscriptions.iter().cloned().for_each(|subscription| connection.add(subscription));
            check(connection)
        })
        .await
    }

    /// Removes a subscription from a connection, and returns the connection after the change. The default subscription may be
    /// absent.
    ///
    /// # Errors
    /// [`TableError::NotSubscribed`] if the connection has no subscription of this name; otherwise as for
    /// [`Table::subscribe`], except for the limits.
    pub async fn unsubscribe(
        &self,
        id: &ConnectionId,
        name: &SubscriptionName,
        now: EpochMillis,
    ) -> Result<Connection, TableError> {
        let change = self.change(id, now, |connection| {
            connection.authorisation.check(now)?;
            if !name.is_default() && connection.subscription(name).is_none() {
                return Err(TableError::NotSubscribed);
            }
            connection.subscriptions.retain(|subscription| subscription.name != *name);
            Ok(())
        });
        Ok(change.await?.after)
    }

    /// Authorises a connection that has not authenticated yet, or renews an authorisation that has not expired. The change
    /// covers the connection and all its interests at once. The subscriptions stay the same. The caller checks the proof that an
    /// unproved connection owes.
    ///
    /// A client without a credential may take the place of its address, but not as a member of a group: the group is another one.
    ///
    /// # Errors
    /// [`TableError::NotAuthorised`] if the authorisation has expired and can no longer be renewed;
    /// [`TableError::AnotherSubject`] if the connection belongs to another subject; otherwise as for [`Table::subscribe`],
    /// except for the limits.
    pub async fn authorise(
        &self,
        id: &ConnectionId,
        grant: &Grant,
        now: EpochMillis,
    ) -> Result<Connection, TableError> {
        let change = self.change(id, now, |connection| {
            if let Authorisation::Granted(held) = &connection.authorisation {
                if !connection.authorisation.is_valid(now) {
                    return Err(TableError::NotAuthorised);
                }
                let may_change = held.is_public() && connection.group.is_none();
                if held.subject != grant.subject && !may_change {
                    return Err(TableError::AnotherSubject);
                }
            }
            connection.authorisation = Authorisation::Granted(grant.clone());
            Ok(())
        });
        Ok(change.await?.after)
    }

    /// Changes a connection and its interests within the time limit.
    async fn change(
        &self,
        id: &ConnectionId,
        now: EpochMillis,
        change: impl Fn(&mut Connection) -> Result<(), TableError>,
    ) -> Result<Change, TableError> {
        let attempts = self.change_in_attempts(id, now, change);
        timeout(TIME, attempts).await.unwrap_or(Err(TableError::TimedOut { operation: OPERATION }))
    }

    async fn change_in_attempts(
        &self,
        id: &ConnectionId,
        now: EpochMillis,
        change: impl Fn(&mut Connection) -> Result<(), TableError>,
    ) -> Result<Change, TableError> {
        let patience = Instant::now() + PATIENCE;
        let mut failure = TableError::Contended;
        // The connection before the last attempt, and as that attempt wanted it.
        let mut tried: Option<(Connection, Connection)> = None;
        for delay in delays(ATTEMPTS) {
            let old = self.find_stored(id, now).await?.ok_or(TableError::NotConnected)?;
            let mut wanted = old.connection.clone();
            change(&mut wanted)?;
            // The last attempt may have been written although its answer was an error.
            let before = match tried.take() {
                Some((before, after)) if after == old.connection => before,
                _ => old.connection.clone(),
            };
            if wanted == old.connection {
                return Ok(Change { before, after: wanted });
            }
            tried = Some((before.clone(), wanted.clone()));
            let group_hash = match old.group_hash {
                None => self.join_group(&wanted, now).await?,
                hash => hash,
            };
            let new = StoredConnection { connection: wanted, revision: old.revision + 1, group_hash };
            failure = match self.replace(&old, new, now).await? {
                Replaced::Done(after) => return Ok(Change { before, after: *after }),
                Replaced::Overtaken => TableError::Contended,
                Replaced::Throttled => TableError::Throttled,
            };
            if Instant::now() + delay >= patience {
                break;
            }
            sleep(delay).await;
        }
        Err(failure)
    }

    /// Replaces a connection and its interests in one transaction.
    async fn replace(
        &self,
        old: &StoredConnection,
        new: StoredConnection,
        now: EpochMillis,
    ) -> Result<Replaced, TableError> {
        let (old_scopes, scopes) = (old.interest_scopes(), new.interest_scopes());
        let has_moved = old.hash() != new.hash();
        let items: Vec<_> = scopes.iter().map(|scope| interest_item(&new, scope)).collect();
        // A renewal or the removal of a subscription is never too large: it adds none.
        let is_new = |subscription| !old.connection.subscriptions.contains(subscription);
        if new.connection.subscriptions.iter().any(is_new) && !is_within_limit(&new, &items) {
            return Err(TableError::LimitExceeded);
        }
        let mut writes = Vec::new();
        for (scope, item) in scopes.iter().zip(items) {
            // An interest that exists and stays the same is not written again.
            if has_moved || !old_scopes.contains(scope) || interest_item(old, scope) != item {
                let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
                writes.push(TransactWriteItem::builder().put(put.map_err(TableError::invalid(OPERATION))?).build());
            }
        }
        let new_keys: Vec<_> = new.interest_keys().collect();
        for key in old.interest_keys().filter(|key| !new_keys.contains(key)) {
            let delete = Delete::builder().table_name(&self.name).set_key(Some(key)).build();
            writes.push(TransactWriteItem::builder().delete(delete.map_err(TableError::invalid(OPERATION))?).build());
        }
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
            Ok(_) => Ok(Replaced::Done(Box::new(new.connection))),
            Err(error) => temporary(&error).ok_or_else(|| TableError::dynamo(OPERATION)(error)),
        }
    }
}

/// Lets a connection ask for past events. It takes the place of the session that it names.
fn ask_for_the_past(
    connection: &mut Connection,
    since: &Since,
    now: EpochMillis,
    is_repeated: bool,
) -> Result<(), TableError> {
    if connection.group.is_some() {
        return Err(TableError::NotForGroups);
    }
    // An attempt before may have been written although its answer was an error.
    let is_own = is_repeated && connection.resumed_at == Some(now);
    if connection.resumed_at.is_some_and(|at| !is_own && now.since(at) < RESUME_INTERVAL) {
        return Err(TableError::ResumedRecently);
    }
    let has_asked = connection.resumed_at.replace(now).is_some();
    if let Since::Position { session, .. } = since {
        // An event that is older than the connection may still be on its way to the session that it left.
        if has_asked && *session != connection.session() {
            return Err(TableError::AnotherSession);
        }
        connection.resumed = Some(session.clone()).filter(|session| session.as_str() != connection.id.as_str());
    }
    Ok(())
}

/// Checks the number of subscriptions and of scopes.
fn check(connection: &Connection) -> Result<(), TableError> {
    if connection.subscriptions.iter().filter(|subscription| !subscription.name.is_default()).count() >= SUBSCRIPTIONS {
        return Err(TableError::TooManySubscriptions);
    }
    if StoredConnection::scopes(connection).len() > SCOPES { Err(TableError::TooManyScopes) } else { Ok(()) }
}

/// The result of one attempt.
enum Replaced {
    Done(Box<Connection>),
    /// Another message of the same connection or its end came first.
    Overtaken,
    /// DynamoDB throttled one of the items.
    Throttled,
}

/// The result of a transaction that was cancelled for a temporary reason; `None` if another attempt would fail as well. The SDK
/// retries a throttled request, but not a transaction with a throttled item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
fn temporary(error: &SdkError<TransactWriteItemsError>) -> Option<Replaced> {
    let cancelled = match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled,
        TransactWriteItemsError::TransactionInProgressException(_) => return Some(Replaced::Overtaken),
        _ => return None,
    };
    let is = |codes: [&str; 2]| {
        cancelled.cancellation_reasons().iter().any(|reason| reason.code().is_some_and(|code| codes.contains(&code)))
    };
    if is(["ConditionalCheckFailed", "TransactionConflict"]) {
        Some(Replaced::Overtaken)
    } else {
        is(["ThrottlingError", "ProvisionedThroughputExceeded"]).then_some(Replaced::Throttled)
    }
}
