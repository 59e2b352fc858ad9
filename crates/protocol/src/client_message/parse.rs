use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::subscription_fields::{Fields, SubscriptionField, name, read};
use super::{Action, ClientMessage, Reason, Subscribe};
use crate::access_token::AccessToken;
use crate::dpop_proof::DpopProof;
use crate::error_code::ErrorCode;
use crate::invalid_json::InvalidJson;
use crate::limits::{MESSAGE_BYTES, REQUEST_ID_LENGTH, SUBSCRIPTIONS};
use crate::rejection::Rejection;
use crate::request_id::RequestId;
use crate::since::Since;
use crate::snapshot_token::SnapshotToken;
use crate::subscription_name::SubscriptionName;
use crate::subscriptions::Subscriptions;

/// The length in bytes up to which an error repeats the action.
const REPEATED_ACTION_LENGTH: usize = 64;

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Hash)]
#[serde(field_identifier, rename_all = "camelCase")]
enum MessageField {
    Action,
    RequestId,
    Token,
    Proof,
    Subscriptions,
    Since,
    Next,
    #[serde(other)]
    Unknown,
}

/// The fields of an object that are part of the contract. The others may hold any JSON, such as the number 1e999, which no Rust
/// type holds.
type RawFields<'a, F> = HashMap<F, &'a RawValue>;

impl ClientMessage {
    /// Reads a text frame. Fields that are not part of the contract are ignored.
    ///
    /// # Errors
    /// The [`Rejection`] for the client.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let unaddressed =
            |(code, message)| Rejection { code, message, action: None, subscription: None, request_id: None };
        let raw = read_object(text).map_err(unaddressed)?;
        let fields = values(&raw, |field| !matches!(field, MessageField::Unknown | MessageField::Subscriptions));
        let fields = fields.map_err(unaddressed)?;
        let action = fields.get(&MessageField::Action).and_then(Value::as_str);
        let request_id = read_request_id(&fields);
        let reject = |Fault { reason: (code, message), subscription }: Fault| Rejection {
            code,
            message,
            action: action.filter(|action| action.len() <= REPEATED_ACTION_LENGTH).map(str::to_owned),
            subscription: subscription.filter(|name| !name.is_default()),
            request_id: request_id.as_ref().ok().cloned().flatten(),
        };
        let request_id = request_id.clone().map_err(|reason| reject(reason.into()))?;
        let action = match action {
            Some("subscribe") => read_since(&fields).map_err(Fault::from).and_then(|since| {
                let subscribe = read_subscribe(text, raw.get(&MessageField::Subscriptions).copied())?;
                Ok(Action::Subscribe(Subscribe { since, ..subscribe }))
            }),
            Some("unsubscribe") => read_unsubscribe(text),
            other => read_other(other, &fields).map_err(Fault::from),
        };
        Ok(Self { action: action.map_err(reject)?, request_id })
    }
}

/// A reason to reject a message, and the subscription that is at fault.
struct Fault {
    reason: Reason,
    subscription: Option<SubscriptionName>,
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self { reason, subscription: None }
    }
}

fn read_object<F: DeserializeOwned + Eq + Hash>(text: &str) -> Result<RawFields<'_, F>, Reason> {
    if text.len() > MESSAGE_BYTES {
        let message = format!("the message is larger than {} KB; send smaller messages", MESSAGE_BYTES / 1024);
        return Err((ErrorCode::MessageTooLarge, message));
    }
    let value: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    if !value.get().starts_with('{') {
        let message = r#"the message is not a JSON object; send an object such as {"action":"ping"}"#;
        return Err((ErrorCode::InvalidMessage, message.to_owned()));
    }
    serde_json::from_str(text).map_err(not_json)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err passes a value")]
fn not_json(error: serde_json::Error) -> Reason {
    let error = InvalidJson::new(&error);
    (ErrorCode::InvalidJson, format!("the message is not JSON: {error}; send one JSON object per text frame"))
}

/// Reads the values of the fields that `is_wanted` selects.
fn values<F: Copy + Eq + Hash>(
    raw: &RawFields<'_, F>,
    is_wanted: impl Fn(F) -> bool,
) -> Result<HashMap<F, Value>, Reason> {
    let wanted = raw.iter().filter(|(field, _)| is_wanted(**field));
    wanted.map(|(field, value)| Ok((*field, serde_json::from_str(value.get()).map_err(not_json)?))).collect()
}

