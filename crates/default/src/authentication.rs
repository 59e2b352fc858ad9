use std::time::Duration;

use entity_stream_auth::{ProofBinding, Refusal, Refused, Verified, Verifier};
use entity_stream_connections::{Authorisation, Connection, Grant, Slot, Table, TableError, UnprovedGrant};
use entity_stream_protocol::limits::PROOF_TIME;
use entity_stream_protocol::{AccessToken, Answer, ClientMessage, DpopProof, EpochMillis, ErrorCode};
use entity_stream_runtime::Caller;

use crate::proof::{ProofProblem, check_proof};
use crate::refusal::{refuse, refuse_proof, refuse_token};

/// The longest time from the handshake of a client without a credential to its `authenticate`. Clients send it first. Open
/// connections without authentication cost money and never receive an event.
const AUTHENTICATION_TIME: Duration = Duration::from_secs(60);

/// Checks the authorisation of connections, and changes it.
#[derive(Clone, Debug)]
pub(crate) struct Authentication {
    /// `None` accepts no tokens.
    pub(crate) verifier: Option<Verifier>,
    /// The most connections of one subject to one tenant.
    pub(crate) most_connections: usize,
    pub(crate) table: Table,
}

impl Authentication {
    /// Authorises a connection that came without a credential, or renews its authorisation before the token expires. A renewal
    /// needs the same subject, and a token that gives access to the tenant of the connection. A token that is bound to a key needs a
    /// proof.
    pub(crate) async fn authenticate(
        &self,
        caller: &Caller,
        message: &ClientMessage,
        (token, proof): (&AccessToken, Option<&DpopProof>),
        now: EpochMillis,
    ) -> Answer {
        let Some(verifier) = &self.verifier else { return takes_no_tokens(message) };
        let connection = match self.table.find(&caller.connection_id, now).await {
            Ok(Some(connection)) => connection,
            Ok(None) => return refuse(message, &TableError::NotConnected),
            Err(error) => return refuse(message, &error),
        };
        tracing::Span::current().record("tenant", connection.tenant.as_str());
        if let Authorisation::Unproved(_) = connection.authorisation {
            return refuse(message, &TableError::ProofRequired);
        }
        let Verified { identity, binding } = match verifier.admit(token.expose(), &connection.tenant, now).await {
            Ok(verified) => verified,
            Err(refused) => return refuse_token(caller, message, &refused),
        };
        let grant = Grant::new(identity.subject, identity.role.as_str(), identity.expires_at);
        if let Some(binding) = binding {
            let Some(proof) = proof else {
                let refused = Refused { reason: Refusal::ProofRequired, subject: Some(grant.subject) };
                return refuse_token(caller, message, &refused);
            };
            if let Err(problem) = check_proof(&self.table, &binding, caller, proof, now).await {
                return refuse_possession(caller, message, problem, grant.subject);
            }
        }
        match self.grant(connection, &grant, now).await {
            Ok(()) => {
                tracing::info!(subject = grant.subject, "authenticated");
                Answer::Authenticated { expires_at: grant.until, request_id: message.request_id.clone() }
            }
            Err(error) => refuse_grant(caller, message, &error, grant.subject),
        }
    }

    /// Authorises a connection whose token is bound to a key, if its client proves that it has the key.
    pub(crate) async fn bind(
        &self,
        caller: &Caller,
        message: &ClientMessage,
        proof: &DpopProof,
        now: EpochMillis,
    ) -> Answer {
        if self.verifier.is_none() {
            return takes_no_tokens(message);
        }
        let connection = match self.table.find(&caller.connection_id, now).await {
            Ok(Some(connection)) => connection,
            Ok(None) => return refuse(message, &TableError::NotConnected),
            Err(error) => return refuse(message, &error),
        };
        tracing::Span::current().record("tenant", connection.tenant.as_str());
        let Authorisation::Unproved(UnprovedGrant { grant, key, token }) = connection.authorisation.clone() else {
            let text = "this connection waits for no proof; send dpop_bind once, after a handshake with a token that is bound to a key";
            return Answer::Error(message.reject(ErrorCode::InvalidMessage, text));
        };
        if is_late(caller, now) {
            let text = "the proof came more than 5 seconds after the opening of the connection, which is closed; connect again";
            return Answer::Error(message.reject(ErrorCode::NotConnected, text));
        }
        if grant.until.is_some_and(|until| until <= now) {
            return refuse_token(caller, message, &Refused { reason: Refusal::Expired, subject: Some(grant.subject) });
        }
        if let Err(problem) = check_proof(&self.table, &ProofBinding { key, token }, caller, proof, now).await {
            return refuse_possession(caller, message, problem, grant.subject);
        }
        match self.grant(connection, &grant, now).await {
            Ok(()) => {
                tracing::info!(subject = grant.subject, "proved the possession of its key");
                Answer::DpopVerified { request_id: message.request_id.clone() }
            }
            Err(error) => refuse_grant(caller, message, &error, grant.subject),
        }
    }

