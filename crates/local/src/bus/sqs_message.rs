//! The form of a message in SQS's JSON protocol.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::queue::{MessageAttribute, QueueMessage};

/// The sender that every message names.
const SENDER: &str = "000000000000";
/// The marks of text and of bytes in a checksum.
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// The attributes that a request asks for.
#[derive(Debug)]
pub(crate) struct AskedAttributes {
    /// The names of SQS's own attributes, or `All`.
    pub(crate) system: Vec<String>,
    /// The names of message attributes, `All`, or a beginning followed by `.*`.
    pub(crate) attributes: Vec<String>,
}

/// A received message.
pub(crate) fn described(message: &QueueMessage, asked: &AskedAttributes) -> Value {
    let mut described = json!({
        "MessageId": message.id,
        "ReceiptHandle": message.receipt(),
        "MD5OfBody": md5(message.body.as_bytes()),
        "Body": message.body,
    });
    let first_received_at = message.first_received_at.unwrap_or(message.sent_at).millis();
    let system: Map<String, Value> = [
        ("SenderId", SENDER.to_owned()),
        ("SentTimestamp", message.sent_at.millis().to_string()),
        ("ApproximateReceiveCount", message.receives.to_string()),
        ("ApproximateFirstReceiveTimestamp", first_received_at.to_string()),
    ]
    .into_iter()
    .filter(|(name, _)| asked.system.iter().any(|asked| asked == "All" || asked == name))
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect();
    let wanted = |name: &str| {
        asked.attributes.iter().any(|asked| match asked.strip_suffix(".*") {
            Some(beginning) => name.starts_with(beginning),
            None => asked == "All" || asked == name,
        })
    };
    let attributes: BTreeMap<String, MessageAttribute> = message
        .attributes
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, it)| (name.clone(), it.clone()))
        .collect();
    if !system.is_empty() {
        described["Attributes"] = Value::Object(system);
    }
    if let Some(md5) = md5_of_attributes(&attributes) {
        described["MD5OfMessageAttributes"] = md5.into();
        described["MessageAttributes"] = json!(attributes);
    }
    described
}

/// The checksum that SDKs compare with their own.
pub(crate) fn md5(bytes: &[u8]) -> String {
    hexadecimal(&Md5::digest(bytes))
}

/// The checksum of message attributes; nothing if there are none.
/// Source: "Calculating the MD5 message digest for message attributes", Amazon SQS Developer Guide.
pub(crate) fn md5_of_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, attribute) in attributes {
        add(&mut digest, name.as_bytes());
        add(&mut digest, attribute.data_type.as_bytes());
        match (&attribute.string_value, &attribute.binary_value) {
            (None, Some(binary)) => {
                digest.update([BINARY]);
                add(&mut digest, &STANDARD.decode(binary).unwrap_or_default());
            }
            (text, _) => {
                digest.update([TEXT]);
                add(&mut digest, text.as_deref().unwrap_or_default().as_bytes());
            }
        }
    }
    Some(hexadecimal(&digest.finalize()))
}

/// Adds a part with its length.
fn add(digest: &mut Md5, part: &[u8]) {
    digest.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(part);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5_of(name: &str, data_type: &str, text: Option<&str>, binary: Option<&str>) -> Option<String> {
        let attribute = MessageAttribute {
            data_type: data_type.to_owned(),
            string_value: text.map(str::to_owned),
            binary_value: binary.map(str::to_owned),
        };
        md5_of_attributes(&[(name.to_owned(), attribute)].into())
    }

    #[test]
    fn the_checksums_are_those_of_sqs() {
        assert_eq!(md5(b"This is a test message"), "fafb00f5732ab283681e124bf8747ed1");
        // Calculated apart from this code: each part with its length, as the guide describes.
        let md5 = md5_of("timestamp", "Number", Some("1493147359900"), None);
        assert_eq!(md5.as_deref(), Some("235c5c510d26fb653d073faed50ae77c"));
        assert_eq!(md5_of("a", "Binary", None, Some("AAE=")), Some("478dc19797ca415f59691aed6dd0ad96".to_owned()));
        assert_eq!(md5_of_attributes(&BTreeMap::new()), None);
    }
}
