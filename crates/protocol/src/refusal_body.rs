use serde::{Deserialize, Serialize};

use crate::json::to_json;

/// The body of a refused handshake. API Gateway's own refusals have the same body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalBody {
    /// The reason, for people.
    pub message: String,
}

impl RefusalBody {
    /// A body with this reason.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// Reads a body. `None` if it has another form, such as a page of a proxy's.
    pub fn parse(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    /// The body's text.
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}
