use std::collections::{BTreeMap, BTreeSet};

use entity_stream_connections::{Authorisation, Connection};
use entity_stream_protocol::{Filter, Format, Tenant};
use proptest::prelude::*;

use super::*;
use crate::candidate::Match;
use crate::matched::Matched;

fn now() -> EpochMillis {
    EpochMillis::new(1_767_000_000_000)
}

fn candidate(id: &str, group: Option<&str>, events: &[usize]) -> Candidate {
    let connection = Connection {
        id: ConnectionId::parse(id).unwrap(),
        tenant: Tenant::parse("demo").unwrap(),
        connected_at: now(),
        subscriptions: vec![Filter::default().into()],
        acknowledgement: None,
        format: Format::Json,
        group: group.map(|group| GroupId::parse(group).unwrap()),
        takes_batches: false,
        resumed: None,
        resumed_at: None,
        authorisation: Authorisation::Open,
    };
    let mut interest = connection.interests().remove(0);
    let want = interest.wants.remove(0);
    let matched = Matched { passing: events.into(), ..Matched::default() };
    Candidate { interest, matches: vec![Match::new(want, matched)] }
}

fn all(_event: usize, _hash: u64) -> bool {
    true
}

/// Returns the only recipient of these candidates.
fn only(candidates: Vec<Candidate>, event_ids: &[&str]) -> Recipient {
    let mut recipients = recipients(candidates, all, event_ids);
    assert_eq!(recipients.len(), 1);
    recipients.remove(0)
}

/// Returns the event and the connection that a recipient tries next.
fn next(recipient: &mut Recipient) -> Option<(usize, String)> {
    recipient.next(now()).map(|offer| (offer.event, offer.interest.connection_id.to_string()))
}

/// Returns the result of each event so far.
fn results(recipient: &Recipient) -> Vec<(usize, Resolution)> {
    recipient.resolved.iter().map(|resolved| (resolved.event, resolved.resolution)).collect()
}

/// Returns the member of a group of `members` that is tried first for each of `events` events.
fn first_members(members: &[&str], events: usize) -> Vec<String> {
    let candidates = |event| members.iter().map(|id| candidate(id, Some("team"), &[event])).collect::<Vec<_>>();
    let first = |event: usize| next(&mut only(candidates(0), &[&format!("e{event}")])).unwrap().1;
    (0..events).map(first).collect()
}

#[test]
fn a_connection_receives_its_events_in_the_order_of_the_batch() {
    let mut recipient = only(vec![candidate("alice", None, &[0, 2])], &["e0", "e1", "e2"]);
    for event in [0, 2] {
        assert_eq!(next(&mut recipient), Some((event, "alice".to_owned())));
        // Until the attempt is resolved, the same event is tried again.
        assert_eq!(next(&mut recipient), Some((event, "alice".to_owned())));
        recipient.resolve(Resolution::Delivered, now());
    }
    assert_eq!(next(&mut recipient), None);
    assert_eq!(results(&recipient), [(0, Resolution::Delivered), (2, Resolution::Delivered)]);
    assert_eq!(recipient.unresolved().count(), 0);
}

#[test]
fn either_version_of_a_changed_filter_is_enough() {
    let twice = vec![candidate("alice", None, &[0, 2]), candidate("alice", None, &[1, 2])];
    let mut recipient = only(twice, &["e0", "e1", "e2"]);
    for event in 0..3 {
        assert_eq!(next(&mut recipient), Some((event, "alice".to_owned())));
        recipient.resolve(Resolution::Delivered, now());
    }
    assert_eq!(next(&mut recipient), None);
}

