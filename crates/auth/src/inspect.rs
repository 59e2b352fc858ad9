use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_protocol::Tenant;
use serde_json::{Map, Value};

use crate::{ClaimPaths, Role};

/// What a token says of itself, to be shown to whoever holds it. Nothing of it has been verified, and nothing may be
/// granted for it. `Debug` does not show it.
#[derive(Clone, PartialEq)]
pub struct Unverified {
    /// The header: how it claims to be signed.
    pub header: Map<String, Value>,
    /// The claims: what it claims about its bearer.
    pub claims: Map<String, Value>,
}

impl Unverified {
    /// Reads the two parts of a token that are JSON; `None` if it has no such parts.
    pub fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, claims) = (object(parts.next()?)?, object(parts.next()?)?);
        // The signature, which is not looked at, and nothing else.
        (parts.count() == 1).then_some(Self { header, claims })
    }

    /// The role that it claims, if that is one.
    pub fn role(&self, paths: &ClaimPaths) -> Option<Role> {
        paths.role(&self.claims).ok()
    }

    /// The tenants that it claims.
    pub fn tenants(&self, paths: &ClaimPaths) -> BTreeSet<Tenant> {
        paths.tenants(&self.claims)
    }
}

/// A part of a token that is a JSON object.
pub(crate) fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unverified(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn reads_what_it_says_whoever_signed_it() {
        let claims = r#"{"sub":"me","role":"user","tenant":["a","b"]}"#;
        for signature in ["", "c2ln", "!"] {
            let read = Unverified::read(&token(r#"{"alg":"none"}"#, claims, signature)).unwrap();
            assert_eq!((&read.header["alg"], &read.claims["sub"]), (&"none".into(), &"me".into()));
            assert_eq!(read.role(&ClaimPaths::default()), Some(Role::User));
            assert_eq!(read.tenants(&ClaimPaths::default()).len(), 2);
            assert!(!format!("{read:?}").contains("me"));
        }
    }

    #[test]
    fn what_is_no_token_says_nothing() {
        for text in ["", ".", "..", "a.b.c", &token("{}", "[]", ""), &token("{}", "{}", ".")] {
            assert_eq!(Unverified::read(text), None, "{text}");
        }
        assert_eq!(Unverified::read(&URL_SAFE_NO_PAD.encode("{}")), None);
    }
}