fn read_request_id(fields: &HashMap<MessageField, Value>) -> Result<Option<RequestId>, Reason> {
    let request_id = match fields.get(&MessageField::RequestId) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => RequestId::parse(text.as_str()).ok(),
        Some(_) => None,
    };
    let message = || format!("requestId must be a string of at most {REQUEST_ID_LENGTH} characters");
    request_id.map(Some).ok_or_else(|| (ErrorCode::InvalidMessage, message()))
}

/// Reads the place from which a client wants the events that it missed.
fn read_since(fields: &HashMap<MessageField, Value>) -> Result<Option<Since>, Reason> {
    let since = match fields.get(&MessageField::Since) {
        None | Some(Value::Null) => return Ok(None),
        Some(since @ Value::Object(_)) => Since::deserialize(since).ok(),
        // serde would read an array as the fields in their order.
        Some(_) => None,
    };
    let message = r#"since is not {"position":"…","session":"…"} with the texts of an earlier answer, nor {"seconds":30} with a whole number; leave it out to receive only new events"#;
    since.map(Some).ok_or_else(|| (ErrorCode::InvalidSince, message.to_owned()))
}

/// Reads an action that is not about subscriptions.
fn read_other(name: Option<&str>, fields: &HashMap<MessageField, Value>) -> Result<Action, Reason> {
    let names = || Action::NAMES.join(", ");
    match name {
        Some("ping") => Ok(Action::Ping),
        Some("sync") => Ok(Action::Sync),
        Some("snapshot") => {
            let next = fields
                .get(&MessageField::Next)
                .and_then(Value::as_str)
                .and_then(|text| SnapshotToken::parse(text).ok());
            let message = "next is not the snapshotNext of an answer; send that text, or subscribe again with snapshot";
            next.map(|next| Action::Snapshot { next })
                .ok_or_else(|| (ErrorCode::InvalidSnapshotToken, message.to_owned()))
        }
        Some("authenticate") => {
            let token = fields.get(&MessageField::Token).and_then(Value::as_str).and_then(AccessToken::new);
            let message = "token is missing or not a string; send the token as token";
            let token = token.ok_or_else(|| (ErrorCode::InvalidMessage, message.to_owned()))?;
            Ok(Action::Authenticate { token, proof: read_proof(fields)? })
        }
        Some("dpop_bind") => {
            let message = "proof is missing; send the DPoP proof as proof";
            let proof = read_proof(fields)?.ok_or_else(|| (ErrorCode::InvalidMessage, message.to_owned()))?;
            Ok(Action::DpopBind { proof })
        }
        Some(_) => Err((ErrorCode::UnknownAction, format!("unknown action; send one of {}", names()))),
        None => {
            let message = format!("action is missing or not a string; send one of {}", names());
            Err((ErrorCode::InvalidMessage, message))
        }
    }
}

/// Reads the proof of possession of a key.
fn read_proof(fields: &HashMap<MessageField, Value>) -> Result<Option<DpopProof>, Reason> {
    let proof = match fields.get(&MessageField::Proof) {
        None | Some(Value::Null) => return Ok(None),
        Some(proof) => proof.as_str().and_then(DpopProof::new),
    };
    let message = "proof is empty or not a string; send the DPoP proof as proof";
    proof.map(Some).ok_or_else(|| (ErrorCode::InvalidMessage, message.to_owned()))
}

fn subscription_fields(object: &str) -> Result<HashMap<SubscriptionField, Value>, Reason> {
    values(&read_object(object)?, |field| field != SubscriptionField::Unknown)
}

fn read_unsubscribe(message: &str) -> Result<Action, Fault> {
    // Other fields do not matter, and may hold anything.
    let raw = read_object(message)?;
    let fields = values(&raw, |field| field == SubscriptionField::Subscription)?;
    Ok(Action::Unsubscribe { subscription: name(&Fields(&fields))? })
}

