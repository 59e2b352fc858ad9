use entity_stream_auth::{Identity, Refused};
use entity_stream_connections::Grant;

use crate::Caller;

/// The metric that counts refusals, by their reason.
const REFUSALS: &str = "Refusals";

/// Logs and counts that somebody may not listen. Tenant and request id are fields of the current span. The credential
/// itself is not known here, and so cannot slip into a log.
pub fn note_refusal(refused: &Refused, caller: &Caller) {
    let reason = refused.reason.reason();
    metrics::counter!(REFUSALS, "reason" => reason).increment(1);
    tracing::warn!(reason, subject = refused.subject, source_ip = caller.source_ip, "refused");
}

/// What an identity is granted on a connection.
pub fn grant(identity: Identity) -> Grant {
    Grant { subject: identity.subject, role: identity.role.to_string(), until: identity.expires_at }
}
