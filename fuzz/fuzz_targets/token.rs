//! The claims of a correctly signed token, or an arbitrary token.

#![no_main]

use std::sync::LazyLock;

use entity_stream_auth::{ClaimPath, ClaimPaths, SUBJECT_BYTES, SigningSecret, TokenKeys, Unverified, Verified, Verifier};
use entity_stream_protocol::{AccessToken, EpochMillis};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

const SECRET: &[u8] = b"a-secret-of-the-fuzzer-0123456789abcdef";
static NOW: LazyLock<EpochMillis> = LazyLock::new(|| EpochMillis::new(1_767_323_045_000));

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let secret = SigningSecret::new(SECRET).expect("it is long enough");
    let paths = ClaimPaths {
        tenant: ["tenant", "app.tenants", "custom:tenant"].map(ClaimPath::new).to_vec(),
        role: ClaimPath::new("realm_access.roles"),
        ..ClaimPaths::default()
    };
    Verifier::new(TokenKeys::Secret(secret), paths)
});

fuzz_target!(|text: &str| {
    let verify = |token: &str| {
        let token = AccessToken::new(token)?;
        // Verification with a secret needs no I/O.
        VERIFIER.verify(&token, *NOW).now_or_never().expect("no waiting").ok()
    };
    // A token is accepted only with the secret.
    assert!(verify(text).is_none());
    if let Some(read) = Unverified::read(text) {
        let _ = (read.role(&ClaimPaths::default()), read.tenants(&ClaimPaths::default()));
    }
    let Ok(claims) = serde_json::from_str::<Map<String, Value>>(text) else { return };
    let token = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(SECRET));
    let token = token.expect("claims are JSON");
    if let Some(Verified { identity, .. }) = verify(&token) {
        assert!(identity.expires_at.is_some_and(|expires_at| expires_at > *NOW));
        assert!((1..=SUBJECT_BYTES).contains(&identity.subject.len()));
        assert!(claims.contains_key("exp"));
    }
});
