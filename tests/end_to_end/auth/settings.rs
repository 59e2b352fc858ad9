//! Settings of authentication: faults that prevent the start, claims, secrets, and the counts of refusals.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use entity_stream_local::{Config, Local, aws_config};
use entity_stream_runtime::{AwsServices, Environment, TokenConfig};
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::{guarded, refused};
use crate::harness::tokens::{SECRET, in_seconds, token, user};
use crate::harness::{Endpoint, Reply, config};
use serde_json::json;

async fn problem(settings: &'static [(&'static str, &'static str)]) -> String {
    let environment = Environment::new(move |name| {
        settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    });
    let error = Local::start(Config { auth_enabled: true, environment, ..config() }).await.unwrap_err().to_string();
    assert!(!error.contains(SECRET), "{error}");
    error
}

#[tokio::test]
async fn settings_that_make_no_sense_are_named() {
    for (settings, name) in [
        (&[][..], "set exactly one of JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL; found none"),
        (&[("JWT_SECRET", "too short")], "JWT_SECRET is invalid: expected the secret"),
        (
            &[("JWT_SECRET", SECRET), ("JWT_JWKS_URL", "https://x")],
            "set exactly one of JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL; found JWT_SECRET and JWT_JWKS_URL",
        ),
        (&[("JWT_JWKS_URL", "http://issuer.example.com")], "JWT_JWKS_URL is invalid: expected the https URL"),
        (&[("JWT_SECRET", SECRET), ("AUTH_IN_BAND", "yes")], "AUTH_IN_BAND is invalid: expected true if"),
        (&[("JWT_ISSUER", "entity-stream")], "JWT_ISSUER is invalid: expected the iss claim"),
        (&[("JWT_ISSUER", "http://id.example.com")], "JWT_ISSUER is invalid: expected the iss claim"),
        (
            &[("JWT_SECRET", SECRET), ("JWT_ROLES", "editor=root")],
            "JWT_ROLES is invalid: expected comma-separated pairs",
        ),
        (&[("JWT_SECRET", SECRET), ("AUTH_QUERY_TOKEN", "no")], "AUTH_QUERY_TOKEN is invalid: expected false if"),
        (
            &[("JWT_SECRET", SECRET), ("PUBLIC_TENANTS", "demo,*")],
            "PUBLIC_TENANTS is invalid: expected comma-separated",
        ),
        (&[("JWT_SECRET", "0123456789abcdef")], "JWT_SECRET is invalid: expected the secret"),
        (
            &[("JWT_SECRET", SECRET), ("ALLOWED_ORIGINS", "*")],
            "ALLOWED_ORIGINS is invalid: expected comma-separated origins such as https://app.example.com",
        ),
    ] {
        let error = problem(settings).await;
        assert!(error.starts_with(name) && !error.contains('\n'), "{error}");
    }
}

/// The faults are in the configurations of different functions. `JWT_SECRET`, which two functions read, is listed once.
#[tokio::test]
async fn the_faults_of_all_functions_are_reported_together() {
    let error = problem(&[
        ("JWT_SECRET", "hunter2"),
        ("ALLOWED_ORIGINS", "everywhere"),
        ("AUTH_IN_BAND", "maybe"),
        ("BROADCAST_SPLIT_AT", "0"),
    ])
    .await;
    let named: Vec<_> = error.lines().map(|line| line.split(" is invalid: expected ").next().unwrap()).collect();
    assert_eq!(named, ["JWT_SECRET", "AUTH_IN_BAND", "ALLOWED_ORIGINS", "BROADCAST_SPLIT_AT"], "{error}");
    assert!(!error.contains("hunter2") && !error.contains("everywhere") && !error.contains("maybe"), "{error}");
}

