use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use entity_stream_auth::{ADDRESS_SUBJECT, API_KEY_SUBJECT, Refusal, Role, Unverified};
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::{JWT_AUDIENCE, JWT_ISSUER, JWT_JWKS_URL};
use serde_json::{Map, Value};

use crate::lifetime::roughly;
use crate::terminal::printable;
use crate::token::claims::ClaimNames;

const TITLE: Style = Style::new().bold();
const LABEL: Style = AnsiColor::Cyan.on_default();

/// The content of a token, except for its signature, as text.
pub(crate) fn explain(token: &Unverified, names: &ClaimNames, now: EpochMillis) -> String {
    let mut text = String::new();
    section(&mut text, "Header", &token.header);
    section(&mut text, "Claims", &token.claims);
    let paths = names.paths();
    let _ = writeln!(text, "{TITLE}In short{TITLE:#}");
    let mut row = |label: &str, value: &str| {
        let _ = writeln!(text, "  {LABEL}{label:<9}{LABEL:#} {}", printable(value));
    };
    row("subject", token.claims.get("sub").and_then(Value::as_str).unwrap_or("none"));
    row("role", token.role(paths).map_or("none, or unknown", Role::as_str));
    let tenants = listed(&token.tenants(paths));
    row("tenants", if tenants.is_empty() { "none" } else { &tenants });
    row("issued", &moment(&token.claims, "iat", now).unwrap_or_else(|| "not stated".to_owned()));
    if let Some(not_before) = moment(&token.claims, "nbf", now) {
        row("valid from", &not_before);
    }
    row("expires", &moment(&token.claims, "exp", now).unwrap_or_else(|| "not stated".to_owned()));
    text
}

/// `a, b`.
pub(crate) fn listed<'a>(tenants: impl IntoIterator<Item = &'a Tenant>) -> String {
    tenants.into_iter().map(Tenant::as_str).collect::<Vec<_>>().join(", ")
}

/// The reason for which the functions would refuse a token. It tells the holder more than the functions tell a client.
pub(crate) fn reason(refusal: Refusal, token: &Unverified, environment: &Environment) -> String {
    let claim = |name: &str| token.claims.get(name).map_or_else(|| "missing".to_owned(), Value::to_string);
    let expected = |variable, name: &str| {
        let expected = environment.optional(variable).unwrap_or_default();
        format!("its {name} is {}, and {} asks for \"{expected}\"", claim(name), variable.name)
    };
    let detail = match refusal {
        Refusal::Issuer => expected(JWT_ISSUER, "iss"),
        Refusal::Audience => expected(JWT_AUDIENCE, "aud"),
        Refusal::Signature => "it was signed with another key, or changed after that".to_owned(),
        Refusal::Algorithm => {
            let alg = token.header.get("alg").map_or_else(|| "missing".to_owned(), Value::to_string);
            format!("its alg is {alg}, which does not fit the configured key")
        }
        Refusal::UnknownKey => format!("its kid is not among the keys of {}", JWT_JWKS_URL.name),
        Refusal::KeysUnavailable => format!("the keys of {} cannot be fetched", JWT_JWKS_URL.name),
        Refusal::Role => "a role is super_admin, tenant_admin, user or publisher".to_owned(),
        Refusal::NoExpiry => {
            let is_time = |claim: &Value| claim.as_f64().is_some_and(|seconds| seconds >= 0.0);
            let name = if token.claims.get("exp").is_some_and(is_time) { "nbf" } else { "exp" };
            format!("its {name} is {}; expected a time in seconds since 1970", claim(name))
        }
        Refusal::Subject => {
            format!(
                "sub is missing or too long, or begins with {API_KEY_SUBJECT}, which is for API keys, or with {ADDRESS_SUBJECT}, \
                 which is for clients without a credential"
            )
        }
        _ => return refusal.to_string(),
    };
    printable(&format!("{refusal}: {detail}")).into_owned()
}

fn section(text: &mut String, title: &str, content: &Map<String, Value>) {
    let _ = writeln!(text, "{TITLE}{title}{TITLE:#}");
    for line in serde_json::to_string_pretty(content).unwrap_or_default().lines() {
        let _ = writeln!(text, "  {}", printable(line));
    }
}

/// A time in a claim: `2026-11-20T22:00:00Z (in 43 min)`.
// A float that is too large becomes the largest number.
pub(super) fn moment(claims: &Map<String, Value>, name: &str, now: EpochMillis) -> Option<String> {
    let Some(seconds) = claims.get(name)?.as_f64().filter(|seconds| *seconds >= 0.0) else {
        return Some("not a time".to_owned());
    };
    let moment = EpochMillis::new((seconds * 1000.0) as i64);
    let distance = if moment > now {
        format!("in {}", roughly(moment.since(now)))
    } else {
        format!("{} ago", roughly(now.since(moment)))
    };
    Some(format!("{} ({distance})", moment.to_rfc3339()))
}
