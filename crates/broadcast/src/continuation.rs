//! Handing a part of an audience on to other invocations, by way of the bus.

use std::time::Duration;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use entity_stream_connections::HashRange;
use entity_stream_protocol::ChangeType;
use entity_stream_publisher::limits::REQUEST_BYTES;
use entity_stream_publisher::{BusEntry, Publisher};
use entity_stream_runtime::Failure;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

/// The `source` of continuation events. A rule that is limited to certain sources has to let it pass.
const CONTINUATION_SOURCE: &str = "entity-stream";
/// Their `detail-type`.
const CONTINUATION_DETAIL_TYPE: &str = "EntityStreamContinuation";

/// How often what is left of an event is handed on at most, before it is a dead letter.
pub(crate) const MAX_DEPTH: u32 = 8;
/// Most ranges of one continuation event, about 35 bytes each.
const RANGES: usize = 1000;
/// The time that the bus has to accept continuations. It is less than the time that an invocation keeps for this purpose.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(2500);

/// The detail of a continuation event: the event as it was published, and whom it is still to reach. Its type is where a
/// change's is, so that the same rule picks it up. Ranges only ever select among the interests of the change's own tenant.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Continuation<E> {
    #[serde(rename = "type")]
    pub(crate) change_type: ChangeType,
    pub(crate) event: E,
    pub(crate) ranges: Vec<HashRange>,
    pub(crate) depth: u32,
}

/// An event that can be invoked with as it is, where no bus gives it an envelope.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope<'a> {
    version: &'static str,
    id: &'a str,
    detail_type: &'static str,
    source: &'static str,
    time: &'a str,
    detail: Continuation<&'a RawValue>,
}

pub(crate) fn is_continuation<T>(envelope: &EventBridgeEvent<T>) -> bool
where
    T: for<'de> Deserialize<'de> + Serialize,
{
    envelope.source == CONTINUATION_SOURCE && envelope.detail_type == CONTINUATION_DETAIL_TYPE
}

fn unavailable(message: String) -> Failure {
    Failure::new("EventBusUnavailable", message)
}

/// What is left of an event, to be handed on.
pub(crate) struct Rest<'a> {
    pub(crate) change_type: ChangeType,
    /// The event as it was published.
    pub(crate) published: &'a str,
    /// How often it had been handed on when it came here.
    pub(crate) depth: u32,
}

impl Rest<'_> {
    /// Whether an entry of the bus can hold it.
    pub(crate) fn fits(&self) -> bool {
        // The ranges, and an envelope around both.
        self.published.len() + RANGES * 40 + 200 <= REQUEST_BYTES
    }

    fn continuation(&self, ranges: Vec<HashRange>, depth: u32) -> Result<Continuation<&RawValue>, Failure> {
        let event = serde_json::from_str(self.published).map_err(|error| unavailable(error.to_string()))?;
        Ok(Continuation { change_type: self.change_type, event, ranges, depth })
    }

    /// Puts one event on the bus for each of these parts of the audience, more for a part of very many ranges, and
    /// returns how many.
    pub(crate) async fn put(&self, bus: &Publisher, parts: &[Vec<HashRange>]) -> Result<usize, Failure> {
        let mut entries = Vec::with_capacity(parts.len());
        for ranges in parts.iter().flat_map(|ranges| ranges.chunks(RANGES)) {
            let detail = to_json(&self.continuation(ranges.to_vec(), self.depth + 1)?)?;
            entries.push(BusEntry::new(CONTINUATION_SOURCE, CONTINUATION_DETAIL_TYPE, detail));
        }
        let results = bus.publish(&entries, Instant::now() + PUBLISH_TIMEOUT).await;
        match results.into_iter().find_map(Result::err) {
            Some(error) => Err(unavailable(format!("the event bus did not accept a continuation: {error}"))),
            None => Ok(entries.len()),
        }
    }

    /// The same as an event that the function can be invoked with, as if it had not been handed on before.
    pub(crate) fn to_event(&self, id: &str, time: &str, ranges: Vec<HashRange>) -> Result<String, Failure> {
        to_json(&Envelope {
            version: "0",
            id,
            detail_type: CONTINUATION_DETAIL_TYPE,
            source: CONTINUATION_SOURCE,
            time,
            detail: self.continuation(ranges, 0)?,
        })
    }
}

fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| unavailable(error.to_string()))
}
