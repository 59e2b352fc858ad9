use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Maximum number of dead letters kept. The oldest are dropped first.
const CAPACITY: usize = 1000;

/// Events that could not be delivered, for people and tests to read.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters(Mutex<VecDeque<DeadLetter>>);

/// One such event and why.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// The event as it was published.
    pub(crate) event: String,
    /// The error's type.
    pub(crate) error_code: String,
    /// The error's message.
    pub(crate) error_message: String,
    /// The number of attempts.
    pub(crate) attempts: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    error_code: &'a str,
    error_message: &'a str,
    attempts: usize,
    event: Box<RawValue>,
}

impl DeadLetters {
    pub(crate) fn push(&self, letter: DeadLetter) {
        tracing::error!(
            error_code = letter.error_code,
            error_message = letter.error_message,
            attempts = letter.attempts,
            "dead letter: see GET /_local/dead-letters"
        );
        let mut letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if letters.len() == CAPACITY {
            letters.pop_front();
        }
        letters.push_back(letter);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The oldest first. An event that is JSON is shown as it was published, byte for byte; otherwise as a string.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        let letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown: Result<Vec<Shown<'_>>, _> = letters.iter().map(Shown::new).collect();
        serde_json::to_string(&shown?)
    }
}

impl<'a> Shown<'a> {
    fn new(letter: &'a DeadLetter) -> Result<Self, serde_json::Error> {
        let event = match RawValue::from_string(letter.event.clone()) {
            Ok(event) => event,
            Err(_) => to_raw_value(&letter.event)?,
        };
        let DeadLetter { error_code, error_message, attempts, .. } = letter;
        Ok(Self { error_code, error_message, attempts: *attempts, event })
    }
}
