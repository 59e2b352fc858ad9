use hyper::Uri;

/// The endpoint of the service, which a proof has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofEndpoint {
    host: String,
    /// `None`: the default port.
    port: Option<u16>,
    stage: String,
}

impl ProofEndpoint {
    /// The endpoint with this host, and with this stage of the API. `authority` has a port if it is not the default port.
    pub fn new(authority: &str, stage: &str) -> Self {
        let authority = authority.to_ascii_lowercase();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
            _ => (authority.as_str(), None),
        };
        Self { host: host.to_owned(), port, stage: stage.to_owned() }
    }

    /// True if the `htu` of a proof names this endpoint. Its query and its fragment do not count.
    pub(super) fn is_named_by(&self, htu: &str) -> bool {
        let end = htu.find(['?', '#']).unwrap_or(htu.len());
        let Ok(uri) = htu[..end].parse::<Uri>() else { return false };
        let default_port = match uri.scheme_str().map(str::to_ascii_lowercase).as_deref() {
            Some("ws" | "http") => 80,
            Some("wss" | "https") => 443,
            _ => return false,
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else {
            return false;
        };
        let port = authority.port_u16().unwrap_or(default_port);
        authority.host().eq_ignore_ascii_case(&self.host)
            && port == self.port.unwrap_or(default_port)
            && self.has_path(uri.path())
    }

    /// API Gateway's own host names serve the API below its stage, and a domain of the operator at its root. The local system serves
    /// it at both.
    fn has_path(&self, path: &str) -> bool {
        let path = path.trim_matches('/');
        path == self.stage || (path.is_empty() && !self.host.contains(".execute-api."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_names_the_endpoint_in_any_spelling_of_its_url() {
        let aws = ProofEndpoint::new("a1b2.execute-api.eu-west-1.amazonaws.com", "live");
        for htu in [
            "wss://a1b2.execute-api.eu-west-1.amazonaws.com/live",
            "https://a1b2.execute-api.eu-west-1.amazonaws.com/live/",
            "WSS://A1B2.execute-api.eu-west-1.amazonaws.com:443/live?tenant=demo",
            "wss://a1b2.execute-api.eu-west-1.amazonaws.com/live#x",
        ] {
            assert!(aws.is_named_by(htu), "{htu}");
        }
        for htu in [
            "",
            "wss://",
            "/live",
            "wss:/live",
            "ftp://a1b2.execute-api.eu-west-1.amazonaws.com/live",
            "wss://a1b2.execute-api.eu-west-1.amazonaws.com",
            "wss://a1b2.execute-api.eu-west-1.amazonaws.com/",
            "wss://a1b2.execute-api.eu-west-1.amazonaws.com/Live",
            "wss://a1b2.execute-api.eu-west-1.amazonaws.com/live/x",
            "wss://a1b2.execute-api.eu-west-1.amazonaws.com:8443/live",
            "wss://x@a1b2.execute-api.eu-west-1.amazonaws.com/live",
            "wss://a1b2.execute-api.eu-west-1.amazonaws.com.evil.net/live",
            "wss://evil.net/live?a1b2.execute-api.eu-west-1.amazonaws.com/live",
            "wss://b1b2.execute-api.eu-west-1.amazonaws.com/live",
        ] {
            assert!(!aws.is_named_by(htu), "{htu}");
        }
        let own = ProofEndpoint::new("Stream.Example.com", "live");
        assert!(own.is_named_by("wss://stream.example.com") && own.is_named_by("https://stream.example.com/live"));
        let local = ProofEndpoint::new("localhost:3000", "local");
        for htu in ["ws://localhost:3000", "ws://localhost:3000/?tenant=demo", "http://LOCALHOST:3000/local"] {
            assert!(local.is_named_by(htu), "{htu}");
        }
        assert!(!local.is_named_by("ws://localhost") && !local.is_named_by("ws://127.0.0.1:3000"));
        let six = ProofEndpoint::new("[::1]:3000", "local");
        assert!(six.is_named_by("ws://[::1]:3000/") && !six.is_named_by("ws://[::1]/"));
    }
}
