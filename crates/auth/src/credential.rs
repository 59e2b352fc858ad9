use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use entity_stream_protocol::AccessToken;

use crate::Refusal;
use crate::api_keys::ApiKey;

/// The largest size of a credential in bytes. Tokens of identity providers have a few KB; API Gateway's headers have 10 KB.
const CREDENTIAL_BYTES: usize = 8 * 1024;
/// The sub-protocol that a browser offers before its token, because it cannot set `Authorization`. The response of the
/// handshake has to select it. Otherwise the browser drops the connection.
pub const ACCESS_TOKEN: &str = "access_token";

/// True if these values of `Sec-WebSocket-Protocol` offer [`ACCESS_TOKEN`].
pub fn offers_access_token<'a>(values: impl IntoIterator<Item = &'a str>) -> bool {
    values.into_iter().flat_map(|value| value.split(',')).any(|offer| offer.trim() == ACCESS_TOKEN)
}

/// The credential of a client. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A JSON Web Token.
    Token(AccessToken),
    /// An API key and its name.
    ApiKey {
        /// The key's name.
        name: String,
        /// The key.
        key: ApiKey,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Credential::Token(…)",
            Self::ApiKey { .. } => "Credential::ApiKey(…)",
        })
    }
}

/// The places of a credential in a handshake, with all values of each place in order.
#[derive(Clone, Default)]
pub struct HandshakeCredentials<'a> {
    /// The values of `Authorization`.
    pub authorization: Vec<&'a str>,
    /// The values of `Sec-WebSocket-Protocol`.
    pub subprotocols: Vec<&'a str>,
    /// The values of the query parameter `token`.
    pub query: Vec<&'a str>,
}

impl HandshakeCredentials<'_> {
    /// The credential from the first place that has one.
    ///
    /// # Errors
    /// A malformed or repeated credential is refused. The search does not continue with the next place.
    pub fn find(&self) -> Result<Option<Credential>, Refusal> {
        if let Some(value) = single(&self.authorization)? {
            return from_authorization(value).map(Some);
        }
        // Offers cannot be read from a value that is not ASCII. RFC 6455, section 4.1, allows only ASCII here.
        if !self.subprotocols.iter().all(|value| value.is_ascii()) {
            return Err(Refusal::MalformedCredential);
        }
        let offers: Vec<&str> = self.subprotocols.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
        if let Some(position) = offers.iter().position(|offer| *offer == ACCESS_TOKEN) {
            let token = offers.get(position + 1).copied().unwrap_or_default();
            let repeated = offers.iter().skip(position + 1).any(|offer| *offer == ACCESS_TOKEN);
            return if repeated { Err(Refusal::MalformedCredential) } else { token_credential(token).map(Some) };
        }
        single(&self.query)?.map(token_credential).transpose()
    }
}

impl fmt::Debug for HandshakeCredentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeCredentials(…)")
    }
}

fn single<'a>(values: &[&'a str]) -> Result<Option<&'a str>, Refusal> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(Refusal::MalformedCredential),
    }
}

/// Source of the form: RFC 9110, section 11.4 (the scheme is case-insensitive), and RFC 7617 for `Basic`.
fn from_authorization(value: &str) -> Result<Credential, Refusal> {
    let (scheme, rest) = value.trim().split_once(' ').ok_or(Refusal::MalformedCredential)?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return token_credential(rest);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Refusal::MalformedCredential);
    }
    if rest.len() > CREDENTIAL_BYTES {
        return Err(Refusal::CredentialTooLong);
    }
    let bytes = STANDARD.decode(rest).or_else(|_| STANDARD_NO_PAD.decode(rest));
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(Refusal::MalformedCredential)?;
    let (name, key) = text.split_once(':').ok_or(Refusal::MalformedCredential)?;
    if name.is_empty() || key.is_empty() {
        return Err(Refusal::MalformedCredential);
    }
    Ok(Credential::ApiKey { name: name.to_owned(), key: ApiKey::from_client(key) })
}

fn token_credential(token: &str) -> Result<Credential, Refusal> {
    access_token(token).map(Credential::Token)
}