#[tokio::test]
async fn tenant_and_role_are_read_from_the_configured_claims() {
    let system =
        guarded(&[("JWT_TENANT_CLAIMS", "custom:tenant, org.name"), ("JWT_ROLE_CLAIM", "realm_access.roles")]).await;
    let with = |field: &str, value: serde_json::Value| {
        let mut claims =
            json!({ "sub": "a", "realm_access": { "roles": ["offline_access", "user"] }, "exp": in_seconds(60) });
        claims[field] = value;
        token(&claims)
    };
    assert_eq!(refused(&system, "demo", &with("custom:tenant", json!("demo"))).await, 0);
    assert_eq!(refused(&system, "demo", &with("org", json!({ "name": ["x", "demo"] }))).await, 0);
    assert_eq!(
        refused(&system, "demo", &with("tenant", json!("demo"))).await,
        403,
        "the default claim no longer counts"
    );
    assert_eq!(refused(&system, "demo", &user("demo")).await, 401, "the default role claim does not count either");
}

/// Starts the functions with this answer of Secrets Manager. Returns the result.
async fn with_secret_from(reply: Reply) -> Result<(), String> {
    let secrets = Endpoint::script([reply]).await;
    let environment = Environment::new(|name| match name {
        "AUTH_ENABLED" => Some("true".to_owned()),
        "WS_API_KEYS_TABLE" => Some("table".to_owned()),
        "JWT_SECRET_ARN" => Some("arn:aws:secretsmanager:us-east-1:000000000000:secret:jwt".to_owned()),
        _ => None,
    });
    let config = aws_config(&secrets.url);
    let tokens = TokenConfig::read(&environment).unwrap().expect("authentication is on");
    let result = AwsServices::all(config).verifier(tokens).await;
    let asked = secrets.asked();
    assert!(
        String::from_utf8_lossy(&asked[0].body).contains("arn:aws:secretsmanager:"),
        "the function requests the secret by its ARN"
    );
    result.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_secret_is_read_from_secrets_manager_at_start() {
    let text = Reply::json(serde_json::json!({ "SecretString": SECRET }).to_string());
    assert_eq!(with_secret_from(text).await, Ok(()));
    let bytes = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, SECRET);
    let binary = Reply::json(serde_json::json!({ "SecretBinary": bytes }).to_string());
    assert_eq!(with_secret_from(binary).await, Ok(()));
    let short = with_secret_from(Reply::json(r#"{"SecretString":"hunter2"}"#)).await.unwrap_err();
    assert!(short.starts_with("the secret of JWT_SECRET_ARN is too short") && !short.contains("hunter2"), "{short}");
    let empty = with_secret_from(Reply::json("{}")).await.unwrap_err();
    assert!(empty.starts_with("the secret of JWT_SECRET_ARN is too short"), "{empty}");
    let denied = r#"{"__type":"AccessDeniedException","Message":"no secretsmanager:GetSecretValue"}"#;
    let denied = with_secret_from(Reply::Status(400, &[], denied.to_owned())).await.unwrap_err();
    assert!(denied.contains("JWT_SECRET_ARN") && denied.contains("AccessDeniedException"), "{denied}");
}

/// The counts of each reason, over all tests so far.
pub(crate) fn refusal_counts() -> HashMap<String, u64> {
    static COUNTS: OnceLock<Counts> = OnceLock::new();
    let counts = COUNTS.get_or_init(|| {
        let counts = Counts::default();
        metrics::set_global_recorder(counts.clone()).expect("the first recorder");
        counts
    });
    counts.0.lock().unwrap().clone()
}

/// A metrics recorder of counters: refusals by their reason, and the others by their names.
#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<Mutex<HashMap<String, u64>>>);

struct Reason {
    counts: Counts,
    name: String,
}

impl Counts {
    /// The count of a reason or a metric.
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl CounterFn for Reason {
    fn increment(&self, value: u64) {
        *self.counts.0.lock().unwrap().entry(self.name.clone()).or_default() += value;
    }

    fn absolute(&self, _value: u64) {}
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match (key.name(), key.labels().find(|label| label.key() == "reason")) {
            ("Refusals", Some(reason)) => {
                Counter::from_arc(Arc::new(Reason { counts: self.clone(), name: reason.value().to_owned() }))
            }
            (name, _) => Counter::from_arc(Arc::new(Reason { counts: self.clone(), name: name.to_owned() })),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
