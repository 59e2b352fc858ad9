use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;

/// The longest list that is read, in bytes.
const LIST_BYTES: usize = 16 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    error_code: String,
    error_message: String,
    attempts: u64,
    event: Value,
}

/// The reason for which a local system gave up on the event with this id, if it did.
pub(super) async fn reason(endpoint: &str, id: &str) -> Option<String> {
    let uri = format!("{}/_local/dead-letters", endpoint.trim_end_matches('/')).parse().ok()?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let body = client.get(uri).await.ok()?.into_body();
    let bytes = Limited::new(body, LIST_BYTES).collect().await.ok()?.to_bytes();
    let letters: Vec<Letter> = serde_json::from_slice(&bytes).ok()?;
    let letter = letters.into_iter().find(|letter| letter.event.get("id").is_some_and(|found| found == id))?;
    let attempts = crate::terminal::counted(letter.attempts, "attempt");
    Some(format!("{}: {} ({attempts})", letter.error_code, letter.error_message))
}
