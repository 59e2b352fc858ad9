//! The signing secret changes in Secrets Manager while the functions run.

use std::sync::{Arc, Mutex};

use entity_stream_auth::{Refusal, Verifier};
use entity_stream_protocol::Tenant;
use entity_stream_runtime::{AwsServices, Environment, TokenConfig};
use entity_stream_testing::aws_config;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};

use crate::harness::tokens::{claims, sign};
use crate::harness::{Asked, Endpoint, Hands, Reply};

const SECRETS: [&str; 4] = [
    "the-first-secret-0123456789-0123456789",
    "the-second-secret-0123456789-012345678",
    "the-third-secret-0123456789-0123456789",
    "short",
];

/// Secrets Manager with a secret that has this version, or that fails.
struct SecretsManager {
    endpoint: Endpoint,
    version: Arc<Mutex<Option<usize>>>,
}

impl SecretsManager {
    async fn start() -> Self {
        let version = Arc::new(Mutex::new(Some(0)));
        let shown = Arc::clone(&version);
        let endpoint = Endpoint::new(move |asked| answer(asked, *shown.lock().unwrap())).await;
        Self { endpoint, version }
    }

    fn set(&self, version: Option<usize>) {
        *self.version.lock().unwrap() = version;
    }
}

fn answer(asked: &Asked, version: Option<usize>) -> Reply {
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let is_previous = body["VersionStage"] == "AWSPREVIOUS";
    let Some(version) = version else {
        return Reply::Status(400, &[], r#"{"__type":"AccessDeniedException","Message":"denied"}"#.to_owned());
    };
    match version.checked_sub(usize::from(is_previous)) {
        Some(version) => Reply::json(json!({ "SecretString": SECRETS[version] }).to_string()),
        None => Reply::Status(
            400,
            &[],
            r#"{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS"}"#.to_owned(),
        ),
    }
}

async fn verifier(secrets: &SecretsManager) -> Verifier {
    let environment = Environment::new(|name| match name {
        "AUTH_ENABLED" => Some("true".to_owned()),
        "JWT_SECRET_ARN" => Some("arn:aws:secretsmanager:us-east-1:000000000000:secret:jwt".to_owned()),
        _ => None,
    });
    let tokens = TokenConfig::read(&environment).unwrap().expect("authentication is on");
    AwsServices::all(aws_config(&secrets.endpoint.url)).verifier(tokens).await.unwrap()
}

/// The verdicts on tokens of the first three secrets.
async fn verdicts(verifier: &Verifier, hands: &Hands) -> [Result<(), Refusal>; 3] {
    let mut verdicts = [Ok(()); 3];
    for (secret, verdict) in SECRETS.iter().zip(&mut verdicts) {
        let token = sign(&Header::new(Algorithm::HS256), &claims("demo"), secret.as_bytes());
        let admitted = verifier.admit(&token, &Tenant::parse("demo").unwrap(), hands.clock().now()).await;
        *verdict = admitted.map(drop).map_err(|refused| refused.reason);
    }
    verdicts
}

#[tokio::test]
async fn tokens_of_the_secret_before_stay_valid_and_a_new_one_is_learnt_within_five_minutes() {
    const WRONG: Result<(), Refusal> = Err(Refusal::Signature);
    let (secrets, hands) = (SecretsManager::start().await, Hands::default());
    let verifier = verifier(&secrets).await;
    assert_eq!(verdicts(&verifier, &hands).await, [Ok(()), WRONG, WRONG]);
    let at_start = secrets.endpoint.asked().len();
    assert_eq!(at_start, 2, "the current version, and the one before");

    secrets.set(Some(1));
    hands.forward(5 * 60);
    assert_eq!(verdicts(&verifier, &hands).await, [Ok(()), Ok(()), WRONG]);
    assert_eq!(secrets.endpoint.asked().len(), at_start + 2, "one read for all requests");

    secrets.set(None);
    hands.forward(5 * 60);
    assert_eq!(verdicts(&verifier, &hands).await, [Ok(()), Ok(()), WRONG], "an outage changes nothing");
    secrets.set(Some(3));
    hands.forward(60);
    assert_eq!(verdicts(&verifier, &hands).await, [Ok(()), Ok(()), WRONG], "a secret that is too short is not taken");

    secrets.set(Some(2));
    hands.forward(60);
    assert_eq!(verdicts(&verifier, &hands).await, [WRONG, Ok(()), Ok(())]);
}
