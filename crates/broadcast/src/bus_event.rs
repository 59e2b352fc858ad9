//! The forms in which buses pass an event to the function.
//!
//! A rule passes EventBridge's envelope. A subscriber of a newer custom bus passes the same, or with its transformer
//! `WITH_METADATA` an object that holds the envelope as `Data` beside `SystemMetadata`.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-transform.html>

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// An event of an invocation's payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BusEvent<'a> {
    /// The text of EventBridge's envelope.
    pub(crate) envelope: Cow<'a, str>,
    /// True if the event is a replay of an old one: from an archive, or from the retention of a newer bus.
    pub(crate) is_replay: bool,
}

/// The fields that tell the forms apart.
#[derive(Default, Deserialize)]
struct WireForm<'a> {
    /// EventBridge adds the name of the replay to each event of an archive.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html>
    #[serde(rename = "replay-name")]
    replay_name: Option<IgnoredAny>,
    #[serde(borrow, rename = "Data")]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "SystemMetadata")]
    system_metadata: Option<SystemMetadata<'a>>,
}

#[derive(Default, Deserialize)]
struct SystemMetadata<'a> {
    #[serde(borrow, rename = "aws:DeliveryType")]
    delivery_type: Option<Cow<'a, str>>,
}

impl<'a> BusEvent<'a> {
    /// Reads the form of an event. A text that has none of them is taken for an envelope, whose reader says what is wrong.
    pub(crate) fn read(text: &'a str) -> Self {
        let WireForm { replay_name, data, system_metadata } = serde_json::from_str(text).unwrap_or_default();
        let delivery_type = system_metadata.and_then(|metadata| metadata.delivery_type);
        let (envelope, is_replay_inside) = match data.map(RawValue::get) {
            None => (Cow::Borrowed(text), false),
            Some(data) => {
                // The data of an event that was published as text is a JSON string.
                let envelope = serde_json::from_str::<String>(data).map_or(Cow::Borrowed(data), Cow::Owned);
                let is_replay = Self::is_replayed_from_archive(&envelope);
                (envelope, is_replay)
            }
        };
        let is_replay = replay_name.is_some() || is_replay_inside || delivery_type.as_deref() == Some("REPLAY");
        Self { envelope, is_replay }
    }

    fn is_replayed_from_archive(envelope: &str) -> bool {
        serde_json::from_str::<WireForm<'_>>(envelope).is_ok_and(|form| form.replay_name.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_holds_the_same_envelope() {
        let envelope = r#"{"id":"1","detail":{"replay-name":"no","a":1.0}}"#;
        let with_metadata = |data: &str, kind: &str| {
            format!(
                r#"{{"Data":{data},"Metadata":{{}},"SystemMetadata":{{"aws:DeliveryType":"{kind}","aws:EventId":"1"}}}}"#
            )
        };
        let as_text = serde_json::to_string(envelope).unwrap();
        for text in [envelope.to_owned(), with_metadata(envelope, "LIVE"), with_metadata(&as_text, "LIVE")] {
            assert_eq!(BusEvent::read(&text), BusEvent { envelope: envelope.into(), is_replay: false });
        }
        assert!(BusEvent::read(&with_metadata(envelope, "REPLAY")).is_replay);
        let replay = r#"{"id":"1","replay-name":"again","detail":{}}"#;
        assert!(BusEvent::read(replay).is_replay);
        assert!(BusEvent::read(&with_metadata(replay, "LIVE")).is_replay);
    }

    #[test]
    fn any_other_text_is_an_envelope_that_its_reader_refuses() {
        for text in ["", "7", "[]", r#"{"SystemMetadata":7,"replay-name":"x"}"#] {
            assert_eq!(BusEvent::read(text), BusEvent { envelope: text.into(), is_replay: false });
        }
    }
}
