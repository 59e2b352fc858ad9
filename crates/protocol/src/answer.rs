use serde::{Deserialize, Serialize};

use crate::epoch_millis::EpochMillis;
use crate::json::to_json;
use crate::position::Position;
use crate::recovery::{self, Recovery};
use crate::rejection::Rejection;
use crate::request_id::RequestId;
use crate::session::Session;
use crate::snapshot_token::SnapshotToken;
use crate::subscription_name::SubscriptionName;
use crate::subscriptions::Subscriptions;

/// The server's answer to one message of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Answer {
    /// The subscriptions are in force: the server delivers every change that matches and is published from now on.
    Subscribed {
        /// The subscriptions in force.
        #[serde(flatten)]
        subscriptions: Subscriptions,
        /// The place in the history up to which the client has every event. `None` if the service keeps no history.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<Position>,
        /// The session to give back with the position. `None` if the service keeps no history, and for members of a group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Session>,
        /// The verdict, if the client asked for events that it missed, or if the exchange of a subscription may have missed
        /// some.
        #[serde(flatten, deserialize_with = "recovery::among_fields")]
        recovery: Option<Recovery>,
        /// The number of entities in the snapshot that came before this answer, if the client asked for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot: Option<u32>,
        /// The place at which the snapshot goes on. `None` if it is complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot_next: Option<SnapshotToken>,
        /// The id of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
    },
    /// The subscription is removed. Changes that were under way may still arrive.
    Unsubscribed {
        /// Its name; the default subscription has none.
        #[serde(default, skip_serializing_if = "SubscriptionName::is_default")]
        subscription: SubscriptionName,
        /// The id of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
    },
    /// The next part of a snapshot came before this answer.
    Snapshot {
        /// The number of entities in the part.
        snapshot: u32,
        /// The place at which the snapshot goes on. `None` if it is complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot_next: Option<SnapshotToken>,
        /// The id of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
    },
    /// The answer to `ping`.
    Pong {
        /// The id of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
    },
    /// The answer to `sync`.
    Synced {
        /// The place in the history up to which the client has every event.
        position: Position,
        /// The id of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
    },
    /// The connection is authorised.
    Authenticated {
        /// The end of the authorisation, on the wire in RFC 3339 to the second. `None` if it lasts as long as the
        /// connection.
        #[serde(default, with = "rfc3339", skip_serializing_if = "Option::is_none")]
        expires_at: Option<EpochMillis>,
        /// The id of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
    },
    /// The client has proved that it has the key of its token, and the connection is authorised.
    #[serde(rename = "dpop_verified")]
    DpopVerified {
        /// The id of the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<RequestId>,
    },
    /// The server rejected the message, which changed nothing.
    Error(Rejection),
}

impl Answer {
    /// The text frame.
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// The id of the request that this answers. `None` if the request had none.
    pub fn request_id(&self) -> Option<&RequestId> {
        match self {
            Self::Subscribed { request_id, .. }
            | Self::Unsubscribed { request_id, .. }
            | Self::Snapshot { request_id, .. }
            | Self::Pong { request_id }
            | Self::Synced { request_id, .. }
            | Self::Authenticated { request_id, .. }
            | Self::DpopVerified { request_id }
            | Self::Error(Rejection { request_id, .. }) => request_id.as_ref(),
        }
    }
}

mod rfc3339 {
    use std::borrow::Cow;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::epoch_millis::EpochMillis;

