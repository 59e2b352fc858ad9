use anyhow::anyhow;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::terminal::printable;

/// Text of the server's that is repeated, in characters.
const REPEATED: usize = 200;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Another attempt would fail as well.
    Final(anyhow::Error),
    /// The same, because of who we are, or are not.
    Refused(anyhow::Error),
    /// Another attempt may succeed.
    Passing(String),
}

/// Why a handshake failed.
pub(crate) fn handshake(error: &Error, credential: Option<&str>) -> Failure {
    match error {
        Error::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            status(response.status(), &body, credential)
        }
        // What rustls has to say about a certificate.
        Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Failure::Final(anyhow!("the server's certificate or TLS is not acceptable: {error}"))
        }
        Error::Io(error) => Failure::Passing(error.to_string()),
        Error::Tls(error) => Failure::Final(anyhow!("cannot use TLS: {error}")),
        Error::Protocol(error) => Failure::Passing(format!("the server broke off the handshake: {error}")),
        other => Failure::Final(anyhow!("{other}")),
    }
}

/// What a status means that is not the end of a handshake.
pub(crate) fn status(status: StatusCode, body: &str, credential: Option<&str>) -> Failure {
    let said = said(body);
    let with = |text: &str| Failure::Final(anyhow!("refused with {}: {text}{said}", status.as_u16()));
    match status {
        StatusCode::BAD_REQUEST => with("the server does not accept the tenant, the filter or the format"),
        StatusCode::UNAUTHORIZED => with(&unauthorized(credential)),
        StatusCode::FORBIDDEN => with(&match credential {
            Some(noun) => {
                format!("the {noun} does not allow this tenant, or the URL does not end with the right stage")
            }
            None => "the URL does not end with the right stage, or a token is required".to_owned(),
        }),
        StatusCode::SERVICE_UNAVAILABLE if said.is_empty() => Failure::Passing(
            "the server answers 503: event streaming may be switched off, or the credential cannot be checked"
                .to_owned(),
        ),
        other if other.is_server_error() || other == StatusCode::TOO_MANY_REQUESTS => {
            Failure::Passing(format!("the server answers {}{said}", other.as_u16()))
        }
        other => {
            Failure::Final(anyhow!("the server answers {} instead of a WebSocket handshake{said}", other.as_u16()))
        }
    }
}

/// What a close means that was not ours.
pub(super) fn close(frame: Option<&CloseFrame>, credential: Option<&str>) -> Failure {
    let Some(frame) = frame else { return Failure::Passing("the server closed the connection".to_owned()) };
    let reason = shortened(frame.reason.as_str());
    let code = u16::from(frame.code);
    if frame.code == CloseCode::Policy {
        let said = if reason.is_empty() { reason } else { format!(" ({reason})") };
        return Failure::Refused(anyhow!("refused with close code {code}: {}{said}", policy(credential)));
    }
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Failure::Passing(format!("the server closed the connection with {code}{reason}"))
}

/// A close does not say whether the token is missing, invalid or another tenant's.
fn policy(credential: Option<&str>) -> String {
    match credential {
        Some(noun) => format!("the {noun} is not accepted, or does not allow this tenant"),
        None => unauthorized(None),
    }
}

fn unauthorized(credential: Option<&str>) -> String {
    match credential {
        Some(noun) => format!("the {noun} is not accepted; it may have expired"),
        None => "a token is required; give it with --token or ENTITY_STREAM_TOKEN".to_owned(),
    }
}

/// The server's own reason, as ` (…)`.
fn said(body: &str) -> String {
    #[derive(Deserialize)]
    struct Body {
        message: String,
    }
    let message = serde_json::from_str(body).map_or_else(|_| body.to_owned(), |body: Body| body.message);
    let message = shortened(&message);
    if message.is_empty() || message.starts_with('<') { String::new() } else { format!(" ({message})") }
}

fn shortened(text: &str) -> String {
    printable(text.trim()).chars().take(REPEATED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_final(failure: &Failure) -> bool {
        matches!(failure, Failure::Final(_) | Failure::Refused(_))
    }

    fn text(failure: Failure) -> String {
        match failure {
            Failure::Final(error) | Failure::Refused(error) => error.to_string(),
            Failure::Passing(text) => text,
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (code, expected) in [(400, true), (401, true), (403, true), (404, true), (200, true), (301, true)]
            .into_iter()
            .chain([(429, false), (500, false), (502, false), (503, false), (504, false)])
        {
            assert_eq!(is_final(&status(StatusCode::from_u16(code).unwrap(), "", None)), expected, "{code}");
        }
        for (code, expected) in [(CloseCode::Policy, true), (CloseCode::Away, false), (CloseCode::Error, false)] {
            let frame = CloseFrame { code, reason: "why".into() };
            assert_eq!(is_final(&close(Some(&frame), Some("token"))), expected, "{code}");
        }
        assert!(!is_final(&close(None, None)));
    }

    #[test]
    fn repeats_what_the_server_says_in_moderation() {
        let refused = |body: &str| text(status(StatusCode::UNAUTHORIZED, body, Some("token")));
        assert!(refused(r#"{"message":"expired"}"#).ends_with("(expired)"));
        assert!(refused("\u{1b}[2Jno").ends_with("(\u{fffd}[2Jno)"));
        assert!(!refused("<html>").contains("html"));
        assert!(refused(&"x".repeat(9999)).len() < 400);
        assert!(text(status(StatusCode::UNAUTHORIZED, "", None)).contains("ENTITY_STREAM_TOKEN"));
    }
}
