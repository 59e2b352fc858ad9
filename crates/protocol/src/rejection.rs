use serde::{Deserialize, Serialize};

use crate::error_code::ErrorCode;
use crate::request_id::RequestId;
use crate::subscription_name::SubscriptionName;

/// An `error` answer. The message that it answers changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The reason, for programs.
    pub code: ErrorCode,
    /// The reason and the remedy, for people. It never holds a stack trace, a table name or a token.
    pub message: String,
    /// The action of the rejected message. `None` if the server could not read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The name of the subscription that is at fault. `None` if it has none, or the fault is none of one subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionName>,
    /// The id of the rejected request. `None` if it had none, or the server could not read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}
