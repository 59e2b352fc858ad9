use std::collections::HashMap;

use entity_stream_publisher::PublishError;

use crate::scripted::{Answer, ScriptedBus, distant, entries};

#[tokio::test]
async fn entries_that_failed_for_a_passing_reason_are_sent_again_and_no_others() {
    let bus = ScriptedBus::start(|request, details| {
        let code = |detail: &String| match (detail.as_str(), request) {
            ("1", 0) => Some("InternalFailure"),
            ("2", 0 | 1) => Some("ThrottlingException"),
            ("3", _) => Some("MalformedDetail"),
            _ => None,
        };
        Answer::Entries(details.iter().map(code).collect())
    })
    .await;
    let results = bus.publisher().publish(&entries(5), distant()).await;
    for index in [0, 1, 2, 4] {
        assert!(results[index].is_ok(), "{index}: {results:?}");
    }
    let refused = PublishError::Refused { code: "MalformedDetail".to_owned(), message: "as the test says".to_owned() };
    assert_eq!(results[3], Err(refused));
    assert_eq!(bus.details(), [vec!["0", "1", "2", "3", "4"], vec!["1", "2"], vec!["2"]]);
}

#[tokio::test]
async fn entries_left_over_from_several_requests_are_sent_together() {
    let bus = ScriptedBus::start(|request, details| {
        let fails = |detail: &String| request < 3 && detail.ends_with('7');
        Answer::Entries(details.iter().map(|detail| fails(detail).then_some("ThrottlingException")).collect())
    })
    .await;
    let results = bus.publisher().publish(&entries(30), distant()).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(bus.details()[3..], [["7", "17", "27"]]);
}

#[tokio::test]
async fn a_refusal_in_one_request_does_not_touch_the_next() {
    let bus = ScriptedBus::start(|request, details| match request {
        0 => Answer::Error(400, r#"{"__type":"ValidationException","message":"no"}"#),
        _ => Answer::Entries(vec![None; details.len()]),
    })
    .await;
    let results = bus.publisher().publish(&entries(12), distant()).await;
    let mut counts: HashMap<bool, usize> = HashMap::new();
    results.iter().for_each(|result| *counts.entry(result.is_ok()).or_default() += 1);
    assert_eq!((counts[&false], counts[&true]), (10, 2));
    assert_eq!(results[0].as_ref().unwrap_err().to_string(), "ValidationException: no");
    assert_eq!(bus.details().len(), 2, "a final refusal is not repeated");
}

#[tokio::test]
async fn an_answer_with_too_few_results_publishes_nothing() {
    let bus = ScriptedBus::start(|_, _| Answer::Entries(vec![None])).await;
    let results = bus.publisher().publish(&entries(2), distant()).await;
    for result in results {
        let text = result.unwrap_err().to_string();
        assert_eq!(text, "the endpoint is not an event bus: it answered 2 entries with 1 results");
    }
}
