//! Authentication with a message, and connections that wait for it.

use entity_stream_connections::{Authorisation, Grant};
use entity_stream_protocol::ErrorCode;
use entity_stream_testing::tokens::{claims, token, user, user_until};
use serde_json::{Value, json};

use crate::support::{IN_BAND, OPEN, Setting};

fn authenticate(token: &str) -> Value {
    json!({ "action": "authenticate", "token": token, "requestId": "1" })
}

#[tokio::test]
async fn a_token_authorises_a_connection_that_waits() {
    let setting = Setting::new(IN_BAND).await;
    let connection = setting.register(Authorisation::Pending).await;
    let refused = setting.ask(&connection, &json!({ "action": "subscribe" })).await;
    assert_eq!(refused["code"], json!(ErrorCode::Unauthorized), "{refused}");

    let until = setting.hands.clock().now().plus(std::time::Duration::from_secs(600));
    let answer = setting.ask(&connection, &authenticate(&user_until("demo", "alice", until))).await;
    assert_eq!((&answer["type"], &answer["requestId"]), (&json!("authenticated"), &json!("1")), "{answer}");
    let authorisation = setting.registered(&connection).await.unwrap().authorisation;
    assert_eq!(authorisation.subject(), Some("alice"));
    assert_eq!(authorisation.until().map(|until| until.seconds()), Some(until.seconds()));
    setting.send(&connection, &json!({ "action": "subscribe" })).await.unwrap();
    assert_eq!(setting.answers().len(), 2, "the filter is accepted");
}

#[tokio::test]
async fn a_wrong_token_changes_nothing() {
    let setting = Setting::new(IN_BAND).await;
    let connection = setting.register(Authorisation::Pending).await;
    for (token, code) in [(user("other"), ErrorCode::Forbidden), ("e30.e30.x".to_owned(), ErrorCode::Unauthorized)] {
        let answer = setting.ask(&connection, &authenticate(&token)).await;
        assert_eq!(answer["code"], json!(code), "{answer}");
        assert!(!answer.to_string().contains(&token), "the answer repeats no token");
    }
    assert_eq!(setting.registered(&connection).await.unwrap().authorisation, Authorisation::Pending);
}

#[tokio::test]
async fn a_renewal_needs_the_same_subject_and_comes_before_the_end() {
    let setting = Setting::new(IN_BAND).await;
    let now = setting.hands.clock().now();
    let until = |seconds| now.plus(std::time::Duration::from_secs(seconds));
    let connection = setting.register(Authorisation::Granted(Grant::new("alice", "user", Some(until(60))))).await;

    let other = setting.ask(&connection, &authenticate(&user_until("demo", "bob", until(600)))).await;
    assert_eq!(other["code"], json!(ErrorCode::Forbidden), "{other}");
    let renewed = setting.ask(&connection, &authenticate(&user_until("demo", "alice", until(120)))).await;
    assert_eq!(renewed["type"], "authenticated", "{renewed}");
    setting.hands.forward(121);
    let late = setting.ask(&connection, &authenticate(&user_until("demo", "alice", until(600)))).await;
    assert_eq!(late["code"], json!(ErrorCode::Unauthorized), "{late}");
}

#[tokio::test]
async fn a_token_that_needs_a_proof_is_refused() {
    let setting = Setting::new(IN_BAND).await;
    let connection = setting.register(Authorisation::Pending).await;
    let mut claims = claims("demo");
    claims["cnf"] = json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    let answer = setting.ask(&connection, &authenticate(&token(&claims))).await;
    assert_eq!(answer["code"], json!(ErrorCode::Unauthorized), "{answer}");
    assert_eq!(answer["message"], "DPoP proof required", "{answer}");
    assert_eq!(setting.registered(&connection).await.unwrap().authorisation, Authorisation::Pending);
}

#[tokio::test]
async fn a_connection_that_does_not_authenticate_in_time_is_closed() {
    let setting = Setting::new(IN_BAND).await;
    let connection = setting.register(Authorisation::Pending).await;
    setting.hands.forward(59);
    assert_eq!(setting.ask(&connection, &json!({ "action": "ping" })).await["code"], json!(ErrorCode::Unauthorized));
    assert_eq!(setting.closed(), 0, "it still has a second");
    setting.hands.forward(1);
    assert_eq!(setting.ask(&connection, &json!({ "action": "ping" })).await["code"], json!(ErrorCode::Unauthorized));
    assert_eq!(setting.closed(), 1);
}

#[tokio::test]
async fn a_connection_that_has_authenticated_stays_open() {
    let setting = Setting::new(IN_BAND).await;
    let connection = setting.register(Authorisation::Granted(Grant::new("alice", "user", None))).await;
    setting.hands.forward(3600);
    let answer = setting.ask(&connection, &json!({ "action": "dance" })).await;
    assert_eq!((&answer["code"], setting.closed()), (&json!(ErrorCode::UnknownAction), 0), "{answer}");
}

#[tokio::test]
async fn without_authentication_no_token_is_taken() {
    let setting = Setting::new(OPEN).await;
    let connection = setting.register(Authorisation::Open).await;
    let answer = setting.ask(&connection, &authenticate(&user("demo"))).await;
    assert_eq!(answer["code"], json!(ErrorCode::Unauthorized), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("authentication is switched off"), "{answer}");
}
