use std::error::Error;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use entity_stream_local::{DEAD_LETTER_QUEUE_PATH, aws_config};
use futures_util::{StreamExt, stream};
use http::Uri;

use super::held::HeldLetter;
use crate::aws::Aws;
use crate::bus::{LOCAL, check_endpoint};
use crate::system::{ChosenSystem, StackOutput, TargetOption};
use crate::terminal::{self, printable, shown_url};

/// The most messages that a command receives.
pub(crate) const MOST: usize = 1000;
/// The messages of one request.
const PAGE: i32 = 10;
/// The messages that are given back at the same time.
const AT_ONCE: usize = 8;

/// The options that name the queue.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Queue")]
pub(crate) struct QueueOptions {
    #[command(flatten)]
    target: TargetOption,
    /// The dead-letter queue of a deployed system, with the usual AWS credentials [default: that of the target]
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// The endpoint of a local system, or of SQS and Lambda [default: that of the target]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// The AWS profile with the credentials [default: that of the target] [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The region of the queue [default: the region in its URL]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct QueueAccess {
    client: Client,
    url: String,
    /// The name of the queue in messages.
    shown: String,
    /// The broadcast function, if the target names it.
    pub(super) function: Option<String>,
    pub(super) config: SdkConfig,
    pub(super) is_local: bool,
}

impl QueueOptions {
    /// A client of the queue, which has credentials and has sent nothing yet.
    pub(crate) async fn access(&self) -> anyhow::Result<QueueAccess> {
        if let Some(endpoint) = &self.endpoint_url {
            check_endpoint(endpoint)?;
        }
        let endpoint = self.endpoint_url.as_deref();
        // The endpoint alone is that of a local system, whatever the target is.
        let system = if endpoint.is_some() && self.queue_url.is_none() { None } else { Some(self.target.system()?) };
        let deployed = system.as_ref().and_then(ChosenSystem::deployed);
        let function = deployed.and_then(|system| system.get(StackOutput::BroadcastFunctionName)).map(str::to_owned);
        let queue_url = match (&self.queue_url, deployed) {
            (Some(url), _) => Some(url.as_str()),
            (None, Some(system)) => Some(system.need(StackOutput::DeadLetterQueueUrl, "--queue-url URL")?),
            (None, None) => None,
        };
        let (config, url, shown, is_local) = match queue_url {
            Some(url) => {
                let uri = url.parse::<Uri>().ok().filter(|uri| uri.host().is_some() && uri.path().len() > 1);
                let uri = uri.with_context(|| {
                    let example = "https://sqs.eu-west-1.amazonaws.com/123456789012/NAME";
                    format!("--queue-url must be the URL of a queue, such as {example}; found `{}`", shown_url(url))
                })?;
                let region = self.region.as_deref().or_else(|| region(uri.host()?)).or_else(|| deployed?.region());
                let profile = self.profile.as_deref().or_else(|| deployed?.profile());
                let config = Aws { profile, region, endpoint }.load().await?;
                (config, url.to_owned(), format!("the dead-letter queue {}", shown_url(url)), false)
            }
            None => {
                let is_unused = self.profile.is_none() && self.region.is_none();
                ensure!(
                    is_unused,
                    "--profile and --region are for AWS; pass --queue-url URL or --target CONTEXT with them"
                );
                let of_target = match &system {
                    Some(ChosenSystem::Local(local)) => local.url(),
                    _ => LOCAL,
                };
                let endpoint = endpoint.unwrap_or(of_target).trim_end_matches('/');
                let shown = format!(
                    "the dead-letter queue at {} (is `entity-stream local` running there?)",
                    shown_url(endpoint)
                );
                (aws_config(endpoint), format!("{endpoint}/{DEAD_LETTER_QUEUE_PATH}"), shown, true)
            }
        };
        Ok(QueueAccess { client: Client::new(&config), url, shown, function, config, is_local })
    }
}

impl QueueAccess {
    /// The name of the queue in a question.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Receives the messages, the oldest first: all of them, up to the limit, or those with the wanted ids. They stay hidden
    /// from other readers for this time, unless they are given back.
    pub(crate) async fn receive(
        &self,
        wanted: Option<&[String]>,
        visibility: Duration,
    ) -> anyhow::Result<Vec<HeldLetter>> {
        let mut held: Vec<HeldLetter> = Vec::new();
        let is_complete = |held: &[HeldLetter]| {
            wanted.is_some_and(|ids| ids.iter().all(|id| held.iter().any(|letter| letter.id == *id)))
        };
        while held.len() < MOST && !is_complete(&held) {
            let page = match self.receive_page(visibility).await {
                Ok(page) => page,
                Err(error) => {
                    self.give_back(held.iter()).await;
                    return Err(error);
                }
            };
            if page.is_empty() {
                break;
            }
            for letter in page {
                // SQS delivers at least once. Only the last receipt of a message is valid.
                held.retain(|other| other.id != letter.id);
                held.push(letter);
            }
        }
        held.sort_by_key(|letter| letter.sent_at);
        Ok(held)
    }