#[test]
fn a_connection_that_has_ended_receives_no_later_event() {
    for ended in [Resolution::Gone, Resolution::Expired] {
        let mut recipient = only(vec![candidate("alice", None, &[0, 1])], &["e0", "e1"]);
        assert_eq!(next(&mut recipient), Some((0, "alice".to_owned())));
        recipient.resolve(ended, now());
        assert_eq!(next(&mut recipient), None);
        assert_eq!(results(&recipient), [(0, ended), (1, ended)]);
    }
    let mut recipient = only(vec![candidate("alice", None, &[0, 1])], &["e0", "e1"]);
    next(&mut recipient);
    recipient.resolve(Resolution::Rejected, now());
    assert_eq!(next(&mut recipient), Some((1, "alice".to_owned())), "another event may be accepted");
}

#[test]
fn a_group_tries_its_members_until_one_accepts_the_event() {
    let members = ["alice", "bob", "carol"].map(|id| candidate(id, Some("team"), &[0, 1]));
    let mut recipient = only(members.to_vec(), &["e0", "e1"]);
    let (_, first) = next(&mut recipient).unwrap();
    recipient.resolve(Resolution::Gone, now());
    let (event, second) = next(&mut recipient).unwrap();
    assert!(event == 0 && second != first);
    recipient.resolve(Resolution::Delivered, now());
    // The third member is not tried, and the first one not again.
    let (event, member) = next(&mut recipient).unwrap();
    assert!(event == 1 && member != first);
    recipient.resolve(Resolution::Delivered, now());
    assert_eq!(next(&mut recipient), None);
    let delivered = |(_, resolution): &(usize, Resolution)| *resolution == Resolution::Delivered;
    assert_eq!(results(&recipient).into_iter().filter(delivered).count(), 2);
}

#[test]
fn a_connection_that_refuses_an_event_is_offered_no_other_in_the_same_attempt() {
    let mut recipient = only(vec![candidate("alice", None, &[0, 1])], &["e0", "e1"]);
    for _ in 0..3 {
        recipient.begin_attempt();
        assert_eq!(next(&mut recipient), Some((0, "alice".to_owned())));
        recipient.refuse("throttled".to_owned());
        assert_eq!(next(&mut recipient), None);
        assert!(!recipient.is_done());
    }
    assert_eq!(recipient.stuck().count(), 1);
}

#[test]
fn the_next_member_of_a_group_is_offered_what_one_refuses_at_once() {
    let members = ["alice", "bob", "carol"].map(|id| candidate(id, Some("team"), &[0, 1, 2]));
    let mut recipient = only(members.to_vec(), &["e0", "e1", "e2"]);
    recipient.begin_attempt();
    let (_, stuck) = next(&mut recipient).unwrap();
    recipient.refuse("throttled".to_owned());
    for event in 0..3 {
        let (offered, member) = next(&mut recipient).unwrap();
        assert!(offered == event && member != stuck);
        recipient.resolve(Resolution::Delivered, now());
    }
    assert!(next(&mut recipient).is_none() && recipient.is_done());
}

#[test]
fn an_event_that_some_members_refuse_does_not_keep_other_events_from_others() {
    let mut recipient =
        only(vec![candidate("alice", Some("team"), &[0]), candidate("bob", Some("team"), &[1])], &["e0", "e1"]);
    recipient.begin_attempt();
    assert_eq!(next(&mut recipient), Some((0, "alice".to_owned())));
    recipient.refuse("throttled".to_owned());
    assert_eq!(next(&mut recipient), Some((1, "bob".to_owned())));
    recipient.resolve(Resolution::Delivered, now());
    assert_eq!(next(&mut recipient), None);
    let stuck: Vec<_> = recipient.stuck().map(|interest| interest.connection_id.to_string()).collect();
    assert_eq!(stuck, ["alice"], "bob takes events");
}

#[test]
fn a_group_that_no_member_accepts_an_event_for_is_done() {
    let members = ["alice", "bob"].map(|id| candidate(id, Some("team"), &[0]));
    let mut recipient = only(members.to_vec(), &["e0"]);
    for _ in 0..2 {
        assert!(next(&mut recipient).is_some());
        recipient.resolve(Resolution::Rejected, now());
    }
    assert_eq!(recipient.unresolved().count(), 0);
    assert_eq!(next(&mut recipient), None);
    assert_eq!(results(&recipient), [(0, Resolution::Rejected), (0, Resolution::Rejected)]);
}

