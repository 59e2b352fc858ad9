use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity_stream_protocol::Tenant;
use serde_json::{Map, Value};

use crate::{ClaimPaths, Role};

/// The unverified content of a token, to be shown to its holder. It must not grant any access. `Debug` hides it.
#[derive(Clone, PartialEq)]
pub struct Unverified {
    /// The header, which names the claimed algorithm and key.
    pub header: Map<String, Value>,
    /// The claims about the bearer.
    pub claims: Map<String, Value>,
}

impl Unverified {
    /// Reads the two JSON parts of a token. Returns `None` if the token has no such parts.
    pub fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, claims) = (object(parts.next()?)?, object(parts.next()?)?);
        // The rest has to be the signature alone, which is not read.
        (parts.count() == 1).then_some(Self { header, claims })
    }

    /// The claimed role, if it is a known role.
    pub fn role(&self, paths: &ClaimPaths) -> Option<Role> {
        paths.role(&self.claims).ok()
    }

    /// The claimed tenants.
    pub fn tenants(&self, paths: &ClaimPaths) -> BTreeSet<Tenant> {
        paths.tenants(&self.claims)
    }
}

/// Reads a part of a token that is a JSON object.
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
    fn reads_a_token_with_any_signature() {
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
