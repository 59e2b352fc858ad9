//! The text of a frame from a client.

#![no_main]

use entity_stream_protocol::limits::{FILTER_IDS, FILTER_TEXT_BYTES, FILTER_TYPES, MESSAGE_BYTES, SUBSCRIPTIONS};
use entity_stream_protocol::{
    Action, Answer, ClientMessage, EpochMillis, Position, Recovery, ServerMessage, Since, Subscribe,
};
use libfuzzer_sys::fuzz_target;

/// The longest message of an error. It names the field and the rule, and repeats no long part of the input.
const ERROR_BYTES: usize = 1024;

fuzz_target!(|text: &str| {
    let message = ClientMessage::parse(text);
    if let Ok(message) = &message {
        // A message that a client writes reads back as the same message.
        assert_eq!(ClientMessage::parse(&message.to_json()).as_ref(), Ok(message));
    }
    let answer = match message {
        Ok(message) => match message.action {
            Action::Subscribe(Subscribe { subscriptions, snapshots, since }) => {
                assert!((1..=SUBSCRIPTIONS).contains(&subscriptions.as_slice().len()));
                for subscription in subscriptions.as_slice() {
                    let filter = &subscription.filter;
                    assert!(filter.entity_types().len() <= FILTER_TYPES && filter.entity_ids().len() <= FILTER_IDS);
                    assert!(filter.text_bytes() <= FILTER_TEXT_BYTES);
                }
                let recovery = since.is_some().then_some(Recovery::Recovered { replayed: 0 });
                let (position, session) = match since {
                    Some(Since::Position { position, session }) => (Some(position), Some(session)),
                    Some(Since::Seconds { .. }) | None => (None, None),
                };
                // The server reads a time only from the positions that it makes itself.
                if let Some(position) = &position
                    && let Some(time) = position.time()
                {
                    assert!(*position >= Position::new(time, 0) && *position <= Position::new(time, u64::MAX));
                }
                let snapshot = (!snapshots.is_empty()).then_some(0);
                let request_id = message.request_id;
                Answer::Subscribed {
                    subscriptions,
                    position,
                    session,
                    recovery,
                    snapshot,
                    snapshot_next: None,
                    request_id,
                }
            }
            Action::Unsubscribe { subscription } => {
                Answer::Unsubscribed { subscription, request_id: message.request_id }
            }
            Action::Snapshot { next } => {
                Answer::Snapshot { snapshot: 0, snapshot_next: Some(next), request_id: message.request_id }
            }
            Action::Ping => Answer::Pong { request_id: message.request_id },
            Action::Sync => {
                Answer::Synced { position: Position::new(EpochMillis::new(0), 0), request_id: message.request_id }
            }
            Action::Authenticate { token, .. } => {
                assert!(!format!("{token:?}").contains(token.expose()) || token.expose().len() < 16);
                return;
            }
            Action::DpopBind { proof } => {
                assert!(!format!("{proof:?}").contains(proof.expose()) || proof.expose().len() < 16);
                return;
            }
        },
        Err(rejection) => {
            assert!(!rejection.message.is_empty() && rejection.message.len() <= ERROR_BYTES, "{}", rejection.message);
            Answer::Error(rejection)
        }
    };
    let text = answer.to_json();
    assert!(text.len() <= MESSAGE_BYTES);
    // Clients read the answer as the server wrote it.
    match ServerMessage::parse(&text) {
        Ok(ServerMessage::Answer(read)) => assert_eq!(read, answer),
        other => panic!("{other:?}"),
    }
});
