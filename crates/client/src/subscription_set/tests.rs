use entity_stream_protocol::{Filter, Subscribe};
use proptest::prelude::*;

use super::*;
use crate::past_events::PastEvents;

fn named(name: &str, entity_type: &str) -> Subscription {
    Subscription { name: name.parse().unwrap(), ..Filter::new([entity_type], None).unwrap().into() }
}

#[test]
fn a_request_is_checked_against_those_that_wait() {
    let mut set = SubscriptionSet::new(vec![Subscription::default()]);
    let remove = |name: &str| SubscriptionRequest::Unsubscribe(name.parse().unwrap());
    assert_eq!(set.check(&remove("a")), Err(InvalidSubscriptions::NotSubscribed("a".parse().unwrap())));
    set.push(SubscriptionRequest::Subscribe(vec![named("a", "Room")]));
    assert_eq!(set.check(&remove("a")), Ok(()));
    set.push(remove("a"));
    assert!(set.check(&remove("a")).is_err());
    let replace =
        |old: SubscriptionName, new| SubscriptionRequest::Replace { old, new: Box::new(new), has_snapshot: false };
    assert_eq!(set.check(&replace(SubscriptionName::DEFAULT, named("b", "Room"))), Ok(()));
    assert!(set.check(&replace("a".parse().unwrap(), named("b", "Room"))).is_err());

    let full = (0..16).map(|number| named(&number.to_string(), "Room")).collect();
    let set = SubscriptionSet::new(full);
    let same = SubscriptionRequest::Subscribe(vec![named("3", "Sensor")]);
    assert_eq!(set.check(&same), Ok(()));
    let both = replace("3".parse().unwrap(), named("new", "Room"));
    assert_eq!(set.check(&both), Err(InvalidSubscriptions::TooMany), "both are there for a moment");
    let repeated = SubscriptionRequest::Subscribe(vec![named("3", "Room"), named("3", "Sensor")]);
    assert!(matches!(set.check(&repeated), Err(InvalidSubscriptions::Repeated(_))));
}

#[test]
fn replacing_under_the_same_name_is_one_message() {
    let mut set = SubscriptionSet::new(vec![named("a", "Room")]);
    set.push(SubscriptionRequest::Replace {
        old: "a".parse().unwrap(),
        new: Box::new(named("a", "Sensor")),
        has_snapshot: false,
    });
    let (action, id) = set.next_message(Instant::now()).unwrap();
    assert!(matches!(action, Action::Subscribe(_)) && set.awaits(Some(&id)));
    assert!(matches!(set.accept(), Some(AcceptedMessage { done: Some(_), .. })));
    assert_eq!(set.at_opening(), [named("a", "Sensor")]);
}

#[test]
fn a_subscription_that_the_server_lacks_is_not_restored() {
    let mut set = SubscriptionSet::new(vec![named("a", "Room")]);
    set.push(SubscriptionRequest::Unsubscribe("a".parse().unwrap()));
    set.next_message(Instant::now());
    assert!(set.refuse(&ErrorCode::NotSubscribed).is_some());
    assert_eq!(set.at_opening(), []);
}

fn requests() -> impl Strategy<Value = Vec<SubscriptionRequest>> {
    let subscription = ("[a-d]", "[XYZ]").prop_map(|(name, kind)| named(&name, &kind));
    let request = prop_oneof![
        prop::collection::vec(subscription.clone(), 0..3).prop_map(SubscriptionRequest::Subscribe),
        (prop::collection::vec(subscription.clone(), 0..3), 1..3u32).prop_map(|(added, seconds)| {
            let past = PastEvents::new(Since::Seconds { seconds }, Instant::now());
            SubscriptionRequest::SubscribeSince { added, past, has_snapshot: false }
        }),
        "[a-d]".prop_map(|name| SubscriptionRequest::Unsubscribe(name.parse().unwrap())),
        ("[a-d]", subscription).prop_map(|(old, new)| SubscriptionRequest::Replace {
            old: old.parse().unwrap(),
            new: Box::new(new),
            has_snapshot: false
        }),
    ];
    prop::collection::vec(request, 0..12)
}

/// A server that applies each message, as the contract describes it.
fn serve(server: &mut Vec<Subscription>, action: &Action) {
    match action {
        Action::Subscribe(Subscribe { subscriptions: added, .. }) => {
            SubscriptionRequest::Subscribe(added.as_slice().to_vec()).apply(server);
        }
        Action::Unsubscribe { subscription } => SubscriptionRequest::Unsubscribe(subscription.clone()).apply(server),
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// Whatever is refused and whenever the connection is lost, the client restores what the server had.
    #[test]
    fn client_and_server_agree(requests in requests(), refused: Vec<bool>, losses: Vec<Option<bool>>) {
        let (mut set, mut server) = (SubscriptionSet::new(Vec::new()), Vec::new());
        let mut expected = 0;
        for request in requests {
            if set.check(&request).is_ok() {
                let is_nothing = request.removes().is_none() && request.added().is_empty();
                let is_nothing = is_nothing && !matches!(request, SubscriptionRequest::Replace { .. });
                expected += usize::from(!is_nothing);
                set.push(request);
            }
        }
        let (mut refused, mut losses) = (refused.into_iter(), losses.into_iter());
        let (mut ended, mut next) = (0, set.next_message(Instant::now()));
        while let Some((action, id)) = next {
            prop_assert!(set.awaits(Some(&id)) && set.next_message(Instant::now()).is_none(), "one message at a time");
            if let Some(Some(is_cautious)) = losses.next() {
                set.lost();
                set.open(is_cautious);
                server = set.at_opening();
                ended += set.opening;
                set.opened();
                next = set.next_message(Instant::now());
                continue;
            }
            let is_refused = refused.next() == Some(true);
            let done = if is_refused {
                set.refuse(&ErrorCode::LimitExceeded)
            } else {
                serve(&mut server, &action);
                set.accept().expect("a request is under way").done
            };
            ended += usize::from(done.is_some());
            next = set.next_message(Instant::now());
        }
        prop_assert_eq!(ended, expected, "each request ends once");
        prop_assert_eq!(set.at_opening(), server);
    }
}
