use std::collections::BTreeMap;
use std::time::Duration;

use entity_stream_protocol::EpochMillis;
use proptest::prelude::*;

use super::{BYTES, MESSAGES, MessageQueue};

fn send(queue: &mut MessageQueue, id: &str, body: &str, now: EpochMillis) {
    queue.send(id.to_owned(), body.to_owned(), BTreeMap::new(), now);
}

#[test]
fn the_oldest_messages_give_way_to_new_ones() {
    let (mut queue, now) = (MessageQueue::default(), EpochMillis::new(0));
    for number in 0..=MESSAGES {
        send(&mut queue, &number.to_string(), "", now);
    }
    assert_eq!((queue.len(), queue.find("0").is_some(), queue.find("1").is_some()), (MESSAGES, false, true));

    let half = "x".repeat(BYTES / 2);
    for id in ["a", "b", "c"] {
        send(&mut queue, id, &half, now);
    }
    assert_eq!(queue.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    send(&mut queue, "d", &"x".repeat(BYTES + 1), now);
    assert_eq!(queue.len(), 1, "a message that is larger than all together is kept alone");
    queue.purge();
    send(&mut queue, "e", &half, now);
    send(&mut queue, "f", &half, now);
    assert_eq!(queue.len(), 2, "purged messages take no room");
}

#[test]
fn receipts_are_checked() {
    let (mut queue, now) = (MessageQueue::default(), EpochMillis::new(0));
    assert_eq!(queue.delete("x").unwrap_err().error_type, "ReceiptHandleIsInvalid");
    assert!(queue.delete("absent.1").is_ok(), "deleting a message twice is no error");
    assert!(queue.change_visibility("absent.1", Duration::ZERO, now).is_err());
    send(&mut queue, "a", "", now);
    let receipt = queue.receive(1, Duration::from_secs(1), now)[0].receipt();
    queue.change_visibility(&receipt, Duration::ZERO, now).unwrap();
    let error = queue.change_visibility(&receipt, Duration::ZERO, now).unwrap_err();
    assert_eq!(error.error_type, "AWS.SimpleQueueService.MessageNotInflight");
}

#[derive(Clone, Debug)]
enum Step {
    Send,
    Receive { most: usize, seconds: u64 },
    Delete { newest: bool },
    GiveBack,
    Pass { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Send),
        3 => (1..4_usize, 0..6_u64).prop_map(|(most, seconds)| Step::Receive { most, seconds }),
        1 => any::<bool>().prop_map(|newest| Step::Delete { newest }),
        1 => Just(Step::GiveBack),
        2 => (1..6_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

proptest! {
    #[test]
    fn a_message_is_visible_or_in_flight_or_gone(steps in prop::collection::vec(step(), 0..60)) {
        let (mut queue, mut now) = (MessageQueue::default(), EpochMillis::new(0));
        // The model: the end of each message's time-out. The receipts, in their order.
        let (mut hidden_until, mut receipts) = (BTreeMap::<String, EpochMillis>::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Send => {
                    let id = format!("{number:03}");
                    send(&mut queue, &id, "", now);
                    hidden_until.insert(id, now);
                }
                Step::Receive { most, seconds } => {
                    let received = queue.receive(most, Duration::from_secs(seconds), now);
                    let visible = hidden_until.iter().filter(|(_, until)| **until <= now).map(|(id, _)| id.clone());
                    let expected: Vec<_> = visible.take(most).collect();
                    prop_assert_eq!(received.iter().map(|message| message.id.clone()).collect::<Vec<_>>(), expected);
                    for message in received {
                        receipts.push((message.id.clone(), message.receipt()));
                        hidden_until.insert(message.id, now.plus(Duration::from_secs(seconds)));
                    }
                }
                Step::Delete { newest } => {
                    let Some((id, receipt)) = receipts.last().cloned() else { continue };
                    let first = receipts.iter().find(|(other, _)| *other == id).cloned().unwrap();
                    if newest || first.1 == receipt {
                        queue.delete(&receipt).unwrap();
                        hidden_until.remove(&id);
                    } else {
                        queue.delete(&first.1).unwrap();
                    }
                }
                Step::GiveBack => {
                    let Some((id, receipt)) = receipts.last() else { continue };
                    let in_flight = hidden_until.get(id).is_some_and(|until| *until > now);
                    prop_assert_eq!(queue.change_visibility(receipt, Duration::ZERO, now).is_ok(), in_flight);
                    hidden_until.entry(id.clone()).and_modify(|until| *until = now.min(*until));
                }
                Step::Pass { seconds } => now = now.plus(Duration::from_secs(seconds)),
            }
            prop_assert_eq!(queue.len(), hidden_until.len());
            prop_assert_eq!(queue.in_flight(now), hidden_until.values().filter(|until| **until > now).count());
        }
    }
}
