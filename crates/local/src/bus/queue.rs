//! The messages of one SQS queue, without I/O and without a clock.
//!
//! Invariants:
//! - A message is visible, or in flight until its time-out, or gone.
//! - `receive` returns visible messages only, the oldest first, and gives each a new receipt. Only the newest receipt of a
//!   message is valid.
//! - The queue drops its oldest messages rather than exceed its limits.
//!
//! Source: "Amazon SQS visibility timeout", Amazon SQS Developer Guide.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_stream_protocol::EpochMillis;
use serde::{Deserialize, Serialize};

use super::error::ApiError;

/// Maximum number of messages.
const MESSAGES: usize = 1000;
/// Maximum size of all messages together.
const BYTES: usize = 64 * 1024 * 1024;

/// A message attribute: text, or bytes in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MessageAttribute {
    pub(crate) data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
}

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueMessage {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, MessageAttribute>,
    pub(crate) sent_at: EpochMillis,
    /// The time of the first receipt.
    pub(crate) first_received_at: Option<EpochMillis>,
    /// The number of receipts so far.
    pub(crate) receives: u64,
    /// The end of the visibility time-out.
    visible_at: EpochMillis,
}

impl QueueMessage {
    /// The value of a text attribute.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.string_value.as_deref()
    }

    /// The receipt handle of the last receipt.
    pub(crate) fn receipt(&self) -> String {
        format!("{}.{}", self.id, self.receives)
    }

    fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            let values = [&attribute.string_value, &attribute.binary_value];
            name.len() + values.into_iter().flatten().map(String::len).sum::<usize>()
        });
        self.body.len() + attributes.sum::<usize>()
    }
}

/// The messages, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct MessageQueue {
    messages: VecDeque<QueueMessage>,
    bytes: usize,
}

impl MessageQueue {
    pub(crate) fn send(
        &mut self,
        id: String,
        body: String,
        attributes: BTreeMap<String, MessageAttribute>,
        now: EpochMillis,
    ) {
        let message =
            QueueMessage { id, body, attributes, sent_at: now, first_received_at: None, receives: 0, visible_at: now };
        self.bytes += message.bytes();
        self.messages.push_back(message);
        while self.messages.len() > MESSAGES || (self.bytes > BYTES && self.messages.len() > 1) {
            self.drop_at(0);
        }
    }

    /// The oldest visible messages. They are in flight until the time-out.
    pub(crate) fn receive(&mut self, most: usize, visibility: Duration, now: EpochMillis) -> Vec<QueueMessage> {
        let visible = self.messages.iter_mut().filter(|message| message.visible_at <= now).take(most);
        visible
            .map(|message| {
                message.receives += 1;
                message.first_received_at.get_or_insert(now);
                message.visible_at = now.plus(visibility);
                message.clone()
            })
            .collect()
    }

    /// Deletes the message of a receipt. A receipt that is no longer valid has no effect, as on AWS.
    pub(crate) fn delete(&mut self, receipt: &str) -> Result<(), ApiError> {
        let (id, receives) = parse_receipt(receipt)?;
        if let Some(index) = self.messages.iter().position(|message| message.id == id && message.receives == receives) {
            self.drop_at(index);
        }
        Ok(())
    }

    /// Moves the end of the time-out of a message in flight. With zero, the message is visible again.
    pub(crate) fn change_visibility(
        &mut self,
        receipt: &str,
        visibility: Duration,
        now: EpochMillis,
    ) -> Result<(), ApiError> {
        let (id, receives) = parse_receipt(receipt)?;
        let message = self.messages.iter_mut().find(|message| message.id == id && message.receives == receives);
        let message = message.ok_or_else(|| {
            let message = "Message does not exist or is not available for visibility timeout change.";
            ApiError::new("InvalidParameterValue", message)
        })?;
        if message.visible_at <= now {
            return Err(ApiError::new("AWS.SimpleQueueService.MessageNotInflight", "The message is not in flight."));
        }
        message.visible_at = now.plus(visibility);
        Ok(())
    }

    /// Deletes all messages.
    pub(crate) fn purge(&mut self) {
        *self = Self::default();
    }

    /// The message with this id, visible or in flight.
    pub(crate) fn find(&self, id: &str) -> Option<&QueueMessage> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// Deletes the message with this id. Returns whether it was there.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let index = self.messages.iter().position(|message| message.id == id);
        index.inspect(|index| self.drop_at(*index)).is_some()
    }

    /// All messages, the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &QueueMessage> {
        self.messages.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The number of messages in flight.
    pub(crate) fn in_flight(&self, now: EpochMillis) -> usize {
        self.messages.iter().filter(|message| message.visible_at > now).count()
    }

    fn drop_at(&mut self, index: usize) {
        if let Some(message) = self.messages.remove(index) {
            self.bytes -= message.bytes();
        }
    }
}

/// The id and the number of the receipt in a receipt handle.
fn parse_receipt(receipt: &str) -> Result<(&str, u64), ApiError> {
    let parts = receipt.rsplit_once('.').and_then(|(id, receives)| Some((id, receives.parse().ok()?)));
    parts.ok_or_else(|| {
        let message = "The input receipt handle is invalid.";
        ApiError::new("ReceiptHandleIsInvalid", message)
    })
}

#[cfg(test)]
mod tests;
