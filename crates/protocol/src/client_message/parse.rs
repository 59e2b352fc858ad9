use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Action, ClientMessage};
use crate::access_token::AccessToken;
use crate::error_code::ErrorCode;
use crate::filter::Filter;
use crate::invalid_json::InvalidJson;
use crate::limits::{MESSAGE_BYTES, REQUEST_ID_LENGTH};
use crate::rejection::Rejection;
use crate::request_id::RequestId;

/// The length in bytes up to which an error repeats the action.
const REPEATED_ACTION_LENGTH: usize = 64;

#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(field_identifier, rename_all = "camelCase")]
enum MessageField {
    Action,
    RequestId,
    EntityTypes,
    IdPattern,
    Token,
    #[serde(other)]
    Unknown,
}

type MessageFields = HashMap<MessageField, Value>;

/// A reason to reject a message.
type Reason = (ErrorCode, String);

impl ClientMessage {
    /// Reads a text frame. Fields that are not part of the contract are ignored.
    ///
    /// # Errors
    /// The [`Rejection`] for the client.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let unaddressed = |(code, message)| Rejection { code, message, action: None, request_id: None };
        let fields = read_fields(text).map_err(unaddressed)?;
        let action = fields.get(&MessageField::Action).and_then(Value::as_str);
        let request_id = read_request_id(&fields);
        let reject = |(code, message)| Rejection {
            code,
            message,
            action: action.filter(|action| action.len() <= REPEATED_ACTION_LENGTH).map(str::to_owned),
            request_id: request_id.as_ref().ok().cloned().flatten(),
        };
        let request_id = request_id.clone().map_err(reject)?;
        Ok(Self { action: read_action(action, &fields).map_err(reject)?, request_id })
    }
}

/// Reads the fields of the contract. Other fields may hold any JSON, such as the number 1e999, which no Rust type holds.
fn read_fields(text: &str) -> Result<MessageFields, Reason> {
    if text.len() > MESSAGE_BYTES {
        let message = format!("the message is larger than {} KB; send smaller messages", MESSAGE_BYTES / 1024);
        return Err((ErrorCode::MessageTooLarge, message));
    }
    let not_json = |error: serde_json::Error| {
        let error = InvalidJson::new(&error);
        (ErrorCode::InvalidJson, format!("the message is not JSON: {error}; send one JSON object per text frame"))
    };
    let value: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    if !value.get().starts_with('{') {
        let message = r#"the message is not a JSON object; send an object such as {"action":"ping"}"#;
        return Err((ErrorCode::InvalidMessage, message.to_owned()));
    }
    let fields: HashMap<MessageField, &RawValue> = serde_json::from_str(text).map_err(not_json)?;
    let known = fields.into_iter().filter(|(field, _)| *field != MessageField::Unknown);
    known.map(|(field, value)| Ok((field, serde_json::from_str(value.get()).map_err(not_json)?))).collect()
}

fn read_request_id(fields: &MessageFields) -> Result<Option<RequestId>, Reason> {
    let request_id = match fields.get(&MessageField::RequestId) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => RequestId::parse(text.as_str()).ok(),
        Some(_) => None,
    };
    let message = || format!("requestId must be a string of at most {REQUEST_ID_LENGTH} characters");
    request_id.map(Some).ok_or_else(|| (ErrorCode::InvalidMessage, message()))
}

fn read_action(name: Option<&str>, fields: &MessageFields) -> Result<Action, Reason> {
    let names = || Action::NAMES.join(", ");
    match name {
        Some("subscribe") => read_filter(fields).map(Action::Subscribe),
        Some("unsubscribe") => Ok(Action::Unsubscribe),
        Some("ping") => Ok(Action::Ping),
        Some("authenticate") => {
            let token = fields.get(&MessageField::Token).and_then(Value::as_str).and_then(AccessToken::new);
            let message = "token is missing or not a string; send the token as token";
            token.map(Action::Authenticate).ok_or_else(|| (ErrorCode::InvalidMessage, message.to_owned()))
        }
        Some(_) => Err((ErrorCode::UnknownAction, format!("unknown action; send one of {}", names()))),
        None => {
            let message = format!("action is missing or not a string; send one of {}", names());
            Err((ErrorCode::InvalidMessage, message))
        }
    }
}

