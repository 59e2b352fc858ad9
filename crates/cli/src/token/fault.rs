use entity_stream_auth::{Role, Unverified};
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::JWT_ISSUER;
use serde_json::Value;

use super::bound::is_bound;
use super::claims::ClaimNames;
use super::explanation::{listed, moment};
use crate::terminal::printable;

/// The likely reason for which a server refuses a token, from what the token says. `None` if it is not a token. `has_key` says
/// whether the client has a key for proofs of possession.
pub(crate) fn likely_fault(
    token: &str,
    has_key: bool,
    tenant: &Tenant,
    environment: &Environment,
    now: EpochMillis,
) -> Option<String> {
    let said = Unverified::read(token)?;
    let claim = |name: &str| said.claims.get(name).map_or_else(|| "missing".to_owned(), Value::to_string);
    let time = |name: &str| said.claims.get(name).and_then(Value::as_f64);
    let now_in_seconds = now.millis() as f64 / 1000.0;
    let shown = |name: &str| moment(&said.claims, name, now).unwrap_or_default();
    let issuer = environment.optional(JWT_ISSUER);
    let is_foreign =
        issuer.as_deref().is_some_and(|issuer| said.claims.get("iss").and_then(Value::as_str) != Some(issuer));
    let without_time = |name: &str| !time(name).is_some_and(|seconds| seconds >= 0.0);
    let fault = if without_time("exp") {
        format!("the token does not expire: its exp is {}, and every token needs a time there", claim("exp"))
    } else if said.claims.contains_key("nbf") && without_time("nbf") {
        format!("the nbf of the token is {}, and no time", claim("nbf"))
    } else if time("exp").is_some_and(|exp| exp <= now_in_seconds) {
        format!("the token has expired: its exp is {}; get a fresh one", shown("exp"))
    } else if time("nbf").is_some_and(|nbf| nbf > now_in_seconds) {
        format!("the token is not valid yet: its nbf is {}; compare the clocks", shown("nbf"))
    } else if is_bound(&said) && !has_key {
        // No server accepts such a client. The settings below may be those of another server.
        "the token is bound to a key: pass --dpop-key FILE".to_owned()
    } else if is_foreign {
        let issuer = issuer.unwrap_or_default();
        format!("the token is of another issuer: its iss is {}, and JWT_ISSUER is \"{issuer}\"", claim("iss"))
    } else {
        let names = ClaimNames::of(environment).ok()?;
        let tenants = said.tenants(names.paths());
        match said.role(names.paths()) {
            Some(Role::SuperAdmin) => None,
            Some(Role::Publisher) => {
                Some("the token has the role publisher, which may publish and not listen".to_owned())
            }
            Some(_) if tenants.is_empty() => Some(format!("the token names no tenant in {}", names.shown())),
            Some(_) if !tenants.contains(tenant) => {
                Some(format!("the token is for another tenant: it is for {}", listed(&tenants)))
            }
            Some(_) => None,
            None => Some(format!("the token has no known role in {}; see JWT_ROLES", names.role())),
        }
        .unwrap_or_else(|| {
            let (iss, aud) = (claim("iss"), claim("aud"));
            format!(
                "the token was signed with another key, or for others: compare JWT_SECRET or JWT_JWKS_URL of the functions with the key of the token, JWT_ISSUER with its iss ({iss}), and JWT_AUDIENCE with its aud ({aud})"
            )
        })
    };
    Some(printable(&fault).into_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expired_early_or_foreign_token_is_named_as_such() {
        let environment = Environment::new(|name| (name == "JWT_ISSUER").then(|| "https://id".to_owned()));
        let now = EpochMillis::from_seconds(1_000_000);
        let good = json!({ "iss": "https://id", "sub": "a", "role": "user", "tenant": "demo", "exp": 1_000_600 });
        for (name, value, beginning) in [
            ("exp", json!(999_700), "the token has expired: its exp is 1970-01-12T13:41:40Z (5 min ago)"),
            ("nbf", json!(1_000_300), "the token is not valid yet: its nbf is 1970-01-12T13:51:40Z (in 5 min)"),
            ("iss", json!("https://other"), "the token is of another issuer: its iss is \"https://other\""),
            ("iss", json!(null), "the token is of another issuer: its iss is null"),
            ("tenant", json!("city"), "the token is for another tenant: it is for city"),
            ("tenant", json!(null), "the token names no tenant in tenant, tenantId or tenantName"),
            ("exp", json!(null), "the token does not expire: its exp is null"),
            ("exp", json!("soon"), "the token does not expire: its exp is \"soon\""),
            ("nbf", json!("soon"), "the nbf of the token is \"soon\", and no time"),
            ("role", json!("publisher"), "the token has the role publisher, which may publish and not listen"),
            ("role", json!("root"), "the token has no known role in role"),
            ("aud", json!("web"), "the token was signed with another key, or for others: compare JWT_SECRET"),
            ("cnf", json!({ "jkt": "T" }), "the token is bound to a key: pass --dpop-key FILE"),
            ("cnf", json!(null), "the token was signed with another key"),
        ] {
            let mut claims = good.clone();
            claims[name] = value;
            let token = format!("{}.{}.", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims.to_string()));
            let fault =
                |has_key| likely_fault(&token, has_key, &Tenant::parse("demo").unwrap(), &environment, now).unwrap();
            assert!(fault(false).starts_with(beginning), "{name}: {}", fault(false));
            assert!(!fault(true).contains("--dpop-key"), "{name}: {}", fault(true));
        }
        assert_eq!(likely_fault("x", false, &Tenant::parse("demo").unwrap(), &environment, now), None);
    }
}
