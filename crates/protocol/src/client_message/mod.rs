//! The messages of clients, in both directions.
//!
//! Invariant: for every message `m`, `ClientMessage::parse(&m.to_json())` is `m`.

mod parse;
mod subscribe;
mod subscription_fields;

use serde::{Serialize, Serializer};
pub use subscribe::Subscribe;

use crate::access_token::AccessToken;
use crate::dpop_proof::DpopProof;
use crate::error_code::ErrorCode;
use crate::json::to_json;
use crate::rejection::Rejection;
use crate::request_id::RequestId;
use crate::snapshot_token::SnapshotToken;
use crate::subscription_name::SubscriptionName;
use crate::subscriptions::Subscriptions;

/// A reason to reject a message.
type Reason = (ErrorCode, String);

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
    /// Add subscriptions. Each replaces the subscription of the same name as a whole.
    Subscribe(Subscribe),
    /// Remove a subscription.
    Unsubscribe {
        /// Its name; the default subscription has none.
        #[serde(skip_serializing_if = "SubscriptionName::is_default")]
        subscription: SubscriptionName,
    },
    /// Go on with a snapshot.
    Snapshot {
        /// Its continuation: the token of the last answer.
        next: SnapshotToken,
    },
    /// Keep the connection alive.
    Ping,
    /// Keep the connection alive, and learn a position from which to resume.
    Sync,
    /// Renew the connection's authorisation with a fresh token.
    Authenticate {
        /// The token.
        #[serde(serialize_with = "expose_token")]
        token: AccessToken,
        /// The proof that the client has the key to which the token is bound, if it is bound to one.
        #[serde(serialize_with = "expose_proof", skip_serializing_if = "Option::is_none")]
        proof: Option<DpopProof>,
    },
    /// Prove that the client has the key to which the token of the handshake is bound.
    #[serde(rename = "dpop_bind")]
    DpopBind {
        /// The proof.
        #[serde(serialize_with = "expose_only_proof")]
        proof: DpopProof,
    },
}

impl Action {
    /// The names of all actions on the wire.
    const NAMES: [&str; 7] = ["subscribe", "unsubscribe", "snapshot", "ping", "sync", "authenticate", "dpop_bind"];

    fn name(&self) -> &'static str {
        let [subscribe, unsubscribe, snapshot, ping, sync, authenticate, dpop_bind] = Self::NAMES;
        match self {
            Self::Subscribe(_) => subscribe,
            Self::Unsubscribe { .. } => unsubscribe,
            Self::Snapshot { .. } => snapshot,
            Self::Ping => ping,
            Self::Sync => sync,
            Self::Authenticate { .. } => authenticate,
            Self::DpopBind { .. } => dpop_bind,
        }
    }
}

impl From<Subscriptions> for Action {
    /// Add these subscriptions, for the events that come from now on.
    fn from(subscriptions: Subscriptions) -> Self {
        Self::Subscribe(subscriptions.into())
    }
}

fn expose_token<S: Serializer>(token: &AccessToken, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose())
}

fn expose_only_proof<S: Serializer>(proof: &DpopProof, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(proof.expose())
}

// serde chooses the signature.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn expose_proof<S: Serializer>(proof: &Option<DpopProof>, serializer: S) -> Result<S::Ok, S::Error> {
    proof.as_ref().map(DpopProof::expose).serialize(serializer)
}

impl ClientMessage {
    /// The text frame.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// The action's name on the wire.
    pub fn action_name(&self) -> &'static str {
        self.action.name()
    }

    /// The name of the subscription that the message is about, if it is about one that has a name.
    fn subscription(&self) -> Option<&SubscriptionName> {
        let name = match &self.action {
            Action::Subscribe(Subscribe { subscriptions: Subscriptions::One(one), .. }) => &one.name,
            Action::Unsubscribe { subscription } => subscription,
            Action::Subscribe(Subscribe { subscriptions: Subscriptions::Several { .. }, .. })
            | Action::Snapshot { .. }
            | Action::Ping
            | Action::Sync
            | Action::Authenticate { .. }
            | Action::DpopBind { .. } => return None,
        };
        Some(name).filter(|name| !name.is_default())
    }

    /// The `error` answer to this message.
    pub fn reject(&self, code: ErrorCode, message: impl Into<String>) -> Rejection {
        Rejection {
            code,
            message: message.into(),
            action: Some(self.action_name().to_owned()),
            subscription: self.subscription().cloned(),
            request_id: self.request_id.clone(),
        }
    }
}
