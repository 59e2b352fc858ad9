//! The delivery of answers through `@connections`.

use entity_stream_connections::Authorisation;
use entity_stream_testing::Reply;
use serde_json::json;

use crate::support::{OPEN, Setting};

#[tokio::test]
async fn an_answer_goes_to_its_connection() {
    let setting = Setting::new(OPEN).await;
    let connection = setting.register(Authorisation::Open).await;
    let answer = setting.ask(&connection, &json!({ "action": "ping", "requestId": "7" })).await;
    assert_eq!(answer, json!({ "type": "pong", "requestId": "7" }));
    let asked = setting.api.asked();
    assert_eq!(asked[0].path, format!("/@connections/{}", connection.id.as_str().replace('=', "%3D")));
}

#[tokio::test]
async fn a_failure_that_may_pass_is_retried() {
    for reply in [Reply::status(429), Reply::status(500), Reply::Reset] {
        let setting = Setting::answering(OPEN, [reply.clone(), reply.clone(), Reply::status(200)]).await;
        let connection = setting.register(Authorisation::Open).await;
        setting.send(&connection, &json!({ "action": "ping" })).await.unwrap();
        assert_eq!(setting.answers(), vec![json!({ "type": "pong" }); 3], "{reply:?}");
    }
}

#[tokio::test]
async fn a_connection_that_ended_needs_no_answer() {
    let setting = Setting::answering(OPEN, [Reply::status(410)]).await;
    let connection = setting.register(Authorisation::Open).await;
    setting.send(&connection, &json!({ "action": "ping" })).await.unwrap();
    assert_eq!(setting.answers().len(), 1);
}

#[tokio::test]
async fn an_answer_that_cannot_be_delivered_fails_the_invocation() {
    let setting = Setting::answering(OPEN, [Reply::status(400)]).await;
    let connection = setting.register(Authorisation::Open).await;
    let failure = setting.send(&connection, &json!({ "action": "ping" })).await.unwrap_err();
    assert_eq!(failure.kind, "AnswerNotDelivered", "{failure}");
    assert_eq!(setting.answers().len(), 1, "a retry would not help");
}