fn read_filter(fields: &MessageFields) -> Result<Filter, Reason> {
    let types = match fields.get(&MessageField::EntityTypes) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
        Some(_) => None,
    };
    let Some(types) = types else {
        let message =
            "entityTypes is not an array of strings; send an array, or leave entityTypes out to receive every type";
        return Err((ErrorCode::InvalidEntityTypes, message.to_owned()));
    };
    let pattern = match fields.get(&MessageField::IdPattern) {
        None | Some(Value::Null) => None,
        Some(Value::String(pattern)) => Some(pattern.as_str()),
        Some(_) => {
            let message =
                "idPattern is not a string; send a regular expression, or leave idPattern out to receive every id";
            return Err((ErrorCode::InvalidIdPattern, message.to_owned()));
        }
    };
    Filter::new(types, pattern).map_err(|error| (error.code(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(text: &str) -> ErrorCode {
        ClientMessage::parse(text).unwrap_err().code
    }

    #[test]
    fn subscribe_messages_are_read() {
        let message = ClientMessage::parse(
            r#"{"action":"subscribe","entityTypes":["Room","Sensor"],"idPattern":"urn:.*","requestId":"1","extra":true}"#,
        )
        .unwrap();
        assert_eq!(message.action, Action::Subscribe(Filter::new(["Room", "Sensor"], Some("urn:.*")).unwrap()));
        assert_eq!(message.request_id, RequestId::parse("1").ok());
        let everything =
            ClientMessage::parse(r#"{"action":"subscribe","entityTypes":[],"idPattern":"","requestId":null}"#).unwrap();
        assert_eq!(everything.action, Action::Subscribe(Filter::default()));
        assert_eq!(everything.request_id, None);
    }

    #[test]
    fn every_error_has_its_code() {
        assert_eq!(code("{"), ErrorCode::InvalidJson);
        assert_eq!(code("[]"), ErrorCode::InvalidMessage);
        assert_eq!(code("{}"), ErrorCode::InvalidMessage);
        assert_eq!(code(r#"{"action":7}"#), ErrorCode::InvalidMessage);
        assert_eq!(code(r#"{"action":"fly"}"#), ErrorCode::UnknownAction);
        assert_eq!(code(r#"{"action":"ping","requestId":7}"#), ErrorCode::InvalidMessage);
        assert_eq!(code(r#"{"action":"authenticate"}"#), ErrorCode::InvalidMessage);
        assert_eq!(code(r#"{"action":"subscribe","entityTypes":"Room"}"#), ErrorCode::InvalidEntityTypes);
        assert_eq!(code(r#"{"action":"subscribe","entityTypes":[1]}"#), ErrorCode::InvalidEntityTypes);
        assert_eq!(code(r#"{"action":"subscribe","idPattern":1}"#), ErrorCode::InvalidIdPattern);
        assert_eq!(code(r#"{"action":"subscribe","idPattern":"("}"#), ErrorCode::InvalidIdPattern);
        assert_eq!(code(&format!(r#"{{"action":"{}"}}"#, "x".repeat(MESSAGE_BYTES))), ErrorCode::MessageTooLarge);
    }

    #[test]
    fn other_fields_may_hold_any_json() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for value in ["1e999", deep.as_str(), r#""\ud800""#] {
            let message = ClientMessage::parse(&format!(r#"{{"x":{value},"action":"ping"}}"#)).unwrap();
            assert_eq!(message.action, Action::Ping, "{value}");
            assert_eq!(code(&format!(r#"{{"action":{value}}}"#)), ErrorCode::InvalidJson, "{value}");
        }
        assert_eq!(code(r#"{"x":1e,"action":"ping"}"#), ErrorCode::InvalidJson);
        assert_eq!(code(r#"[1"#), ErrorCode::InvalidJson);
        assert_eq!(code(r#"{"action":"ping"} {}"#), ErrorCode::InvalidJson);
        let last = ClientMessage::parse(r#"{"action":"dance","action":"ping"}"#).unwrap();
        assert_eq!(last.action, Action::Ping, "the last of two equal fields counts");
    }

    #[test]
    fn a_rejection_repeats_action_and_request_id() {
        let rejection = ClientMessage::parse(r#"{"action":"subscribe","idPattern":"(","requestId":"7"}"#).unwrap_err();
        assert_eq!(rejection.action.as_deref(), Some("subscribe"));
        assert_eq!(rejection.request_id, RequestId::parse("7").ok());
    }

    #[test]
    fn debug_hides_the_token() {
        let message = ClientMessage::parse(r#"{"action":"authenticate","token":"eyJsecret"}"#).unwrap();
        assert!(!format!("{message:?}").contains("eyJsecret"));
        let bad = ClientMessage::parse(r#"{"action":"authenticate","token":["eyJsecret"]}"#).unwrap_err();
        assert!(!format!("{bad:?}").contains("eyJsecret"));
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = ClientMessage::parse(&text);
        }

        #[test]
        fn never_panics_on_subscriptions(types in any::<Vec<String>>(), pattern in any::<String>(), id in any::<String>()) {
            let message = serde_json::json!({
                "action": "subscribe", "entityTypes": types, "idPattern": pattern, "requestId": id
            });
            if let Err(rejection) = ClientMessage::parse(&message.to_string()) {
                prop_assert_eq!(rejection.action.as_deref(), Some("subscribe"));
            }
        }
    }
}
