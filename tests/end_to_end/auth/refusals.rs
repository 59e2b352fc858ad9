//! The record of a refusal for operators: its reason, and the subject if a signature or a key has proved it.

use std::time::Duration;

use entity_stream_auth::{
    ApiKeyRecord, ApiKeys, Authenticator, ClaimPaths, Credential, HandshakeCredentials, Refusal, Refused, Role,
    SigningSecret, TokenKeys, Verifier,
};
use entity_stream_clock::Clock;
use entity_stream_local::{API_KEYS_TABLE, Config, aws_config};
use entity_stream_protocol::{AccessToken, ErrorCode, Tenant};
use serde_json::{Value, json};

use super::{guarded, guarded_config, open, refused};
use crate::harness::tokens::{SECRET, assemble, claims, in_seconds, token, user_until};
use crate::harness::{Hands, System};

fn verifier() -> Verifier {
    Verifier::new(TokenKeys::Secret(SigningSecret::new(SECRET).unwrap()), ClaimPaths::default())
        .with_issuer(Some("https://issuer".to_owned()))
        .with_audiences(vec!["stream".to_owned()])
}

fn with(field: &str, value: Value) -> Value {
    let mut claims = claims("demo");
    claims["iss"] = json!("https://issuer");
    claims["aud"] = json!("stream");
    claims[field] = value;
    claims
}

async fn verify(token: &str) -> (Refusal, Option<String>) {
    let token = AccessToken::new(token).unwrap();
    let Refused { reason, subject } = verifier().verify(&token, Clock::system().now()).await.unwrap_err();
    (reason, subject)
}

#[tokio::test]
async fn a_valid_signature_proves_the_subject() {
    for (claims, reason) in [
        (with("exp", json!(in_seconds(-1))), Refusal::Expired),
        (with("exp", json!(null)), Refusal::NoExpiry),
        (with("nbf", json!(in_seconds(60))), Refusal::NotYetValid),
        (with("role", json!("root")), Refusal::Role),
        (with("iss", json!("https://other")), Refusal::Issuer),
        (with("iss", json!(["https://issuer"])), Refusal::Issuer),
        (with("aud", json!("other")), Refusal::Audience),
    ] {
        assert_eq!(verify(&token(&claims)).await, (reason, Some("alice".to_owned())), "{claims}");
        let forged = assemble(&json!({ "alg": "HS256" }), &claims, "AAAA");
        assert_eq!(verify(&forged).await, (Refusal::Signature, None), "an unverified claim is not a subject");
    }
}

#[tokio::test]
async fn the_reason_names_the_fault_of_a_header() {
    for (header, reason) in [
        (json!({ "alg": "none" }), Refusal::Algorithm),
        (json!({ "alg": "ES512" }), Refusal::Algorithm),
        (json!({ "alg": "ES256K" }), Refusal::Algorithm),
        (json!({ "alg": "RS256" }), Refusal::Algorithm),
        (json!({ "alg": "HS256", "crit": ["b64"] }), Refusal::MalformedCredential),
        (json!({ "alg": 7 }), Refusal::MalformedCredential),
        (json!({}), Refusal::MalformedCredential),
        (json!([]), Refusal::MalformedCredential),
    ] {
        assert_eq!(verify(&assemble(&header, &claims("demo"), "AAAA")).await, (reason, None), "{header}");
    }
}

#[tokio::test]
async fn a_token_is_not_taken_for_an_api_key() {
    for subject in ["key:robot", "key:"] {
        assert_eq!(verify(&token(&with("sub", json!(subject)))).await, (Refusal::Subject, None));
    }
    let system = guarded(&[]).await;
    let with_subject = |subject: &str| {
        let mut claims = claims("demo");
        claims["sub"] = json!(subject);
        token(&claims)
    };
    assert_eq!(refused(&system, "demo", &with_subject("key:robot")).await, 401);
    assert_eq!(refused(&system, "demo", &with_subject("keyrock")).await, 0);
}

#[tokio::test]
async fn an_expired_key_has_another_reason_than_a_wrong_key() {
    let system = System::start().await;
    let keys = ApiKeys::new(aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url())), API_KEYS_TABLE);
    let authenticator = Authenticator::new(verifier(), keys.clone());
    let (now, demo) = (Clock::system().now(), Tenant::parse("demo").unwrap());
    let record = ApiKeyRecord {
        name: "robot".parse().unwrap(),
        role: Role::User,
        tenants: [demo.clone()].into(),
        service_path: None,
        created_at: now,
        last_used_at: None,
        expires_at: Some(now.plus(Duration::from_secs(60))),
    };
    let key = keys.create(&record).await.unwrap();
    let credential = |key: &str| -> Credential {
        let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("robot:{key}"));
        let authorization = format!("Basic {basic}");
        HandshakeCredentials { authorization: vec![&authorization], ..HandshakeCredentials::default() }
            .find()
            .unwrap()
            .unwrap()
    };
    let later = now.plus(Duration::from_secs(61));
    let expired = authenticator.admit(&credential(key.expose()), &demo, later).await.unwrap_err();
    assert_eq!(expired, Refused { reason: Refusal::Expired, subject: Some("key:robot".to_owned()) });
    let wrong = authenticator.admit(&credential("wrong"), &demo, later).await.unwrap_err();
    assert_eq!(wrong, Refused { reason: Refusal::ApiKey, subject: None }, "the refusal does not reveal the expiry");
}

#[tokio::test]
async fn a_renewal_that_comes_late_is_a_refusal() {
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(&[]) }).await;
    let until = |minutes: u64| user_until("demo", "alice", hands.clock().now().plus(Duration::from_secs(60 * minutes)));
    let mut client = open(&system, "demo", &until(1)).await.unwrap();
    let count = || super::settings::refusal_counts().get("late_renewal").copied().unwrap_or_default();
    let before = count();
    hands.forward(61);
    let answer = client.ask(&json!({ "action": "authenticate", "token": until(5), "requestId": "a" })).await;
    assert_eq!((&answer["code"], &answer["requestId"]), (&json!(ErrorCode::Unauthorized), &json!("a")), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("connect again"), "{answer}");
    assert!(count() > before, "counted");
}
