/// The origins whose pages may connect. Clients without `Origin` are not browsers and are not affected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigins(Vec<OriginPattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum OriginPattern {
    Exact(String),
    /// Any subdomain of any depth: the text before and after the `*`.
    Subdomains {
        scheme: String,
        suffix: String,
    },
}

/// The text is not a list of origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("origins are comma-separated, each like https://app.example.com or https://*.example.com, without a path")]
pub struct InvalidOrigin;

impl AllowedOrigins {
    /// Reads a comma-separated list.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if an entry is neither an origin nor one with `*.` before its domain.
    pub fn parse(list: &str) -> Result<Self, InvalidOrigin> {
        list.split(',').map(|origin| parse(origin.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// True if a page of this origin may connect. The comparison ignores case, as for schemes and hosts.
    pub fn allow(&self, origin: &str) -> bool {
        let origin = without_default_port(origin.to_ascii_lowercase());
        self.0.iter().any(|pattern| match pattern {
            OriginPattern::Exact(exact) => *exact == origin,
            OriginPattern::Subdomains { scheme, suffix } => origin
                .strip_prefix(scheme.as_str())
                .and_then(|rest| rest.strip_suffix(suffix.as_str()))
                .is_some_and(is_host),
        })
    }
}

/// Browsers leave the default port of a scheme out of an origin.
fn without_default_port(mut origin: String) -> String {
    for (scheme, port) in [("https://", ":443"), ("http://", ":80")] {
        if origin.starts_with(scheme) && origin.ends_with(port) {
            origin.truncate(origin.len() - port.len());
        }
    }
    origin
}

fn parse(origin: &str) -> Result<OriginPattern, InvalidOrigin> {
    let origin = without_default_port(origin.to_ascii_lowercase());
    let (scheme, host) = origin.split_once("://").ok_or(InvalidOrigin)?;
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok());
    if !matches!(scheme, "http" | "https") || !port_is_good {
        return Err(InvalidOrigin);
    }
    match name.strip_prefix("*.") {
        Some(domain) if is_host(domain) => Ok(OriginPattern::Subdomains {
            scheme: format!("{scheme}://"),
            suffix: format!(".{domain}{}", port.map(|port| format!(":{port}")).unwrap_or_default()),
        }),
        None if is_host(name) => Ok(OriginPattern::Exact(origin)),
        _ => Err(InvalidOrigin),
    }
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_origins_and_subdomains_are_allowed() {
        let origins =
            AllowedOrigins::parse("https://app.example.com, https://*.example.org,http://localhost:5173").unwrap();
        for origin in [
            "https://app.example.com",
            "https://a.example.org",
            "https://a.b.example.org",
            "http://localhost:5173",
            "HTTPS://APP.example.com",
        ] {
            assert!(origins.allow(origin), "{origin}");
        }
        for origin in [
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://example.org",
            "https://evilexample.org",
            "https://a.example.org.evil.com",
            "https://evil.com/.example.org",
            "https://evil.com#.example.org",
            "https://.example.org",
            "null",
            "",
            "http://localhost",
            "https://user@a.example.org",
            "https://a.example.org:444",
        ] {
            assert!(!origins.allow(origin), "{origin}");
        }
    }

    #[test]
    fn default_ports_are_left_out() {
        let origins =
            "https://app.example.com:443,https://*.example.org:443,http://localhost:80,http://a.example.net:443";
        let origins = AllowedOrigins::parse(origins).unwrap();
        for origin in [
            "https://app.example.com",
            "https://app.example.com:443",
            "https://a.example.org",
            "http://localhost",
            "http://localhost:80",
            "http://a.example.net:443",
        ] {
            assert!(origins.allow(origin), "{origin}");
        }
        for origin in ["http://app.example.com", "https://localhost", "http://a.example.net", "http://localhost:8080"] {
            assert!(!origins.allow(origin), "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_not_taken_for_one() {
        for list in [
            "",
            "*",
            "https://*",
            "https://*.",
            "app.example.com",
            "https://a.example.com/",
            "https://a,,https://b",
            "ftp://a.example.com",
            "https://a*.example.com",
            "https://a:port",
        ] {
            assert_eq!(AllowedOrigins::parse(list), Err(InvalidOrigin), "{list:?}");
        }
    }
}
