use entity_stream_auth::{Refusal, Refused};
use entity_stream_connections::TableError;
use entity_stream_protocol::{AccessToken, ClientMessage, ErrorCode, ServerMessage};
use entity_stream_runtime::{Caller, grant, note_refusal};

use crate::{DefaultRoute, refuse};

impl DefaultRoute {
    /// Authorises a connection that came without a credential, or renews one before its token expires: for the same
    /// subject, and a tenant that the fresh token still allows.
    pub(crate) async fn authenticate(
        &self,
        caller: &Caller,
        message: &ClientMessage,
        token: &AccessToken,
    ) -> ServerMessage {
        let Some(authenticator) = &self.authenticator else {
            let text = "this connection takes no tokens: authentication is switched off";
            return ServerMessage::Error(message.reject(ErrorCode::Unauthorized, text));
        };
        let now = self.clock.now();
        let connection = match self.table.find(&caller.connection_id, now).await {
            Ok(Some(connection)) => connection,
            Ok(None) => return refuse(message, &TableError::NotConnected),
            Err(error) => return refuse(message, &error),
        };
        tracing::Span::current().record("tenant", connection.tenant.as_str());
        let identity = match authenticator.admit_token(token.expose(), &connection.tenant, now).await {
            Ok(identity) => identity,
            Err(refused) => {
                note_refusal(&refused, caller);
                let known = refused.reason.status() == 403;
                let code = if known { ErrorCode::Forbidden } else { ErrorCode::Unauthorized };
                return ServerMessage::Error(message.reject(code, refused.reason.message()));
            }
        };
        let grant = grant(identity);
        match self.table.authorise(&caller.connection_id, &grant, now).await {
            Ok(_) => {
                tracing::info!(subject = grant.subject, "authenticated");
                ServerMessage::Authenticated(grant.until, message.request_id.clone())
            }
            Err(error) => {
                if matches!(error, TableError::AnotherSubject) {
                    let refused = Refused { reason: Refusal::AnotherSubject, subject: Some(grant.subject) };
                    note_refusal(&refused, caller);
                }
                refuse(message, &error)
            }
        }
    }
}
