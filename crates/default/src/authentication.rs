use std::time::Duration;

use entity_stream_auth::{Refusal, Refused, Verifier};
use entity_stream_connections::{Authorisation, Connection, Grant, Table, TableError};
use entity_stream_protocol::{AccessToken, Answer, ClientMessage, EpochMillis, ErrorCode};
use entity_stream_runtime::Caller;

use crate::refusal::{refuse, refuse_token};

/// The longest time from the handshake of a client without a credential to its `authenticate`. Clients send it first. Open
/// connections without authentication cost money and never receive an event.
const AUTHENTICATION_TIME: Duration = Duration::from_secs(60);

/// Checks the authorisation of connections, and changes it.
#[derive(Clone, Debug)]
pub(crate) struct Authentication {
    /// `None` accepts no tokens.
    pub(crate) verifier: Option<Verifier>,
    /// Clients may connect without a credential.
    pub(crate) in_band: bool,
    /// The most connections of one subject to one tenant.
    pub(crate) most_connections: usize,
    pub(crate) table: Table,
}

impl Authentication {
    /// Authorises a connection that came without a credential, or renews its authorisation before the token expires. A renewal
    /// needs the same subject, and a token that gives access to the tenant of the connection.
    pub(crate) async fn authenticate(
        &self,
        caller: &Caller,
        message: &ClientMessage,
        token: &AccessToken,
        now: EpochMillis,
    ) -> Answer {
        let Some(verifier) = &self.verifier else {
            let text = "this connection takes no tokens: authentication is switched off";
            return Answer::Error(message.reject(ErrorCode::Unauthorized, text));
        };
        let connection = match self.table.find(&caller.connection_id, now).await {
            Ok(Some(connection)) => connection,
            Ok(None) => return refuse(message, &TableError::NotConnected),
            Err(error) => return refuse(message, &error),
        };
        tracing::Span::current().record("tenant", connection.tenant.as_str());
        let identity = match verifier.admit(token.expose(), &connection.tenant, now).await {
            Ok(identity) => identity,
            Err(refused) => return refuse_token(caller, message, &refused),
        };
        let grant = Grant::new(identity.subject, identity.role.as_str(), identity.expires_at);
        match self.grant(connection, &grant, now).await {
            Ok(()) => {
                tracing::info!(subject = grant.subject, "authenticated");
                Answer::Authenticated { expires_at: grant.until, request_id: message.request_id.clone() }
            }
            Err(error) => {
                let reason = match error {
                    TableError::AnotherSubject => Refusal::AnotherSubject,
                    TableError::NotAuthorised => Refusal::LateRenewal,
                    TableError::TooManyConnections => Refusal::TooManyConnections,
                    error => return refuse(message, &error),
                };
                refuse_token(caller, message, &Refused { reason, subject: Some(grant.subject) })
            }
        }
    }

    /// Authorises a connection. A connection that came without a credential takes a slot of its subject.
    async fn grant(&self, mut connection: Connection, grant: &Grant, now: EpochMillis) -> Result<(), TableError> {
        let is_new = connection.authorisation == Authorisation::Pending;
        connection.authorisation = Authorisation::Granted(grant.clone());
        let slot = connection.slot().filter(|_| is_new);
        if let Some(slot) = &slot {
            self.table.take_slot(slot, self.most_connections, now).await?;
        }
        let authorised = self.table.authorise(&connection.id, grant, now).await;
        if let (Some(slot), Err(TableError::NotConnected | TableError::AnotherSubject)) = (&slot, &authorised) {
            // The connection has ended or belongs to another subject, so no end of it frees this slot.
            if let Err(error) = self.table.free_slot(slot).await {
                tracing::warn!(%error, "a slot stays taken until it is missed or expires");
            }
        }
        authorised.map(drop)
    }

    /// Checks that a connection may receive answers. Only a deployment that accepts clients without a credential needs the
    /// record of the connection for that.
    ///
    /// # Errors
    /// [`TableError::NotAuthorised`], or the table cannot be read.
    pub(crate) async fn check(&self, caller: &Caller, now: EpochMillis) -> Result<(), TableError> {
        if !self.accepts_anonymous_clients() {
            return Ok(());
        }
        match self.table.find(&caller.connection_id, now).await? {
            Some(connection) if !connection.authorisation.is_valid(now) => Err(TableError::NotAuthorised),
            _ => Ok(()),
        }
    }

    /// True if a connection has used up its time to authenticate. API Gateway ends a connection that sends nothing at all.
    ///
    /// # Errors
    /// The table cannot be read.
    pub(crate) async fn is_overdue(&self, caller: &Caller, now: EpochMillis) -> Result<bool, TableError> {
        if !self.accepts_anonymous_clients() || now.since(caller.connected_at) < AUTHENTICATION_TIME {
            return Ok(false);
        }
        let connection = self.table.find(&caller.connection_id, now).await?;
        Ok(connection.is_some_and(|connection| connection.authorisation == Authorisation::Pending))
    }

    fn accepts_anonymous_clients(&self) -> bool {
        self.verifier.is_some() && self.in_band
    }
}
