//! Forged tokens.

use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};

use super::{guarded, refused};
use crate::harness::tokens::{SECRET, assemble, claims, sign, token, user};

#[tokio::test]
async fn algorithms_outside_the_configuration_are_refused() {
    let system = guarded(&[]).await;
    let claims = claims("demo");
    for algorithm in ["none", "None", "NONE", "nOnE", "", "HS1", "RS256", "ES256", "EdDSA", "PS512", "HS256 "] {
        for signature in ["", "AA", "c2lnbmF0dXJl"] {
            let forged = assemble(&json!({ "alg": algorithm, "typ": "JWT" }), &claims, signature);
            assert_eq!(refused(&system, "demo", &forged).await, 401, "{algorithm:?} {signature:?}");
        }
    }
    for header in [json!({}), json!({ "alg": null }), json!({ "alg": ["HS256"] }), json!([]), json!("HS256")] {
        assert_eq!(refused(&system, "demo", &assemble(&header, &claims, "AA")).await, 401, "{header}");
    }
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let good = sign(&Header::new(algorithm), &claims, SECRET.as_bytes());
        assert_eq!(refused(&system, "demo", &good).await, 0, "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_refused() {
    let system = guarded(&[]).await;
    let good = user("demo");
    let parts: Vec<&str> = good.split('.').collect();
    let other = user("other");
    let others: Vec<&str> = other.split('.').collect();
    for forged in [
        format!("{}.{}.{}", parts[0], others[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], others[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}A", parts[0], parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][1..]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.{}", parts[2]),
        format!("{}A.{}.{}", parts[0], parts[1], parts[2]),
        sign(&Header::new(Algorithm::HS256), &claims("demo"), b"another secret of sufficient length!"),
        sign(&Header::new(Algorithm::HS256), &claims("demo"), b""),
    ] {
        assert_eq!(refused(&system, "demo", &forged).await, 401, "a forged token");
    }
    assert_eq!(refused(&system, "demo", &good).await, 0);
}

#[tokio::test]
async fn headers_that_point_elsewhere_change_nothing() {
    let system = guarded(&[]).await;
    let forged = Header {
        jku: Some("http://127.0.0.1:1/keys".to_owned()),
        x5u: Some("http://127.0.0.1:1/cert".to_owned()),
        kid: Some("../../../../dev/null".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let wrong = sign(&forged, &claims("demo"), b"a secret that is only the attacker's");
    assert_eq!(refused(&system, "demo", &wrong).await, 401);
    let critical = Header { crit: Some(vec!["b64".to_owned()]), ..Header::new(Algorithm::HS256) };
    assert_eq!(refused(&system, "demo", &sign(&critical, &claims("demo"), SECRET.as_bytes())).await, 401);
}

#[tokio::test]
async fn times_that_are_none_are_refused() {
    let system = guarded(&[]).await;
    let with = |field: &str, value: Value| {
        let mut claims = claims("demo");
        claims[field] = value;
        token(&claims)
    };
    let mut endless = claims("demo");
    endless.as_object_mut().unwrap().remove("exp");
    assert_eq!(refused(&system, "demo", &token(&endless)).await, 401, "exp is required");
    for exp in
        [json!(null), json!("4102444800"), json!(-1), json!(0), json!({}), json!([4_102_444_800_u64]), json!(true)]
    {
        assert_eq!(refused(&system, "demo", &with("exp", exp.clone())).await, 401, "exp {exp}");
    }
    for nbf in [json!("0"), json!(null), json!(4_102_444_800_u64), json!(1e300)] {
        assert_eq!(refused(&system, "demo", &with("nbf", nbf.clone())).await, 401, "nbf {nbf}");
    }
    for exp in [json!(4_102_444_800_u64), json!(4_102_444_800.5), json!(1e300)] {
        assert_eq!(refused(&system, "demo", &with("exp", exp.clone())).await, 0, "exp {exp}");
    }
}

#[tokio::test]
async fn issuer_and_audience_have_to_equal_the_configuration() {
    let system = guarded(&[("JWT_ISSUER", "https://issuer"), ("JWT_AUDIENCE", "stream")]).await;
    let with = |issuer: Value, audience: Value| {
        let mut claims = claims("demo");
        claims["iss"] = issuer;
        claims["aud"] = audience;
        token(&claims)
    };
    assert_eq!(refused(&system, "demo", &with(json!("https://issuer"), json!("stream"))).await, 0);
    assert_eq!(refused(&system, "demo", &with(json!("https://issuer"), json!(["x", "stream"]))).await, 0);
    for (issuer, audience) in [
        (json!("https://issuer/"), json!("stream")),
        (json!("https://other"), json!("stream")),
        (json!(null), json!("stream")),
        (json!(["https://issuer"]), json!("stream")),
        (json!(["https://other", "https://issuer"]), json!("stream")),
        (json!("https://issuer"), json!(["x"])),
        (json!("https://issuer"), json!([["stream"]])),
        (json!("https://issuer"), json!("Stream")),
        (json!("https://issuer"), json!([])),
        (json!("https://issuer"), json!(null)),
    ] {
        assert_eq!(refused(&system, "demo", &with(issuer.clone(), audience.clone())).await, 401, "{issuer} {audience}");
    }
    assert_eq!(refused(&system, "demo", &user("demo")).await, 401, "the token has neither");
}

#[tokio::test]
async fn subjects_are_required_and_limited() {
    let system = guarded(&[]).await;
    for subject in [json!(null), json!(""), json!(7), json!("x".repeat(257))] {
        let mut claims = claims("demo");
        claims["sub"] = subject.clone();
        assert_eq!(refused(&system, "demo", &token(&claims)).await, 401, "{subject}");
    }
}

#[tokio::test]
async fn a_token_that_is_too_large_is_refused_unread() {
    let system = guarded(&[]).await;
    let mut claims = claims("demo");
    claims["padding"] = json!("x".repeat(7000));
    assert_eq!(refused(&system, "demo", &token(&claims)).await, 401);
}