    async fn receive_page(&self, visibility: Duration) -> anyhow::Result<Vec<HeldLetter>> {
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(PAGE);
        let request = request
            .visibility_timeout(i32::try_from(visibility.as_secs()).unwrap_or(i32::MAX))
            // A short wait asks all servers of SQS. The local system is one process.
            .wait_time_seconds(if self.is_local { 0 } else { 1 })
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let output = request.send().await.map_err(|error| self.failure(&error))?;
        Ok(output.messages.unwrap_or_default().into_iter().filter_map(HeldLetter::new).collect())
    }

    /// Makes messages visible again.
    pub(crate) async fn give_back<'a>(&self, held: impl Iterator<Item = &'a HeldLetter>) {
        let given_back = stream::iter(held).map(|letter| {
            let request = self.client.change_message_visibility().queue_url(&self.url);
            request.receipt_handle(&letter.receipt).visibility_timeout(0).send()
        });
        let failed = given_back.buffer_unordered(AT_ONCE).filter(|result| std::future::ready(result.is_err()));
        let failed = failed.count().await;
        if failed > 0 {
            let messages = terminal::counted(failed as u64, "message");
            terminal::note(format!(
                "{messages} could not be given back: the queue shows them again after their time-out"
            ));
        }
    }

    /// Deletes a message.
    pub(crate) async fn delete(&self, letter: &HeldLetter) -> anyhow::Result<()> {
        let request = self.client.delete_message().queue_url(&self.url).receipt_handle(&letter.receipt);
        request.send().await.map(|_| ()).map_err(|error| self.failure(&error))
    }

    /// Deletes all messages, including those that another reader holds.
    pub(crate) async fn purge(&self) -> anyhow::Result<()> {
        self.client.purge_queue().queue_url(&self.url).send().await.map(|_| ()).map_err(|error| self.failure(&error))
    }

    /// The number of messages, including those that another reader holds. On AWS it is approximate.
    pub(crate) async fn count(&self) -> anyhow::Result<u64> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let request = request.set_attribute_names(Some(names.to_vec()));
        let output = request.send().await.map_err(|error| self.failure(&error))?;
        let counts = names.iter().filter_map(|name| output.attributes()?.get(name)?.parse::<u64>().ok());
        Ok(counts.sum())
    }

    /// The error of a request to the queue, with its name.
    fn failure<E>(&self, error: &SdkError<E>) -> anyhow::Error
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let is_foreign = matches!(error, SdkError::ServiceError(_) | SdkError::ResponseError(_));
        let reason = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) if is_foreign => {
                let status = error.raw_response().map_or(0, |response| response.status().as_u16());
                if self.is_local {
                    let endpoint = shown_url(self.config.endpoint_url().unwrap_or(&self.url));
                    return anyhow!(
                        "{endpoint} does not answer like an Entity Stream system (status {status}); pass the URL of a local \
                         system with --target, or a context for a deployed one"
                    );
                }
                format!("the URL does not answer like a queue of SQS (status {status})")
            }
            (None, _) => innermost(error),
        };
        anyhow!("cannot use {}: {}", self.shown, printable(&reason))
    }
}

/// The innermost cause: the SDK's own text names only the kind of an error.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The region in the host name of a queue's URL.
fn region(host: &str) -> Option<&str> {
    let (region, domain) = host.strip_prefix("sqs.")?.split_once('.')?;
    domain.starts_with("amazonaws.com").then_some(region)
}

/// Makes sure that a command names messages or all of them.
pub(crate) fn check_ids(held: &[HeldLetter], ids: &[String]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        ids.iter().filter(|id| held.iter().all(|letter| letter.id != **id)).map(String::as_str).collect();
    ensure!(
        missing.is_empty(),
        "the queue has no visible message with the id {}: another reader may hold it for a while; \
         `entity-stream dead-letters list` lists the messages",
        printable(&missing.join(", "))
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_read_from_the_url_of_the_queue() {
        assert_eq!(region("sqs.eu-west-1.amazonaws.com"), Some("eu-west-1"));
        assert_eq!(region("sqs.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
        assert_eq!(region("queue.example.com"), None);
    }
}
