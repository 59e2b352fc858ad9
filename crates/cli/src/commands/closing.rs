//! Closes connections through the `@connections` API.

use anyhow::{Context, anyhow, ensure};
use entity_stream_delivery::{CloseError, Endpoint, ManagementApi, backoff};
use entity_stream_local::aws_config;
use entity_stream_protocol::ConnectionId;
use http::Uri;

use crate::aws::Aws;
use crate::system::DeployedSystem;
use crate::terminal;
use crate::terminal::shown_url;

/// The `@connections` endpoint of the local system.
const LOCAL_API: &str = "http://localhost:3000/local";

/// The number of attempts to close one connection.
const ATTEMPTS: usize = 4;

/// The API at a URL, with the usual AWS credentials if it is deployed.
pub(super) async fn management_api(
    url: &str,
    system: Option<&DeployedSystem>,
    profile: Option<&str>,
    named_region: Option<&str>,
) -> anyhow::Result<ManagementApi> {
    let endpoint =
        Endpoint::parse(url).map_err(|error| anyhow!("--api: {error}; the local system's is {LOCAL_API}"))?;
    let uri = url.parse::<Uri>().ok();
    let uri = uri.with_context(|| format!("--api must be a URL such as {LOCAL_API}; found `{}`", shown_url(url)))?;
    // Real credentials are not sent unencrypted.
    let config = if uri.scheme_str() == Some("https") {
        let region = named_region.or_else(|| region(uri.host()?)).or_else(|| system?.region());
        let profile = profile.or_else(|| system?.profile());
        Aws { profile, region, endpoint: None }.load().await?
    } else {
        aws_config(url)
    };
    Ok(ManagementApi::new(&config, endpoint))
}

/// Closes connections and prints the result of each. Fails if one of them could not be closed; `url` names the API.
pub(super) async fn close_all(api: &ManagementApi, ids: &[ConnectionId], url: &str) -> anyhow::Result<()> {
    // A reader that is gone does not end the work.
    let (mut failed, mut printed) = (0, Ok(()));
    for id in ids {
        match close(api, id).await {
            Ok(line) => printed = printed.and(terminal::line(line)),
            Err(reason) => {
                failed += 1;
                terminal::note(format!("{id}: {reason}"));
            }
        }
    }
    let (place, all) = (shown_url(url), terminal::counted(ids.len() as u64, "connection"));
    ensure!(failed == 0, "{failed} of {all} could not be closed through {place}");
    printed
}

/// Closes one connection. Returns the result as a sentence.
async fn close(api: &ManagementApi, id: &ConnectionId) -> Result<String, String> {
    let mut delays = backoff().take(ATTEMPTS - 1);
    loop {
        let closed = api.close(id).await;
        if closed.as_ref().is_err_and(CloseError::is_retryable)
            && let Some(delay) = delays.next()
        {
            tokio::time::sleep(delay).await;
            continue;
        }
        return match closed {
            Ok(()) => Ok(format!("closed {id}")),
            Err(CloseError::Gone) => Ok(format!("{id} was already gone")),
            Err(CloseError::Invalid(_)) => {
                Err("this is no id of a connection; `entity-stream connections list` shows them".to_owned())
            }
            Err(CloseError::Forbidden(reason)) => Err(format!(
                "{reason}: check that the URL ends with the right stage, and that execute-api:ManageConnections is allowed"
            )),
            Err(error) => Err(error.to_string()),
        };
    }
}

/// The region in the host name of an API Gateway endpoint. `None` for a custom domain.
fn region(host: &str) -> Option<&str> {
    let (_, rest) = host.split_once(".execute-api.")?;
    rest.split_once('.').map(|(region, _)| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_read_from_the_endpoint() {
        assert_eq!(region("a1b2.execute-api.eu-west-1.amazonaws.com"), Some("eu-west-1"));
        assert_eq!(region("a1b2.execute-api.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
        assert_eq!(region("stream.example.com"), None);
    }
}
