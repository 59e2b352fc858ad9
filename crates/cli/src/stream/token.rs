use std::fmt;
use std::str::FromStr;

use anyhow::anyhow;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// A token to be sent, and never to be shown.
#[derive(Clone)]
pub(crate) struct Token(String);

impl FromStr for Token {
    type Err = std::convert::Infallible;

    /// Takes any text: clap would repeat a value that is refused here in its message.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// An empty variable is as good as none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token itself, for whoever is asked to explain it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> anyhow::Result<HeaderValue> {
        let plain = self.0.bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok().filter(|_| plain);
        let mut value = value.ok_or_else(|| {
            anyhow!("the token (--token or ENTITY_STREAM_TOKEN) has a character that no token has; give the token alone, without `Bearer`")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown() {
        let token: Token = " eyJsecret\n".parse().unwrap();
        assert_eq!(token.header().unwrap(), "Bearer eyJsecret");
        assert!(!format!("{token:?} {:?}", token.header()).contains("secret"));
        for text in ["Bearer eyJsecret", "eyJ\u{1}secret", "eyJsecreté"] {
            let error = text.parse::<Token>().unwrap().header().unwrap_err();
            assert!(!format!("{error:?}").contains("secret"));
        }
    }
}
