//! What a program has seen of its client, for the steps that wait.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use entity_stream_client::{ClientError, CloseCode, ErrorCode};
use serde_json::Value;

/// What a program has seen.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Each event, with the names of its subscriptions.
    pub(crate) events: Vec<(String, Vec<String>)>,
    pub(crate) verdicts: Vec<Value>,
    pub(crate) missed_since: Option<SystemTime>,
    pub(crate) states: Vec<&'static str>,
    pub(crate) errors: Vec<String>,
    /// The calls by name: `None` is open, and the error is a code.
    pub(crate) calls: HashMap<String, Option<Result<(), String>>>,
    /// The wire names of each subscription that the program holds.
    pub(crate) names: HashMap<String, Vec<String>>,
    pub(crate) collections: HashMap<String, RecordedCollection>,
    /// The errors of subscriptions that were in force, by call.
    pub(crate) failures: HashMap<String, String>,
    pub(crate) is_closed: bool,
}

/// A collection as its program has seen it.
#[derive(Debug, Default)]
pub(crate) struct RecordedCollection {
    pub(crate) entities: BTreeMap<String, Value>,
    pub(crate) changes: Vec<(&'static str, String)>,
}

impl Record {
    /// The ids of the events, sorted: of a subscription with repeats, or of the client, each once.
    pub(crate) fn ids(&self, of: Option<&str>) -> Vec<&str> {
        let names = of.map(|of| self.names.get(of).cloned().unwrap_or_default());
        let is_of = |event: &[String]| names.as_ref().is_none_or(|names| names.iter().any(|name| event.contains(name)));
        let mut ids: Vec<&str> =
            self.events.iter().filter(|(_, event)| is_of(event)).map(|(id, _)| id.as_str()).collect();
        ids.sort_unstable();
        if of.is_none() {
            ids.dedup();
        }
        ids
    }

    /// The subscriptions with these wire names have ended.
    pub(crate) fn fail(&mut self, is_over: impl Fn(&[String]) -> bool, code: &str) {
        for (call, names) in &self.names {
            if is_over(names) {
                self.failures.insert(call.clone(), code.to_owned());
            }
        }
    }

    pub(crate) fn settle(&mut self, call: &str, result: Result<(), String>) {
        if let Some(call @ None) = self.calls.get_mut(call) {
            *call = Some(result);
        }
    }
}

/// The code of an error, as the suite names it.
pub(crate) fn code(error: &ClientError, was_subscribed: bool, is_request: bool) -> String {
    match error {
        ClientError::Rejected { code: ErrorCode::Unauthorized | ErrorCode::Forbidden, .. }
        | ClientError::TokenRefusedAgain
        | ClientError::Closed { code: CloseCode::PolicyViolation, .. } => "refused".to_owned(),
        ClientError::Handshake(refusal) if matches!(refusal.status, 401 | 403) => "refused".to_owned(),
        ClientError::Rejected { code: ErrorCode::Internal, .. } if !is_request => "server_error".to_owned(),
        ClientError::Rejected { code: ErrorCode::NotConnected, .. } | ClientError::Gateway(_) => {
            "server_error".to_owned()
        }
        ClientError::Rejected { code, .. } => code.as_str().to_owned(),
        ClientError::Closed { code, .. } if is_request => match u16::from(*code) {
            1009 => "message_too_large".to_owned(),
            _ => "invalid_message".to_owned(),
        },
        ClientError::TokenUnavailable(_) => "token_unavailable".to_owned(),
        ClientError::TokenExpired => "token_expired".to_owned(),
        ClientError::Timeout(_) => "timeout".to_owned(),
        ClientError::Filter(_) | ClientError::Subscriptions(_) => "limit_exceeded".to_owned(),
        _ if was_subscribed => "connection_lost".to_owned(),
        _ => "connect_failed".to_owned(),
    }
}
