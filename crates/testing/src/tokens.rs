//! Tokens that are signed with a shared secret.

use entity_stream_clock::Clock;
use entity_stream_protocol::EpochMillis;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// The secret of the systems under test. Tests search the logs for its text.
pub const SECRET: &str = "not-to-be-found-in-any-log-0123456789";

/// Creates the claims of a user of this tenant. The token is valid for an hour.
pub fn claims(tenant: &str) -> Value {
    json!({ "sub": "alice", "role": "user", "tenant": tenant, "exp": in_seconds(3600) })
}

/// Returns the time in this many seconds, in seconds since 1970.
pub fn in_seconds(seconds: i64) -> i64 {
    i64::try_from(Clock::system().now().seconds()).unwrap() + seconds
}

/// Signs claims with [`SECRET`].
pub fn token(claims: &Value) -> String {
    sign(&Header::new(Algorithm::HS256), claims, SECRET.as_bytes())
}

/// Signs claims with this secret.
pub fn sign(header: &Header, claims: &Value, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// Creates a token of a user of this tenant.
pub fn user(tenant: &str) -> String {
    token(&claims(tenant))
}

/// Creates a token of a user that expires at a time of the test's clock.
pub fn user_until(tenant: &str, subject: &str, until: EpochMillis) -> String {
    token(&json!({ "sub": subject, "role": "user", "tenant": tenant, "exp": until.seconds() }))
}
