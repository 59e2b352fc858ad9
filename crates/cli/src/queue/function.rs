use anyhow::{anyhow, bail};
use aws_config::SdkConfig;
use serde::Deserialize;

use super::access::QueueAccess;
use super::signed_invoke::{InvokeAnswer, invoke};
use crate::terminal::printable;

/// The name of the function in a local system.
const LOCAL_FUNCTION: &str = "broadcast";

/// The broadcast function, in the system to which the queue belongs.
#[derive(Debug)]
pub(crate) struct BroadcastFunction<'a> {
    config: &'a SdkConfig,
    name: String,
}

/// The counts of a replay, as the function reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ReplayResult {
    pub(crate) matched: u64,
    pub(crate) delivered: u64,
    pub(crate) undeliverable: u64,
    pub(crate) continued: u64,
    pub(crate) duplicates: u64,
}

/// The error of a function, and the errors of Lambda itself.
#[derive(Deserialize)]
struct InvokeFailure {
    #[serde(default, rename = "errorType", alias = "Type")]
    kind: String,
    #[serde(default, rename = "errorMessage", alias = "Message", alias = "message")]
    text: String,
}

impl<'a> BroadcastFunction<'a> {
    /// The function with this name or ARN. A local system needs no name.
    pub(crate) fn new(queue: &'a QueueAccess, name: Option<&str>) -> anyhow::Result<Self> {
        let name = match name.or(queue.function.as_deref()) {
            Some(name) => name.to_owned(),
            None if queue.is_local => LOCAL_FUNCTION.to_owned(),
            None => bail!("--function is missing: the output BroadcastFunctionName of the stack"),
        };
        Ok(Self { config: &queue.config, name })
    }

    /// Invokes the function with the payload of a dead letter.
    pub(crate) async fn replay(&self, payload: &str) -> anyhow::Result<ReplayResult> {
        let InvokeAnswer { status, failed, body } = invoke(self.config, &self.name, payload).await?;
        if status.is_success() && !failed {
            return Ok(serde_json::from_slice(&body).unwrap_or_default());
        }
        let name = printable(&self.name);
        Err(match serde_json::from_slice::<InvokeFailure>(&body) {
            Ok(InvokeFailure { kind, text }) if failed => {
                anyhow!("the function {name} failed: {}", printable(&format!("{kind}: {text}")))
            }
            Ok(InvokeFailure { text, .. }) if !text.is_empty() => {
                anyhow!("the function {name} cannot be invoked: {}", printable(&text))
            }
            _ => anyhow!("the function {name} cannot be invoked: Lambda answered {}", status.as_u16()),
        })
    }
}