/// Reads a `subscribe` of one subscription, or of a list.
fn read_subscribe(message: &str, list: Option<&RawValue>) -> Result<Subscribe, Fault> {
    let list = list.filter(|list| list.get() != "null");
    let Some(list) = list else {
        let fields = subscription_fields(message)?;
        let name = name(&Fields(&fields)).ok();
        return match read(&fields) {
            Ok((one, has_snapshot)) => {
                let snapshots = has_snapshot.then(|| one.name.clone()).into_iter().collect();
                Ok(Subscribe { subscriptions: one.into(), snapshots, since: None })
            }
            Err(reason) => Err(Fault { reason, subscription: name }),
        };
    };
    let invalid = |message: &str| (ErrorCode::InvalidSubscription, message.to_owned());
    let objects: Vec<&RawValue> = serde_json::from_str(list.get())
        .map_err(|_| invalid("subscriptions is not an array; send an array of objects, one for each subscription"))?;
    if objects.is_empty() {
        return Err(invalid("subscriptions is empty; send an object for each subscription").into());
    }
    if objects.len() > SUBSCRIPTIONS {
        let message = format!("a connection has at most {} subscriptions with a name; send fewer", SUBSCRIPTIONS - 1);
        return Err((ErrorCode::LimitExceeded, message).into());
    }
    let (mut names, mut snapshots) = (HashSet::new(), BTreeSet::new());
    let mut subscriptions = Vec::with_capacity(objects.len());
    for object in objects {
        if !object.get().starts_with('{') {
            return Err(invalid("subscriptions has an entry that is not an object; send an object for each").into());
        }
        let fields = subscription_fields(object.get())?;
        let name = name(&Fields(&fields))?;
        let fault = |reason| Fault { reason, subscription: Some(name.clone()) };
        if !names.insert(name.clone()) {
            return Err(fault(invalid("subscriptions has two entries with the same name; send each name once")));
        }
        let (subscription, has_snapshot) = read(&fields).map_err(fault)?;
        if has_snapshot {
            snapshots.insert(name);
        }
        subscriptions.push(subscription);
    }
    Ok(Subscribe { subscriptions: Subscriptions::Several { subscriptions }, snapshots, since: None })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::Filter;

    fn code(text: &str) -> ErrorCode {
        ClientMessage::parse(text).unwrap_err().code
    }

    #[test]
    fn subscribe_messages_are_read() {
        let message = ClientMessage::parse(
            r#"{"action":"subscribe","entityTypes":["Room","Sensor"],"idPattern":"urn:.*","requestId":"1","extra":true}"#,
        )
        .unwrap();
        assert_eq!(
            message.action,
            Subscriptions::from(Filter::new(["Room", "Sensor"], Some("urn:.*")).unwrap()).into()
        );
        assert_eq!(message.request_id, RequestId::parse("1").ok());
        let everything =
            ClientMessage::parse(r#"{"action":"subscribe","entityTypes":[],"idPattern":"","requestId":null}"#).unwrap();
        assert_eq!(everything.action, Subscriptions::from(Filter::default()).into());
        assert_eq!(everything.request_id, None);
    }

    #[test]
    fn since_is_a_position_with_its_session_or_a_time() {
        let since = |since: &str| match ClientMessage::parse(&format!(r#"{{"action":"subscribe","since":{since}}}"#)) {
            Ok(ClientMessage { action: Action::Subscribe(Subscribe { since, .. }), .. }) => Ok(since),
            Ok(other) => panic!("{other:?}"),
            Err(rejection) => Err(rejection.code),
        };
        assert_eq!(since("null"), Ok(None));
        assert_eq!(since(r#"{"seconds":30,"more":1}"#), Ok(Some(Since::Seconds { seconds: 30 })));
        let position = crate::Position::parse("0a").unwrap();
        let session = crate::Session::parse("XyZ1=").unwrap();
        assert_eq!(since(r#"{"position":"0a","session":"XyZ1="}"#), Ok(Some(Since::Position { position, session })));
        assert_eq!(since(r#"{"position":null,"seconds":0}"#), Ok(Some(Since::Seconds { seconds: 0 })));
        for wrong in [
            r#""0a""#,
            "{}",
            "30",
            "[]",
            "[30]",
            r#"["0a","s"]"#,
            r#"{"position":"0a"}"#,
            r#"{"position":"0a","session":"s","seconds":30}"#,
            r#"{"position":"a b","session":"s","seconds":30}"#,
            r#"{"position":"0a","seconds":30}"#,
            r#"{"session":"s"}"#,
            r#"{"seconds":-1}"#,
            r#"{"seconds":1.5}"#,
            r#"{"seconds":"30"}"#,
            r#"{"position":"a b","session":"s"}"#,
            r#"{"position":"a","session":"%"}"#,
            r#"{"position":"","session":"s"}"#,
        ] {
            assert_eq!(since(wrong), Err(ErrorCode::InvalidSince), "{wrong}");
        }
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
        assert_eq!(code(r#"{"action":"authenticate","token":"a","proof":7}"#), ErrorCode::InvalidMessage);
        for proof in ["", r#","proof":null"#, r#","proof":"""#, r#","proof":["a"]"#] {
            let message = format!(r#"{{"action":"dpop_bind"{proof}}}"#);
            assert_eq!(code(&message), ErrorCode::InvalidMessage, "{message}");
        }
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
        let bound = ClientMessage::parse(r#"{"action":"dpop_bind","proof":"eyJsecret"}"#).unwrap();
        assert!(!format!("{bound:?}").contains("eyJsecret"));
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
