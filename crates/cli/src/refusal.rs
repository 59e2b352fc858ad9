//! Explains errors of the client for the terminal, in terms of options and variables.

use entity_stream_client::{
    ClientError, CloseCode, CredentialKind, ErrorCode, ErrorKind, HandshakeRefusal, InvalidCredential,
};

/// The reason in words, with the option or variable to change.
pub(crate) fn explain(error: &ClientError, credential: Option<CredentialKind>) -> String {
    match error {
        ClientError::Url(error) => format!("--url: {error}"),
        ClientError::Subscriptions(error) => format!("--subscription: {error}"),
        ClientError::Credential(error @ InvalidCredential::Token) => {
            format!("--token or ENTITY_STREAM_TOKEN: {error}")
        }
        ClientError::Credential(error) => format!("--api-key: {error}"),
        ClientError::Handshake(refusal) => status(refusal, error.kind(), credential),
        ClientError::Closed { code: CloseCode::PolicyViolation, reason } => {
            format!("refused with close code 1008: {}{}", not_accepted(credential), said(reason))
        }
        ClientError::Closed { code: CloseCode::TryAgainLater, reason } => {
            format!("refused with close code 1013, try again later{}", said(reason))
        }
        // Groups have refusals of this code, too.
        ClientError::Rejected { code: ErrorCode::NotAvailable, message, .. } if message.contains("entity state") => {
            "--entities, --snapshot, --whole and --changes need entity state, which this service does not keep; set \
             ENTITY_STATE=true (EntityState=true), or leave the option out"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// The noun for a kind of credential.
pub(crate) fn noun(credential: CredentialKind) -> &'static str {
    match credential {
        CredentialKind::Token => "token",
        CredentialKind::ApiKey => "API key",
    }
}

fn status(refusal: &HandshakeRefusal, kind: ErrorKind, credential: Option<CredentialKind>) -> String {
    let HandshakeRefusal { status, reason, by_gateway } = refusal;
    let said = said(reason);
    let refused = |text: &str| format!("refused with {status}: {text}{said}");
    match (status, kind) {
        (400, _) => refused("the server does not accept the tenant, the filter, the group or the format"),
        (401, ErrorKind::CredentialRefused) => refused(&match credential {
            Some(credential) => format!("the {} is not accepted; it may have expired", noun(credential)),
            None => missing().to_owned(),
        }),
        (403, _) if *by_gateway => refused("the URL does not end with the right stage"),
        (403, _) => refused(&match credential {
            Some(credential) => {
                format!(
                    "the {} does not allow this tenant, or the URL does not end with the right stage",
                    noun(credential)
                )
            }
            None => "a token is required, or the URL does not end with the right stage".to_owned(),
        }),
        (503, _) if reason.is_empty() => {
            "the server answers 503: event streaming may be switched off, or the server cannot check the credential"
                .to_owned()
        }
        (_, ErrorKind::Unavailable) => format!("the server answers {status}{said}"),
        _ => format!("the server answers {status} instead of a WebSocket handshake{said}"),
    }
}

/// A close does not say whether the token is missing, invalid or for another tenant.
fn not_accepted(credential: Option<CredentialKind>) -> String {
    match credential {
        Some(credential) => format!("the {} is not accepted, or does not allow this tenant", noun(credential)),
        None => missing().to_owned(),
    }
}

fn missing() -> &'static str {
    "a token is required; set ENTITY_STREAM_TOKEN or pass --token"
}

/// The server's own reason, as ` (…)`.
fn said(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

#[cfg(test)]
mod tests {
    use entity_stream_client::InvalidSubscriptions;

    use super::*;

    fn explained(status: u16, reason: &str, by_gateway: bool, credential: Option<CredentialKind>) -> String {
        explain(&HandshakeRefusal { status, reason: reason.to_owned(), by_gateway }.into(), credential)
    }

    #[test]
    fn a_refusal_names_the_thing_to_change() {
        let token = Some(CredentialKind::Token);
        for (status, by_gateway, credential, expected) in [
            (400, false, None, "refused with 400: the server does not accept the tenant"),
            (401, false, None, "ENTITY_STREAM_TOKEN"),
            (401, false, token, "the token is not accepted; it may have expired (why)"),
            (401, false, Some(CredentialKind::ApiKey), "the API key is not accepted"),
            (403, false, token, "the token does not allow this tenant"),
            (403, true, token, "refused with 403: the URL does not end with the right stage (why)"),
            (404, true, None, "the server answers 404 instead of a WebSocket handshake"),
            (502, false, None, "the server answers 502 (why)"),
        ] {
            let text = explained(status, "why", by_gateway, credential);
            assert!(text.contains(expected), "{text}");
        }
        assert!(explained(503, "", false, None).contains("event streaming may be switched off"));
    }

    #[test]
    fn an_invalid_argument_is_named_by_its_option() {
        assert!(explain(&InvalidCredential::Token.into(), None).starts_with("--token or ENTITY_STREAM_TOKEN: "));
        assert!(explain(&InvalidCredential::Key.into(), None).starts_with("--api-key: "));
        assert!(explain(&InvalidSubscriptions::TooMany.into(), None).starts_with("--subscription: "));
    }
}
