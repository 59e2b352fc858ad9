use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// Most dead letters that are kept; the oldest go first.
const CAPACITY: usize = 1000;

/// Events that reached nobody, for people and tests to read.
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
    /// How often it was tried.
    pub(crate) attempts: usize,
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

    /// The oldest first. An event that is JSON is shown as such; otherwise as a string.
    pub(crate) fn to_json(&self) -> Value {
        let letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letters
            .iter()
            .map(|letter| {
                json!({
                    "errorCode": letter.error_code,
                    "errorMessage": letter.error_message,
                    "attempts": letter.attempts,
                    "event": serde_json::from_str(&letter.event).unwrap_or_else(|_| json!(letter.event)),
                })
            })
            .collect()
    }
}
