use entity_stream_auth::{Refusal, Refused};
use entity_stream_connections::TableError;
use entity_stream_protocol::{AccessToken, Answer, ClientMessage, ErrorCode};
use entity_stream_runtime::{Caller, grant, note_refusal};

use crate::{DefaultRoute, refuse};

impl DefaultRoute {
    /// Authorises a connection that came without a credential, or renews one before its token expires: for the same
    /// subject, and a tenant that the fresh token still allows.
    pub(crate) async fn authenticate(&self, caller: &Caller, message: &ClientMessage, token: &AccessToken) -> Answer {
        let Some(verifier) = &self.verifier else {
            let text = "this connection takes no tokens: authentication is switched off";
            return Answer::Error(message.reject(ErrorCode::Unauthorized, text));
        };
        let now = self.clock.now();
        let connection = match self.table.find(&caller.connection_id, now).await {
            Ok(Some(connection)) => connection,
            Ok(None) => return refuse(message, &TableError::NotConnected),
            Err(error) => return refuse(message, &error),
        };
        tracing::Span::current().record("tenant", connection.tenant.as_str());
        let identity = match verifier.admit(token.expose(), &connection.tenant, now).await {
            Ok(identity) => identity,
            Err(refused) => return refuse_credential(caller, message, &refused),
        };
        let grant = grant(identity);
        match self.table.authorise(&caller.connection_id, &grant, now).await {
            Ok(_) => {
                tracing::info!(subject = grant.subject, "authenticated");
                Answer::Authenticated { expires_at: grant.until, request_id: message.request_id.clone() }
            }
            Err(error) => {
                let reason = match error {
                    TableError::AnotherSubject => Refusal::AnotherSubject,
                    TableError::NotAuthorised => Refusal::LateRenewal,
                    error => return refuse(message, &error),
                };
                refuse_credential(caller, message, &Refused { reason, subject: Some(grant.subject) })
            }
        }
    }
}

/// Logs and counts a refusal, and tells the client.
fn refuse_credential(caller: &Caller, message: &ClientMessage, refused: &Refused) -> Answer {
    note_refusal(refused, caller);
    let code = match refused.reason.status() {
        403 => ErrorCode::Forbidden,
        503 => ErrorCode::Internal,
        _ => ErrorCode::Unauthorized,
    };
    Answer::Error(message.reject(code, refused.reason.message()))
}
