use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use entity_stream_dead_letters::QueuedLetter;
use entity_stream_protocol::EpochMillis;

/// A message that this command has received. Other readers do not see it until its visibility time-out ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeldLetter {
    pub(crate) id: String,
    /// The handle that deletes the message or gives it back.
    pub(super) receipt: String,
    pub(crate) sent_at: EpochMillis,
    pub(crate) body: String,
    /// The message attributes with a text.
    pub(crate) attributes: BTreeMap<String, String>,
}

impl HeldLetter {
    /// Takes a message of SQS. `None` if it lacks an id or a receipt, which SQS always gives.
    pub(super) fn new(message: Message) -> Option<Self> {
        let sent_at = message
            .attributes()
            .and_then(|attributes| attributes.get(&MessageSystemAttributeName::SentTimestamp)?.parse::<i64>().ok());
        let attributes = message.message_attributes.unwrap_or_default().into_iter();
        Some(Self {
            id: message.message_id?,
            receipt: message.receipt_handle?,
            sent_at: EpochMillis::new(sent_at.unwrap_or_default()),
            body: message.body.unwrap_or_default(),
            attributes: attributes.filter_map(|(name, attribute)| Some((name, attribute.string_value?))).collect(),
        })
    }

    /// The form and the event of the message.
    pub(crate) fn letter(&self) -> QueuedLetter<'_> {
        QueuedLetter::read(&self.body, |name| self.attributes.get(name).map(String::as_str))
    }
}
