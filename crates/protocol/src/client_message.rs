use std::collections::HashMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::access_token::AccessToken;
use crate::error_code::ErrorCode;
use crate::filter::{Filter, InvalidFilter};
use crate::json::to_json;
use crate::limits::{MESSAGE_BYTES, REQUEST_ID_LENGTH};
use crate::rejection::Rejection;
use crate::request_id::RequestId;

/// A message from a client. Clients write it with [`ClientMessage::to_json`]; servers read it with
/// [`ClientMessage::parse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientMessage {
    /// The request.
    #[serde(flatten)]
    pub action: Action,
    /// The answer repeats it. The server does not answer a `subscribe` or `unsubscribe` that succeeds and has no id:
    /// clients of the original contract know only events and `pong`, and some fail on any other frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

/// A request of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "camelCase")]
pub enum Action {
    /// Replace the connection's whole filter.
    Subscribe(Filter),
    /// Receive nothing until the next `subscribe`.
    Unsubscribe,
    /// Keep the connection alive.
    Ping,
    /// Renew the connection's authorisation with a fresh token.
    #[serde(serialize_with = "expose")]
    Authenticate(AccessToken),
}

fn expose<S: Serializer>(token: &AccessToken, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct TokenField<'a> {
        token: &'a str,
    }
    TokenField { token: token.expose() }.serialize(serializer)
}

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

const ACTIONS: [&str; 4] = ["subscribe", "unsubscribe", "ping", "authenticate"];
/// A longer action is not echoed: no client of ours sends one.
const ECHOED_ACTION_LENGTH: usize = 64;

impl ClientMessage {
    /// Reads the text of one frame. MessageFields that are not part of the contract are ignored.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        if text.len() > MESSAGE_BYTES {
            return Err(unaddressed(ErrorCode::MessageTooLarge, "a message has at most 128 KB".to_owned()));
        }
        let fields = read_fields(text)?;
        let action = fields.get(&MessageField::Action).and_then(Value::as_str);
        let request_id = match fields.get(&MessageField::RequestId) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => RequestId::parse(text.as_str()).map(Some).map_err(|_| ()),
            Some(_) => Err(()),
        };
        let reject = |code, message| Rejection {
            code,
            message,
            action: action.filter(|a| a.len() <= ECHOED_ACTION_LENGTH).map(str::to_owned),
            request_id: request_id.as_ref().ok().cloned().flatten(),
        };
        let Ok(request_id) = &request_id else {
            let message = format!("requestId is a string of at most {REQUEST_ID_LENGTH} characters");
            return Err(reject(ErrorCode::InvalidMessage, message));
        };
        let action = match action {
            Some("subscribe") => Action::Subscribe(read_filter(&fields).map_err(|error| match error {
                InvalidFilter::EntityTypes(message) => reject(ErrorCode::InvalidEntityTypes, message),
                InvalidFilter::IdPattern(message) => reject(ErrorCode::InvalidIdPattern, message),
            })?),
            Some("unsubscribe") => Action::Unsubscribe,
            Some("ping") => Action::Ping,
            Some("authenticate") => {
                match fields.get(&MessageField::Token).and_then(Value::as_str).and_then(AccessToken::new) {
                    Some(token) => Action::Authenticate(token),
                    None => {
                        return Err(reject(ErrorCode::InvalidMessage, "authenticate needs token, a string".to_owned()));
                    }
                }
            }
            Some(_) => {
                return Err(reject(
                    ErrorCode::UnknownAction,
                    format!("there is no such action; the actions are {}", ACTIONS.join(", ")),
                ));
            }
            None => {
                return Err(reject(
                    ErrorCode::InvalidMessage,
                    format!("a message has an action, a string: one of {}", ACTIONS.join(", ")),
                ));
            }
        };
        Ok(Self { action, request_id: request_id.clone() })
    }

    /// The text frame.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// The action's name on the wire.
    pub fn action_name(&self) -> &'static str {
        match self.action {
            Action::Subscribe(_) => ACTIONS[0],
            Action::Unsubscribe => ACTIONS[1],
            Action::Ping => ACTIONS[2],
            Action::Authenticate(_) => ACTIONS[3],
        }
    }

    /// An answer to this message that refuses it.
    pub fn reject(&self, code: ErrorCode, message: impl Into<String>) -> Rejection {
        Rejection {
            code,
            message: message.into(),
            action: Some(self.action_name().to_owned()),
            request_id: self.request_id.clone(),
        }
    }
}

fn unaddressed(code: ErrorCode, message: String) -> Rejection {
    Rejection { code, message, action: None, request_id: None }
}

/// The fields of the contract. Others need only be JSON: they may hold what no type of ours does, such as 1e999.
fn read_fields(text: &str) -> Result<MessageFields, Rejection> {
    let invalid = |error: serde_json::Error| {
        let message = format!("the message is not JSON: {error}; send one JSON object per text frame");
        unaddressed(ErrorCode::InvalidJson, message)
    };
    let value: &RawValue = serde_json::from_str(text).map_err(invalid)?;
    if !value.get().starts_with('{') {
        let message = r#"a message is a JSON object such as {"action":"ping"}"#;
        return Err(unaddressed(ErrorCode::InvalidMessage, message.to_owned()));
    }
    let fields: HashMap<MessageField, &RawValue> = serde_json::from_str(text).map_err(invalid)?;
    let known = fields.into_iter().filter(|(field, _)| *field != MessageField::Unknown);
    known.map(|(field, value)| Ok((field, serde_json::from_str(value.get()).map_err(invalid)?))).collect()
}

fn read_filter(fields: &MessageFields) -> Result<Filter, InvalidFilter> {
    let types = match fields.get(&MessageField::EntityTypes) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
        Some(_) => None,
    };
    let Some(types) = types else {
        let message = "entityTypes is an array of strings; leave it out to receive every type";
        return Err(InvalidFilter::EntityTypes(message.to_owned()));
    };
    let pattern = match fields.get(&MessageField::IdPattern) {
        None | Some(Value::Null) => None,
        Some(Value::String(pattern)) => Some(pattern.as_str()),
        Some(_) => {
            let message = "idPattern is a string, a regular expression; leave it out to receive every id";
            return Err(InvalidFilter::IdPattern(message.to_owned()));
        }
    };
    Filter::new(types, pattern)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(text: &str) -> ErrorCode {
        ClientMessage::parse(text).unwrap_err().code
    }

    #[test]
    fn reads_the_messages_of_the_contract() {
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
    fn every_refusal_has_its_code() {
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
    fn fields_that_are_not_of_the_contract_need_only_be_json() {
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
        assert_eq!(last.action, Action::Ping, "of a field that is there twice the last counts");
    }

    #[test]
    fn a_refusal_echoes_action_and_request_id() {
        let rejection = ClientMessage::parse(r#"{"action":"subscribe","idPattern":"(","requestId":"7"}"#).unwrap_err();
        assert_eq!(rejection.action.as_deref(), Some("subscribe"));
        assert_eq!(rejection.request_id, RequestId::parse("7").ok());
    }

    #[test]
    fn a_token_is_not_shown() {
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
