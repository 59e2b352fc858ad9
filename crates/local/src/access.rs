//! Names and origins from outside this machine that may use the ports.

use std::str::FromStr;

use entity_stream_auth::AllowedOrigins;

/// The hosts and origins that are accepted beside those of this machine.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Names by which clients may address the system, such as the name of its container.
    pub hosts: Vec<AllowedHost>,
    /// Origins whose pages may use the ports.
    pub origins: Vec<AllowedOrigin>,
}

/// A host name without a port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(String);

/// An origin whose pages may use the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every origin.
    Any,
    /// Pages that have no origin, such as pages that were opened from a file.
    Opaque,
    /// This origin, or the subdomains of a domain.
    Named(AllowedOrigins),
}

/// The text is not a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host is a name without a port, such as entity-stream or dev.example.com")]
pub struct InvalidAllowedHost;

/// The text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is like https://app.example.com or https://*.example.com; null stands for pages from files, * for all"
)]
pub struct InvalidAllowedOrigin;

impl Access {
    /// True if clients may use this name, which is in lower case and has no port.
    pub(crate) fn allows_host(&self, name: &str) -> bool {
        self.hosts.iter().any(|host| host.0 == name)
    }

    /// True if pages of this origin may use the ports.
    pub(crate) fn allows_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| match allowed {
            AllowedOrigin::Any => true,
            AllowedOrigin::Opaque => origin == "null",
            AllowedOrigin::Named(origins) => origins.allow(origin),
        })
    }

    /// True if every page may use the ports.
    pub(crate) fn allows_every_origin(&self) -> bool {
        self.origins.contains(&AllowedOrigin::Any)
    }
}

impl FromStr for AllowedHost {
    type Err = InvalidAllowedHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if text.split('.').all(is_label) { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidAllowedHost) }
    }
}

impl FromStr for AllowedOrigin {
    type Err = InvalidAllowedOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "*" => Ok(Self::Any),
            "null" => Ok(Self::Opaque),
            _ if text.contains(',') => Err(InvalidAllowedOrigin),
            _ => AllowedOrigins::parse(text).map(Self::Named).map_err(|_| InvalidAllowedOrigin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(hosts: &[&str], origins: &[&str]) -> Access {
        Access {
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn a_host_is_one_name() {
        let access = access(&["Entity-Stream", "dev.example.com"], &[]);
        assert!(access.allows_host("entity-stream") && access.allows_host("dev.example.com"));
        assert!(!access.allows_host("example.com") && !access.allows_host("a.dev.example.com"));
        for text in ["", "a:3000", "http://a", "*", "a..b", "a b", "*.example.com"] {
            assert_eq!(text.parse::<AllowedHost>(), Err(InvalidAllowedHost), "{text:?}");
        }
    }

    #[test]
    fn an_origin_is_one_origin_or_none_or_all() {
        let named = access(&[], &["https://app.example.com", "https://*.example.org"]);
        assert!(named.allows_origin("https://app.example.com") && named.allows_origin("https://a.example.org"));
        assert!(!named.allows_origin("null") && !named.allows_origin("https://example.com"));
        let opaque = access(&[], &["null"]);
        assert!(opaque.allows_origin("null"));
        assert!(!opaque.allows_origin("https://app.example.com") && !opaque.allows_every_origin());
        assert!(access(&[], &["*"]).allows_origin("https://anywhere.example"));
        for text in ["", "app.example.com", "https://a,https://b", "https://a/path", "Null", "**"] {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(InvalidAllowedOrigin), "{text:?}");
        }
    }
}
