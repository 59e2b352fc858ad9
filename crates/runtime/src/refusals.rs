use entity_stream_auth::Refused;

use crate::gateway_event::Caller;

/// The metric that counts refusals by their reason.
const REFUSALS: &str = "Refusals";

/// Logs and counts the refusal of a client. Tenant and request id are fields of the current span. The credential is not an
/// argument, so it cannot reach the log.
pub fn note_refusal(refused: &Refused, caller: &Caller) {
    let reason = refused.reason.reason();
    metrics::counter!(REFUSALS, "reason" => reason).increment(1);
    tracing::warn!(reason, subject = refused.subject, source_ip = caller.source_ip, "refused");
}