/// A token consists of three parts of URL-safe base64 (RFC 7515, section 7.1). Other texts are refused without verification.
pub(crate) fn access_token(token: &str) -> Result<AccessToken, Refusal> {
    if token.len() > CREDENTIAL_BYTES {
        return Err(Refusal::CredentialTooLong);
    }
    let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let parts: Vec<&str> = token.split('.').collect();
    let is_token = parts.len() == 3 && !parts[0].is_empty() && !parts[1].is_empty() && parts.into_iter().all(is_part);
    match AccessToken::new(token) {
        Some(token) if is_token => Ok(token),
        _ => Err(Refusal::MalformedCredential),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(authorization: &[&str], subprotocols: &[&str], query: &[&str]) -> Result<Option<Credential>, Refusal> {
        HandshakeCredentials {
            authorization: authorization.to_vec(),
            subprotocols: subprotocols.to_vec(),
            query: query.to_vec(),
        }
        .find()
    }

    fn token(text: &str) -> Result<Option<Credential>, Refusal> {
        Ok(Some(Credential::Token(AccessToken::new(text).unwrap())))
    }

    #[test]
    fn the_first_place_wins() {
        assert_eq!(find(&["Bearer a.a.a"], &["access_token, b.b.b"], &["c.c.c"]), token("a.a.a"));
        assert_eq!(find(&[], &["access_token, b.b.b"], &["c.c.c"]), token("b.b.b"));
        assert_eq!(find(&[], &["chat"], &["c.c.c"]), token("c.c.c"));
        assert_eq!(find(&[], &[], &[]), Ok(None));
    }

    #[test]
    fn spelling_is_forgiven_where_http_forgives_it() {
        assert_eq!(find(&["bEaReR   a.a.a "], &[], &[]), token("a.a.a"));
        assert_eq!(find(&[], &["chat,access_token ,b.b.b,x"], &[]), token("b.b.b"));
        assert_eq!(find(&[], &["access_token", "b.b.b"], &[]), token("b.b.b"), "one header line for each");
    }

    #[test]
    fn an_api_key_comes_in_basic() {
        let value = format!("Basic {}", STANDARD.encode("robot:k:e:y"));
        let expected = Credential::ApiKey { name: "robot".to_owned(), key: ApiKey::from_client("k:e:y") };
        assert_eq!(find(&[&value], &[], &[]), Ok(Some(expected)));
    }

    #[test]
    fn what_is_malformed_or_there_twice_is_refused_and_not_passed_over() {
        let good = "a.a.a";
        for authorization in [
            "",
            "Bearer",
            "Bearer ",
            "Digest a.a.a",
            "a.a.a",
            "Bearer a.a",
            "Bearer a.a.a.a",
            "Bearer a.a.a b.b.b",
            "Bearer ..",
            "Bearer é.a.a",
            "Basic",
            "Basic !!!",
            "Basic cm9ib3Q=",
            "Basic OmtleQ==",
            "Basic cm9ib3Q6",
        ] {
            assert_eq!(find(&[authorization], &[], &[good]), Err(Refusal::MalformedCredential), "{authorization:?}");
        }
        assert_eq!(find(&["Bearer a.a.a"; 2], &[], &[]), Err(Refusal::MalformedCredential));
        for subprotocols in
            ["access_token", "access_token,", "access_token, x", "access_token, a.a.a, access_token, b.b.b"]
        {
            assert_eq!(find(&[], &[subprotocols], &[good]), Err(Refusal::MalformedCredential), "{subprotocols:?}");
        }
        for subprotocols in ["\u{fffd}", "chat, \u{fffd}", "access_token, é.a.a"] {
            assert_eq!(find(&[], &[subprotocols], &[good]), Err(Refusal::MalformedCredential), "{subprotocols:?}");
        }
        assert_eq!(find(&[], &["access_token, b.b.b", "\u{fffd}"], &[good]), Err(Refusal::MalformedCredential));
        assert_eq!(find(&["Bearer a.a.a"], &["\u{fffd}"], &[]), token(good), "the header comes first");
        assert_eq!(find(&[], &[], &[good, good]), Err(Refusal::MalformedCredential));
        assert_eq!(find(&[], &[], &[""]), Err(Refusal::MalformedCredential));
    }

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        let long = format!("Bearer a.{}.a", "x".repeat(CREDENTIAL_BYTES));
        assert_eq!(find(&[&long], &[], &[]), Err(Refusal::CredentialTooLong));
        let long = format!("Basic {}", "x".repeat(CREDENTIAL_BYTES + 1));
        assert_eq!(find(&[&long], &[], &[]), Err(Refusal::CredentialTooLong));
    }

    #[test]
    fn debug_shows_nothing() {
        let value = format!("Basic {}", STANDARD.encode("robot:verysecret"));
        let found = find(&[&value], &[], &[]).unwrap().unwrap();
        assert!(!format!("{found:?}").contains("verysecret"));
        let places = HandshakeCredentials { query: vec!["eyJ.x.y"], ..HandshakeCredentials::default() };
        assert!(!format!("{places:?}").contains("eyJ"));
    }

    proptest! {
        #[test]
        fn nothing_panics(
            authorization in prop::collection::vec(any::<String>(), 0..3),
            subprotocols in prop::collection::vec(any::<String>(), 0..3),
            query in prop::collection::vec(any::<String>(), 0..3),
        ) {
            fn texts(values: &[String]) -> Vec<&str> {
                values.iter().map(String::as_str).collect()
            }
            let _ = find(&texts(&authorization), &texts(&subprotocols), &texts(&query));
        }
    }
}
