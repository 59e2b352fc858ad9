use std::time::Duration;

use entity_stream_client::{Client, ClientError, CloseCode, EntityStream, ErrorKind, StreamItem};
use tokio::time::{Instant, timeout};

use crate::doctor::diagnosis::{Check, Diagnosis, Finding};
use crate::refusal::{explain, noun};

/// The time that the check without a credential may take.
const PROBE: Duration = Duration::from_secs(35);

/// Checks the credential, which some servers judge only after the handshake, and the answer to `subscribe`. `anonymous` is
/// the same client without a credential. Returns whether the filter is in force.
pub(super) async fn check(
    stream: &mut EntityStream,
    (client, anonymous): (&Client, &Client),
    credential_advice: &str,
    diagnosis: &mut Diagnosis,
) -> bool {
    let started = Instant::now();
    let credential = client.credential();
    if let Err(error) = subscribed(stream).await {
        let reason = explain(&error, credential);
        diagnosis.add(match error.kind() {
            ErrorKind::CredentialRefused => Finding::failed(Check::Credential, reason).advise(credential_advice),
            // The local system decides after the handshake. API Gateway answers the handshake with 429 or 503.
            ErrorKind::Unavailable if is_refused_for_now(&error) => Finding::failed(Check::Credential, reason).advise(
                "set EVENT_STREAMING_ENABLED=true for the functions if streaming is off; otherwise try again later",
            ),
            _ => Finding::failed(Check::Subscribe, reason)
                .advise("read the log of the default function; it answers through @connections, at WS_API_ENDPOINT")
                .took(started.elapsed()),
        });
        return false;
    }
    let took = started.elapsed();
    diagnosis.add(match credential.map(noun) {
        None => Finding::passed(Check::Credential, "not required: every client may listen"),
        Some(noun) if is_open(anonymous).await => {
            // The server may have checked it: in a public tenant, a client with a credential is judged by it.
            let finding = Finding::warning(
                Check::Credential,
                format!("a client with the {noun} may listen, and clients without one may listen too"),
            );
            finding.advise(
                "set AUTH_ENABLED=true for the functions, and leave the tenant out of PUBLIC_TENANTS, unless it is meant \
                 to be public",
            )
        }
        Some(noun) => {
            Finding::passed(Check::Credential, format!("the {noun} is accepted, and clients without one are refused"))
        }
    });
    diagnosis.add(Finding::passed(Check::Subscribe, "acknowledged").took(took));
    true
}

/// Waits until the filter is in force.
async fn subscribed(stream: &mut EntityStream) -> Result<(), ClientError> {
    loop {
        match stream.try_next().await? {
            Some(StreamItem::Subscribed { .. }) => return Ok(()),
            Some(_) => {}
            None => return Err(ClientError::Closed { code: CloseCode::Abnormal, reason: String::new() }),
        }
    }
}

fn is_refused_for_now(error: &ClientError) -> bool {
    matches!(error, ClientError::Closed { code: CloseCode::TryAgainLater, .. })
}

/// True if a client without a credential may listen.
async fn is_open(anonymous: &Client) -> bool {
    let mut stream = anonymous.connect();
    let answered = timeout(PROBE, subscribed(&mut stream)).await;
    stream.close().await;
    matches!(answered, Ok(Ok(())))
}