    /// Authorises a connection. A connection without a slot of the subject takes one.
    async fn grant(&self, mut connection: Connection, grant: &Grant, now: EpochMillis) -> Result<(), TableError> {
        let former = connection.slot();
        connection.authorisation = Authorisation::Granted(grant.clone());
        let slot = connection.slot().filter(|slot| former.as_ref() != Some(slot));
        if let Some(slot) = &slot {
            self.table.take_slot(slot, self.most_connections, now).await?;
        }
        let authorised = self.table.authorise(&connection.id, grant, now).await;
        if let (Some(slot), Err(TableError::NotConnected | TableError::AnotherSubject)) = (&slot, &authorised) {
            // The connection has ended or belongs to another subject, so no end of it frees this slot.
            self.free(slot).await;
        }
        if let (Some(_), Some(former), Ok(_)) = (&slot, &former, &authorised) {
            self.free(former).await;
        }
        authorised.map(drop)
    }

    async fn free(&self, slot: &Slot) {
        if let Err(error) = self.table.free_slot(slot).await {
            tracing::warn!(%error, "a slot stays taken until it is missed or expires");
        }
    }

    /// Checks that a connection may receive answers. A deployment without tokens needs no record of the connection for that.
    ///
    /// # Errors
    /// [`TableError::NotAuthorised`], [`TableError::ProofRequired`], or the table cannot be read.
    pub(crate) async fn check(&self, caller: &Caller, now: EpochMillis) -> Result<(), TableError> {
        if self.verifier.is_none() {
            return Ok(());
        }
        match self.table.find(&caller.connection_id, now).await? {
            Some(connection) => connection.authorisation.check(now),
            None => Ok(()),
        }
    }

    /// True if a connection has used up its time to authenticate, or to prove that it has the key of its token. API Gateway ends a
    /// connection that sends nothing at all.
    ///
    /// # Errors
    /// The table cannot be read.
    pub(crate) async fn is_overdue(&self, caller: &Caller, now: EpochMillis) -> Result<bool, TableError> {
        if self.verifier.is_none() || !is_late(caller, now) {
            return Ok(false);
        }
        let connection = self.table.find(&caller.connection_id, now).await?;
        Ok(connection.is_some_and(|connection| match connection.authorisation {
            Authorisation::Pending => now.since(caller.connected_at) >= AUTHENTICATION_TIME,
            Authorisation::Unproved(_) => true,
            Authorisation::Open | Authorisation::Granted(_) => false,
        }))
    }
}

/// True if a connection has used up its time to prove that it has a key.
fn is_late(caller: &Caller, now: EpochMillis) -> bool {
    now.since(caller.connected_at) >= PROOF_TIME
}

fn takes_no_tokens(message: &ClientMessage) -> Answer {
    let text = "this connection takes no tokens: authentication is switched off";
    Answer::Error(message.reject(ErrorCode::Unauthorized, text))
}

fn refuse_possession(caller: &Caller, message: &ClientMessage, problem: ProofProblem, subject: String) -> Answer {
    match problem {
        ProofProblem::Invalid(reason) => refuse_proof(caller, message, reason, subject),
        ProofProblem::Table(error) => refuse(message, &error),
    }
}

fn refuse_grant(caller: &Caller, message: &ClientMessage, error: &TableError, subject: String) -> Answer {
    let reason = match error {
        TableError::AnotherSubject => Refusal::AnotherSubject,
        TableError::NotAuthorised => Refusal::LateRenewal,
        TableError::TooManyConnections => Refusal::TooManyConnections,
        error => return refuse(message, error),
    };
    refuse_token(caller, message, &Refused { reason, subject: Some(subject) })
}
