use std::time::Duration;

use anyhow::{Context, bail};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::operation::put_events::PutEventsError;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use backon::{BackoffBuilder, ExponentialBuilder};

use super::entry::{DETAIL_TYPE, Entry, SOURCE};

/// Delays before what failed for a passing reason is sent again.
const RETRIES: ExponentialBuilder = ExponentialBuilder::new()
    .with_jitter()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(5))
    .with_max_times(8);

/// Sends events to one bus.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    client: Client,
    bus: Option<String>,
    place: String,
}

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The bus has it, under this id.
    Published(String),
    /// The bus will not have it, for this reason.
    Rejected(String),
}

impl Publisher {
    /// A publisher to `bus` (the default one if `None`), which messages call `place`.
    pub(crate) fn new(client: Client, bus: Option<String>, place: String) -> Self {
        Self { client, bus, place }
    }

    /// Publishes a batch's entries and says what became of each, in their order. What the bus could not take just now
    /// is offered again a few times.
    pub(crate) async fn put(&self, entries: &[Entry]) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = vec![Outcome::Rejected(String::new()); entries.len()];
        let mut pending: Vec<usize> = (0..entries.len()).collect();
        let mut delays = RETRIES.build();
        while !pending.is_empty() {
            let results = self.send(pending.iter().filter_map(|&index| entries.get(index))).await?;
            if results.len() != pending.len() {
                bail!("{} answered {} entries with {} results", self.place, pending.len(), results.len());
            }
            let mut again = Vec::new();
            for (index, result) in pending.into_iter().zip(results) {
                let Err((code, message)) = result.map(|id| outcomes[index] = Outcome::Published(id)) else { continue };
                if matches!(code.as_str(), "InternalFailure" | "ThrottlingException") {
                    again.push(index);
                }
                outcomes[index] = Outcome::Rejected(format!("{code}: {message}"));
            }
            pending = again;
            if !pending.is_empty() {
                let Some(delay) = delays.next() else { break };
                tokio::time::sleep(delay).await;
            }
        }
        Ok(outcomes)
    }

    async fn send<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> anyhow::Result<Vec<Result<String, (String, String)>>> {
        let entries = entries.map(|entry| {
            PutEventsRequestEntry::builder()
                .source(SOURCE)
                .detail_type(DETAIL_TYPE)
                .detail(entry.detail())
                .set_event_bus_name(self.bus.clone())
                .build()
        });
        let request = self.client.put_events().set_entries(Some(entries.collect()));
        let output =
            request.send().await.map_err(explain).with_context(|| format!("cannot publish to {}", self.place))?;
        let result = |entry: aws_sdk_eventbridge::types::PutEventsResultEntry| match (entry.event_id, entry.error_code)
        {
            (Some(id), None) => Ok(id),
            (_, code) => Err((code.unwrap_or_else(|| "no code".to_owned()), entry.error_message.unwrap_or_default())),
        };
        Ok(output.entries.unwrap_or_default().into_iter().map(result).collect())
    }
}

/// What the server said, or the innermost causes of not having reached it: the SDK's own words say neither.
fn explain(error: SdkError<PutEventsError>) -> anyhow::Error {
    if let Some(service) = error.as_service_error() {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        return match (service.code(), service.message()) {
            (Some(code), Some(message)) => anyhow::anyhow!("{code}: {message}"),
            (Some(code), None) => anyhow::anyhow!("{code}"),
            // Something else listens there, the embedded DynamoDB for one.
            (None, _) => anyhow::anyhow!("the answer, {status}, is no event bus's"),
        };
    }
    let what = match &error {
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::ResponseError(_) => "the answer is not one of PutEvents",
        _ => "no connection",
    };
    let error = anyhow::Error::new(error);
    anyhow::anyhow!("{what}: {}", error.root_cause())
}
