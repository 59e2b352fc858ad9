//! For random tokens and tenants, the system grants access exactly according to the rule.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::{guarded, refused};
use crate::harness::tokens::{SECRET, in_seconds, sign};

#[derive(Clone, Debug)]
struct Case {
    tenant: String,
    claimed: Vec<String>,
    as_array: bool,
    role: String,
    lives_for: i64,
    right_secret: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let tenant = || prop_oneof!["[ab]", "[AB][0-9_-]?", "[a-c]{1,2}", Just("a#*".to_owned()), Just("*".to_owned())];
    let role = prop_oneof![
        3 => prop_oneof![Just("user"), Just("tenant_admin"), Just("super_admin")],
        1 => prop_oneof![Just("root"), Just("SUPER_ADMIN"), Just("")],
    ];
    let lives_for = prop_oneof![4 => 30_i64..7200, 1 => -7200_i64..-1];
    (tenant(), prop::collection::vec(tenant(), 0..3), any::<bool>(), role, lives_for, prop::bool::weighted(0.9))
        .prop_map(|(tenant, claimed, as_array, role, lives_for, right_secret)| Case {
            tenant,
            claimed,
            as_array,
            role: role.to_owned(),
            lives_for,
            right_secret,
        })
}

/// A second, plain implementation of the rule.
fn expected(case: &Case) -> u16 {
    let name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !name(&case.tenant) {
        return 400;
    }
    let known = ["user", "tenant_admin", "super_admin"].contains(&case.role.as_str());
    if !case.right_secret || case.lives_for <= 0 || !known {
        return 401;
    }
    let claimed = if case.as_array { &case.claimed[..] } else { &case.claimed[..case.claimed.len().min(1)] };
    let own = claimed.iter().any(|claimed| claimed.to_lowercase() == case.tenant.to_lowercase());
    if own || case.role == "super_admin" { 0 } else { 403 }
}

#[test]
fn access_is_granted_exactly_according_to_the_rule() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let system = runtime.block_on(guarded(&[]));
    let mut runner = TestRunner::new(Config { cases: 256, failure_persistence: None, ..Config::default() });
    let result = runner.run(&cases(), |case| {
        let tenant: Value = if case.as_array {
            json!(case.claimed)
        } else {
            case.claimed.first().map_or(json!(null), |name| json!(name))
        };
        let claims = json!({ "sub": "s", "role": case.role, "tenant": tenant, "exp": in_seconds(case.lives_for) });
        let secret: &[u8] =
            if case.right_secret { SECRET.as_bytes() } else { b"some other secret of thirty-two bytes" };
        let token = sign(&jsonwebtoken::Header::default(), &claims, secret);
        let in_url = case.tenant.replace('#', "%23");
        let status = runtime.block_on(refused(&system, &in_url, &token));
        prop_assert_eq!(status, expected(&case));
        Ok(())
    });
    runtime.block_on(system.local.shutdown());
    result.unwrap();
}