    // serde chooses the signature.
    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(super) fn serialize<S: Serializer>(time: &Option<EpochMillis>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(EpochMillis::to_rfc3339).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EpochMillis>, D::Error> {
        let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
        let whole_seconds = |time: EpochMillis| EpochMillis::from_seconds(time.seconds());
        let read = |text: Cow<'_, str>| {
            EpochMillis::from_rfc3339(&text)
                .map(whole_seconds)
                .ok_or_else(|| D::Error::custom("expiresAt is not RFC 3339"))
        };
        text.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_code::ErrorCode;
    use crate::filter::Filter;
    use crate::recovery::NotRecovered;
    use crate::subscription::Subscription;
    use crate::view::{Representation, View};

    fn subscribed(subscriptions: Subscriptions, request_id: Option<RequestId>) -> Answer {
        Answer::Subscribed {
            subscriptions,
            position: None,
            session: None,
            recovery: None,
            snapshot: None,
            snapshot_next: None,
            request_id,
        }
    }

    #[test]
    fn answers_have_the_text_of_the_contract() {
        let position = Position::parse("0a").unwrap();
        let request_id = RequestId::parse("1").ok();
        let until = Some(EpochMillis::new(1_795_212_000_999));
        let map = Subscription {
            name: SubscriptionName::parse("map").unwrap(),
            filter: Filter::new(["Room"], None).unwrap(),
            view: View::new([""; 0], Representation::KeyValues).unwrap(),
        };
        let rejection = Rejection {
            code: ErrorCode::UnknownAction,
            message: "no".into(),
            action: Some("x".into()),
            subscription: None,
            request_id: request_id.clone(),
        };
        for (answer, text) in [
            (
                subscribed(Filter::new(["Room"], Some("^urn")).unwrap().into(), request_id.clone()),
                r#"{"type":"subscribed","entityTypes":["Room"],"idPattern":"^urn","requestId":"1"}"#,
            ),
            (subscribed(Filter::default().into(), None), r#"{"type":"subscribed"}"#),
            (
                subscribed(
                    Subscriptions::Several { subscriptions: vec![map.clone(), Filter::default().into()] },
                    request_id.clone(),
                ),
                r#"{"type":"subscribed","subscriptions":[{"subscription":"map","entityTypes":["Room"],"representation":"keyValues"},{}],"requestId":"1"}"#,
            ),
            (
                subscribed(map.clone().into(), None),
                r#"{"type":"subscribed","subscription":"map","entityTypes":["Room"],"representation":"keyValues"}"#,
            ),
            (
                Answer::Unsubscribed { subscription: map.name, request_id: None },
                r#"{"type":"unsubscribed","subscription":"map"}"#,
            ),
            (
                Answer::Unsubscribed { subscription: SubscriptionName::DEFAULT, request_id: request_id.clone() },
                r#"{"type":"unsubscribed","requestId":"1"}"#,
            ),
            (
                Answer::Subscribed {
                    subscriptions: Filter::default().into(),
                    position: Some(position.clone()),
                    session: Session::parse("XyZ1=").ok(),
                    recovery: Some(Recovery::Recovered { replayed: 17 }),
                    snapshot: None,
                    snapshot_next: None,
                    request_id: request_id.clone(),
                },
                r#"{"type":"subscribed","position":"0a","session":"XyZ1=","recovered":true,"replayed":17,"requestId":"1"}"#,
            ),
            (
                Answer::Subscribed {
                    subscriptions: Filter::default().into(),
                    position: None,
                    session: None,
                    recovery: Some(Recovery::NotRecovered(NotRecovered::TooMany)),
                    snapshot: Some(5000),
                    snapshot_next: SnapshotToken::parse("e30").ok(),
                    request_id: None,
                },
                r#"{"type":"subscribed","recovered":false,"reason":"too_many","snapshot":5000,"snapshotNext":"e30"}"#,
            ),
            (
                Answer::Snapshot { snapshot: 20, snapshot_next: None, request_id: request_id.clone() },
                r#"{"type":"snapshot","snapshot":20,"requestId":"1"}"#,
            ),
            (Answer::Pong { request_id: None }, r#"{"type":"pong"}"#),
            (
                Answer::Synced { position, request_id: request_id.clone() },
                r#"{"type":"synced","position":"0a","requestId":"1"}"#,
            ),
            (
                Answer::Authenticated { expires_at: until, request_id },
                r#"{"type":"authenticated","expiresAt":"2026-11-20T22:00:00Z","requestId":"1"}"#,
            ),
            (Answer::Authenticated { expires_at: None, request_id: None }, r#"{"type":"authenticated"}"#),
            (Answer::DpopVerified { request_id: None }, r#"{"type":"dpop_verified"}"#),
            (
                Answer::DpopVerified { request_id: RequestId::parse("b").ok() },
                r#"{"type":"dpop_verified","requestId":"b"}"#,
            ),
            (
                Answer::Error(rejection),
                r#"{"type":"error","code":"unknown_action","message":"no","action":"x","requestId":"1"}"#,
            ),
        ] {
            assert_eq!(answer.to_json(), text);
            assert_eq!(serde_json::from_str::<Answer>(text).unwrap().to_json(), text);
        }
    }
}
