//! Work that is not started after its deadline.

use std::time::Duration;

use bytes::Bytes;
use entity_stream_delivery::{ManagementApi, Message, Outcome};
use entity_stream_local::aws_config;
use entity_stream_protocol::ConnectionId;
use tokio::time::Instant;

use crate::harness::{Endpoint, Reply};

/// A token may expire while a message waits for its turn.
#[tokio::test]
async fn a_message_that_waits_for_its_turn_is_not_sent_after_its_deadline() {
    let endpoint = Endpoint::script([Reply::Never]).await;
    let api =
        ManagementApi::new(&aws_config(&endpoint.url), entity_stream_delivery::Endpoint::parse(&endpoint.url).unwrap())
            .at_most(1);
    let (first, second) =
        (ConnectionId::parse("XyZ12cdeIAMCJ1g=").unwrap(), ConnectionId::parse("XyZ12cdeIAMCJ2g=").unwrap());
    let message = Message::new(Bytes::from_static(b"{}"));
    let deadline = Instant::now() + Duration::from_millis(50);

    let outcome = tokio::select! {
        biased;
        _ = api.post(&first, &message) => unreachable!("the endpoint never answers"),
        outcome = api.post_before(&second, &message, deadline) => outcome,
    };

    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert!(endpoint.asked().iter().all(|asked| asked.path.contains("XyZ12cdeIAMCJ1g")), "{:?}", endpoint.asked());
    let late = api.post_before(&second, &message, Instant::now()).await;
    assert!(matches!(late, Outcome::Failed(_)), "{late:?}");
    assert!(endpoint.asked().iter().all(|asked| asked.path.contains("XyZ12cdeIAMCJ1g")), "{:?}", endpoint.asked());
}
