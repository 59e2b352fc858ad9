use std::time::Duration;

use entity_stream_publisher::{PublishError, Publisher, RequestError};
use tokio::time::Instant;

use crate::scripted::{Answer, ScriptedBus, client, distant, entries};

/// More than the SDK's own attempts.
const OUTAGE: usize = 5;

#[tokio::test]
async fn a_throttled_request_is_repeated_until_the_bus_takes_it() {
    let bus = ScriptedBus::start(|request, details| match request {
        0..OUTAGE => Answer::Error(400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#),
        _ => Answer::Entries(vec![None; details.len()]),
    })
    .await;
    let results = bus.publisher().publish(&entries(2), distant()).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(bus.details().len(), OUTAGE + 1);
}

#[tokio::test]
async fn a_failing_server_is_asked_again_whatever_its_answer_looks_like() {
    let bus = ScriptedBus::start(|request, details| match request {
        0..OUTAGE => Answer::Error(503, "<html>no healthy upstream</html>"),
        _ => Answer::Entries(vec![None; details.len()]),
    })
    .await;
    let results = bus.publisher().publish(&entries(1), distant()).await;
    assert!(results[0].is_ok(), "{results:?}");
}

#[tokio::test]
async fn the_deadline_ends_the_attempts_with_the_last_reason() {
    let bus = ScriptedBus::start(|_, details| Answer::Entries(vec![Some("ThrottlingException"); details.len()])).await;
    let results = bus.publisher().publish(&entries(1), Instant::now() + Duration::from_secs(1)).await;
    match &results[0] {
        Err(PublishError::Exhausted { code, message }) => {
            assert_eq!((code.as_str(), message.as_str()), ("ThrottlingException", "as the test says"));
        }
        // On a busy machine, the last attempt is still under way at the deadline.
        Err(PublishError::Request(RequestError::Unanswered)) => {}
        other => panic!("{other:?}"),
    }
    assert!(bus.details().len() > 1);
}

#[tokio::test]
async fn a_bus_that_never_answers_is_left_at_the_deadline() {
    let bus = ScriptedBus::start(|_, _| Answer::Never).await;
    let deadline = Instant::now() + Duration::from_secs(2);
    let results = bus.publisher().publish(&entries(12), deadline).await;
    assert!(Instant::now() >= deadline);
    assert_eq!(results, vec![Err(PublishError::Request(RequestError::Unanswered)); 12]);
    assert_eq!(bus.details().len(), 1, "the second request would have been sent after the deadline");
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let bus = ScriptedBus::willing().await;
    let results = bus.publisher().publish(&entries(1), Instant::now()).await;
    assert_eq!(results, [Err(PublishError::Request(RequestError::Unanswered))]);
    assert!(bus.details().is_empty());
}

#[tokio::test]
async fn a_refused_request_is_sent_once() {
    let bus = ScriptedBus::start(|_, _| {
        Answer::Error(
            400,
            r#"{"__type":"AccessDeniedException","message":"not authorized to perform: events:PutEvents"}"#,
        )
    })
    .await;
    let results = bus.publisher().publish(&entries(1), distant()).await;
    let code = "AccessDeniedException".to_owned();
    let message = "not authorized to perform: events:PutEvents".to_owned();
    assert_eq!(results, [Err(PublishError::Request(RequestError::Refused { code, message }))]);
    assert_eq!(bus.details().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_reported_before_the_deadline() {
    // It is bound and does not listen, so that no other test can take the port.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = closed.local_addr().unwrap();
    let publisher = Publisher::new(client(&format!("http://{free}")), "city");
    let results = publisher.publish(&entries(1), distant()).await;
    let Err(PublishError::Request(RequestError::Unreachable(reason))) = &results[0] else { panic!("{results:?}") };
    assert!(reason.contains("refused"), "{reason}");
}

#[tokio::test]
async fn another_service_is_recognised_by_its_answer() {
    let bus = ScriptedBus::start(|_, _| Answer::Error(404, "not found")).await;
    let results = bus.publisher().publish(&entries(1), distant()).await;
    assert_eq!(results, [Err(PublishError::Request(RequestError::NotABus { status: 404 }))]);
}
