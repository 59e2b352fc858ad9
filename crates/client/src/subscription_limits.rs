use std::collections::{BTreeSet, HashSet};

use entity_stream_protocol::limits::{FRAME_BYTES, SUBSCRIPTIONS};
use entity_stream_protocol::{
    Action, ClientMessage, RequestId, Since, Subscribe, Subscription, SubscriptionName, Subscriptions,
};

/// The most subscriptions of a connection that have a name.
const NAMED: usize = SUBSCRIPTIONS - 1;
/// The longest `requestId` of the client's own, in bytes of JSON with its field.
const REQUEST_ID_BYTES: usize = 48;
/// The longest `since`, in bytes of JSON with its field: a position of 64 bytes and a session of 128.
const SINCE_BYTES: usize = 256;
/// The wish for a snapshot, in bytes of JSON.
const SNAPSHOT_BYTES: usize = r#","snapshot":true"#.len();

/// A connection cannot have these subscriptions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubscriptions {
    /// Two of them have the same name; an empty one is the default subscription.
    #[error("two subscriptions have the name `{0}`; give each its own name, of which one may be absent")]
    Repeated(SubscriptionName),
    /// Too many of them have a name.
    #[error("a connection has at most {NAMED} subscriptions with a name; open another connection for more")]
    TooMany,
    /// The message that restores all of them after a reconnect is larger than API Gateway takes.
    #[error(
        "the subscriptions have more than {} KB of JSON together; name fewer or shorter ids, or open another connection",
        FRAME_BYTES / 1024
    )]
    TooLarge,
    /// There are none, and the connection is open already.
    #[error("a stream over an open connection needs a subscription; begin with one")]
    None,
    /// The stream has no subscription of this name; an empty one is the default subscription.
    #[error("there is no subscription with the name `{0}`")]
    NotSubscribed(SubscriptionName),
}

/// Checks the subscriptions of one connection.
pub(crate) fn check(subscriptions: &[Subscription]) -> Result<(), InvalidSubscriptions> {
    let mut names = HashSet::new();
    if let Some(repeated) = subscriptions.iter().find(|subscription| !names.insert(&subscription.name)) {
        return Err(InvalidSubscriptions::Repeated(repeated.name.clone()));
    }
    if names.iter().filter(|name| !name.is_default()).count() > NAMED {
        return Err(InvalidSubscriptions::TooMany);
    }
    let action = subscribe(subscriptions.to_vec(), BTreeSet::new(), None);
    let bytes = action.map_or(0, |action| to_json(action).len()) + subscriptions.len() * SNAPSHOT_BYTES;
    if bytes + REQUEST_ID_BYTES + SINCE_BYTES > FRAME_BYTES { Err(InvalidSubscriptions::TooLarge) } else { Ok(()) }
}

/// The request that puts these subscriptions in force, and asks for the snapshot of some of them and for past events.
/// `None` if there are no subscriptions: the contract has no such message.
pub(crate) fn subscribe(
    subscriptions: Vec<Subscription>,
    snapshots: BTreeSet<SubscriptionName>,
    since: Option<Since>,
) -> Option<Action> {
    let subscriptions = match <[Subscription; 1]>::try_from(subscriptions) {
        Ok([one]) => one.into(),
        Err(none) if none.is_empty() => return None,
        Err(subscriptions) => Subscriptions::Several { subscriptions },
    };
    Some(Action::Subscribe(Subscribe { snapshots, since, ..subscriptions.into() }))
}

fn to_json(action: Action) -> String {
    ClientMessage { action, request_id: None::<RequestId> }.to_json()
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::limits::{FILTER_ID_LENGTH, FILTER_IDS};
    use entity_stream_protocol::{FilterFields, View};

    use super::*;

    fn named(name: &str) -> Subscription {
        Subscription { name: name.parse().unwrap(), ..Subscription::default() }
    }

    fn large(name: &str, length: usize) -> Subscription {
        let entity_ids = (0..FILTER_IDS).map(|id| format!("{id:0length$}")).collect();
        let filter = FilterFields { entity_ids, ..FilterFields::default() }.check().unwrap();
        Subscription::new(name.parse().unwrap(), filter, View::default()).unwrap()
    }

    #[test]
    fn sixteen_may_have_a_name_and_one_has_none() {
        let mut most: Vec<_> = (0..NAMED).map(|number| named(&number.to_string())).collect();
        most.push(Subscription::default());
        assert_eq!(check(&most), Ok(()));
        most.push(named("more"));
        assert_eq!(check(&most), Err(InvalidSubscriptions::TooMany));
        let twice = [named("map"), named("map")];
        assert_eq!(check(&twice), Err(InvalidSubscriptions::Repeated("map".parse().unwrap())));
        let defaults = [Subscription::default(), Subscription::default()];
        assert_eq!(check(&defaults), Err(InvalidSubscriptions::Repeated(SubscriptionName::DEFAULT)));
        assert_eq!(check(&[]), Ok(()));
    }

    #[test]
    fn all_of_them_fit_into_one_frame() {
        assert_eq!(check(&[large("a", FILTER_ID_LENGTH)]), Ok(()));
        let two = [large("a", FILTER_ID_LENGTH), large("b", FILTER_ID_LENGTH)];
        assert_eq!(check(&two), Err(InvalidSubscriptions::TooLarge));
    }

    #[test]
    fn one_subscription_is_the_message_itself() {
        let json = |subscriptions| subscribe(subscriptions, BTreeSet::new(), None).map(to_json);
        assert_eq!(json(vec![]), None);
        assert_eq!(json(vec![named("a")]).as_deref(), Some(r#"{"action":"subscribe","subscription":"a"}"#));
        assert_eq!(
            json(vec![named("a"), Subscription::default()]).as_deref(),
            Some(r#"{"action":"subscribe","subscriptions":[{"subscription":"a"},{}]}"#)
        );
    }
}