#[test]
fn unresolved_events_are_listed_with_the_connection_to_try_next() {
    let mut recipient = only(vec![candidate("alice", None, &[0, 1, 2])], &["e0", "e1", "e2"]);
    next(&mut recipient);
    recipient.resolve(Resolution::Delivered, now());
    next(&mut recipient);
    let unresolved: Vec<_> = recipient
        .unresolved()
        .map(|(event, interests)| (event, interests.map(|each| each.connection_id.to_string()).collect::<Vec<_>>()))
        .collect();
    assert_eq!(unresolved, [(1, vec!["alice".to_owned()]), (2, vec!["alice".to_owned()])]);
}

#[test]
fn an_event_that_the_invocation_does_not_serve_at_a_hash_is_left_out() {
    let alice = candidate("alice", None, &[0, 1]);
    let hash = alice.interest.hash();
    let serves = |event: usize, at: u64| event == 1 && at == hash;
    let mut some = recipients(vec![alice.clone(), candidate("bob", None, &[0])], serves, &["e0", "e1"]);
    assert_eq!(some.len(), 1);
    assert_eq!(next(&mut some[0]), Some((1, "alice".to_owned())));
    assert!(recipients(vec![alice], |_, _| false, &["e0", "e1"]).is_empty());
}

#[test]
fn members_share_the_events_evenly_and_a_leaving_member_moves_only_its_share() {
    const EVENTS: usize = 3_000;
    let three = first_members(&["alice", "bob", "carol"], EVENTS);
    let two = first_members(&["alice", "bob"], EVENTS);
    let mut shares = BTreeMap::<&str, usize>::new();
    for (before, after) in three.iter().zip(&two) {
        *shares.entry(before).or_default() += 1;
        assert!(before == "carol" || before == after, "an event moved from {before} to {after}");
    }
    assert!(shares.values().all(|share| share.abs_diff(EVENTS / 3) < EVENTS / 20), "{shares:?}");
}

/// A connection's number, its group and the events that it matches. Connections occur several times, in one group.
fn candidates() -> impl Strategy<Value = Vec<(usize, BTreeSet<usize>)>> {
    let events = prop::collection::btree_set(0..4_usize, 1..4);
    prop::collection::vec((0..30_usize, events), 0..60)
}

proptest! {
    #[test]
    fn each_recipient_receives_each_of_its_events_once(drawn in candidates()) {
        let group_of = |n: usize| (!n.is_multiple_of(3)).then(|| format!("team{}", n % 4));
        let candidates = drawn.iter().map(|(n, events)| {
            let events: Vec<_> = events.iter().copied().collect();
            candidate(&format!("c{n}"), group_of(*n).as_deref(), &events)
        });
        let mut expected = BTreeMap::<String, BTreeSet<usize>>::new();
        for (n, events) in &drawn {
            expected.entry(group_of(*n).unwrap_or_else(|| format!("c{n}"))).or_default().extend(events);
        }
        let mut received = BTreeMap::<String, BTreeSet<usize>>::new();
        for mut recipient in recipients(candidates.collect(), all, &["e0", "e1", "e2", "e3"]) {
            while let Some(Offer { event, interest, .. }) = recipient.next(now()) {
                let (hash, id) = (interest.hash(), interest.connection_id.to_string());
                let name = interest.group.as_ref().map_or(id, |group| group.as_str().to_owned());
                prop_assert_eq!(hash, recipient.hash);
                prop_assert!(received.entry(name.clone()).or_default().insert(event), "{} got {} twice", name, event);
                recipient.resolve(Resolution::Delivered, now());
            }
        }
        prop_assert_eq!(received, expected);
    }
}
