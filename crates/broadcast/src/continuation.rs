//! The form of a continuation event: an event with the parts of its audience that still have to receive it.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use entity_stream_connections::HashRange;
use entity_stream_protocol::ChangeType;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The `source` of continuation events. A rule that selects events by source has to include it.
pub(crate) const CONTINUATION_SOURCE: &str = "entity-stream";
/// The `detail-type` of continuation events.
pub(crate) const CONTINUATION_DETAIL_TYPE: &str = "EntityStreamContinuation";

/// The most ranges of one continuation event. Each range is read by itself.
pub(crate) const RANGES: usize = 1000;

/// The detail of a continuation event. The ranges select among the interests of the event's own tenant only.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Continuation<E> {
    /// The type of the change. It has the same position as in the published event, so the same rule matches.
    #[serde(rename = "type")]
    pub(crate) change_type: ChangeType,
    /// The event as it was published.
    pub(crate) event: E,
    pub(crate) ranges: Vec<HashRange>,
    /// The number of times that the event has been handed on.
    pub(crate) depth: u32,
}

/// A continuation event as EventBridge delivers it. Dead letters have this form, because no bus adds the envelope.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ContinuationEnvelope<'a> {
    version: &'static str,
    id: &'a str,
    detail_type: &'static str,
    source: &'static str,
    time: &'a str,
    detail: Continuation<&'a RawValue>,
}

impl<'a> ContinuationEnvelope<'a> {
    pub(crate) fn new(id: &'a str, time: &'a str, detail: Continuation<&'a RawValue>) -> Self {
        Self { version: "0", id, detail_type: CONTINUATION_DETAIL_TYPE, source: CONTINUATION_SOURCE, time, detail }
    }
}

/// Returns whether an event is a continuation.
pub(crate) fn is_continuation<T>(envelope: &EventBridgeEvent<T>) -> bool
where
    T: for<'de> Deserialize<'de> + Serialize,
{
    envelope.source == CONTINUATION_SOURCE && envelope.detail_type == CONTINUATION_DETAIL_TYPE
}
