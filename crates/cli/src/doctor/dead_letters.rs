use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// The longest list that is read, in bytes.
const LIST_BYTES: usize = 16 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    error_code: String,
    reason: String,
    attempts: Option<u64>,
    event_id: Option<String>,
}

#[derive(Deserialize)]
struct LetterList {
    letters: Vec<Letter>,
}

/// The reason for which a local system gave up on the event with this id, if it did.
pub(super) async fn reason(endpoint: &str, id: &str) -> Option<String> {
    let uri = format!("{}/_local/dead-letters/summary", endpoint.trim_end_matches('/')).parse().ok()?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let body = client.get(uri).await.ok()?.into_body();
    let bytes = Limited::new(body, LIST_BYTES).collect().await.ok()?.to_bytes();
    let LetterList { letters } = serde_json::from_slice(&bytes).ok()?;
    let letter = letters.into_iter().find(|letter| letter.event_id.as_deref() == Some(id))?;
    let attempts = crate::terminal::counted(letter.attempts.unwrap_or(1), "attempt");
    Some(format!("{}: {} ({attempts})", letter.error_code, letter.reason))
}
