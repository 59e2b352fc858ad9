use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::timeout;

/// The longest answer that is read, in bytes.
const HEALTH_BYTES: usize = 64 * 1024;
/// The time that a local system has for its answer.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocalPorts {
    dynamodb_port: u16,
}

/// Asks the local system at this URL for the URL of its DynamoDB.
pub(super) async fn dynamodb_url(url: &str) -> anyhow::Result<String> {
    let asked = format!("{url}/_local/health");
    let unreachable = || format!("cannot reach the local system at {url} (is `entity-stream local` running there?)");
    let uri: Uri = asked.parse().with_context(unreachable)?;
    let host = uri.host().unwrap_or_default().to_owned();
    let answer = async {
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let body = client.get(uri).await.map_err(|error| anyhow!(innermost(&error)))?.into_body();
        let bytes = Limited::new(body, HEALTH_BYTES).collect().await.map_err(|error| anyhow!("{error}"))?.to_bytes();
        anyhow::Ok(bytes)
    };
    let answer = timeout(HEALTH_PATIENCE, answer).await.context("no answer").flatten().with_context(unreachable)?;
    let ports: LocalPorts = serde_json::from_slice(&answer).map_err(|_| {
        anyhow!("{asked} does not tell the port of DynamoDB: this is no local system, or one of another version; pass --dynamodb-url")
    })?;
    Ok(format!("http://{host}:{}", ports.dynamodb_port))
}

/// The innermost cause: the text of the HTTP client names only the kind of an error.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
