//! The check of hosts and origins. The local system trusts its machine, but any page in a browser on this machine can send
//! requests to it. A foreign page has an origin of its own, which `Origin` shows. After DNS rebinding its origin looks like
//! ours, which only `Host` shows.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use entity_stream_runtime::environment::ALLOWED_ORIGINS;

use super::refusal::DoorRefusal;
use crate::access::Access;
use crate::config::{Config, FunctionHost};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// The name of this machine inside a container.
const DOCKER_HOST: &str = "host.docker.internal";
/// Refusals that are logged. A page can send any number of them.
const LOGGED: usize = 20;

/// Accepts requests that name this machine as their host and come from no foreign page.
#[derive(Debug)]
pub(super) struct Guard {
    access: Access,
    /// True if `ALLOWED_ORIGINS` is set: then `$connect` judges the origins of WebSockets, as on AWS.
    connect_judges_origins: bool,
    logged: Mutex<BTreeSet<String>>,
}

impl Guard {
    pub(super) fn new(config: &Config) -> Self {
        let in_process = matches!(config.functions, FunctionHost::InProcess);
        Self {
            access: config.access.clone(),
            connect_judges_origins: in_process && config.environment.optional(ALLOWED_ORIGINS).is_some(),
            logged: Mutex::default(),
        }
    }

    /// Accepts or refuses a request. Returns its origin, if it comes from a page.
    pub(super) fn check(&self, request: &Request) -> Result<Option<HeaderValue>, DoorRefusal> {
        let headers = request.headers();
        // A request to a proxy names its host in the URL.
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => text(headers, header::HOST).unwrap_or_default(),
        };
        if !self.is_accepted_host(host) {
            return Err(self.refuse(format!(
                "the host {host:?} is not this machine: use localhost or an IP address, or start with --allow-host NAME"
            )));
        }
        // No page can send this header with anything but the handshake of a WebSocket.
        let is_websocket = headers.contains_key(header::UPGRADE);
        if is_websocket && self.connect_judges_origins {
            return Ok(None);
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return self.check_site(host, headers).map(|()| None);
        };
        let accepted =
            origins.next().is_none() && origin.to_str().is_ok_and(|origin| self.is_accepted_origin(origin, host));
        if accepted {
            return Ok(Some(origin.clone()));
        }
        let origin = String::from_utf8_lossy(origin.as_bytes());
        Err(self.refuse(format!("pages of the origin {origin:?} are refused: start with --allow-origin {origin}")))
    }

    /// A page sends no `Origin` with the request for a script, an image or a link. A link may lead here.
    fn check_site(&self, host: &str, headers: &HeaderMap) -> Result<(), DoorRefusal> {
        let accepted = match text(headers, FETCH_SITE).unwrap_or("none") {
            "none" | "same-origin" => true,
            // Another port of this machine.
            "same-site" => is_loopback(name_of(host)),
            _ => false,
        };
        if accepted || text(headers, FETCH_MODE) == Some("navigate") || self.access.allows_every_origin() {
            return Ok(());
        }
        Err(self.refuse("pages of other sites are refused: start with --allow-origin '*'".to_owned()))
    }

    fn is_accepted_host(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        is_address(&name) || is_loopback(&name) || name == DOCKER_HOST || self.access.allows_host(&name)
    }

    fn is_accepted_origin(&self, origin: &str, host: &str) -> bool {
        let of_this_machine = origin.split_once("://").is_some_and(|(scheme, authority)| {
            matches!(scheme, "http" | "https")
                && (authority.eq_ignore_ascii_case(host) || is_loopback(name_of(authority)))
        });
        of_this_machine || self.access.allows_origin(origin)
    }

    fn refuse(&self, message: String) -> DoorRefusal {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() < LOGGED && logged.insert(message.clone()) {
            tracing::warn!("refused a request: {message}");
        }
        DoorRefusal { status: StatusCode::FORBIDDEN, kind: "AccessDeniedException", message }
    }
}

/// The name in a host with an optional port; empty if the port is malformed.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            if port.parse::<u16>().is_ok() {
                name
            } else {
                ""
            }
        }
        _ => host,
    }
}

/// True for an address, which is never looked up.
fn is_address(name: &str) -> bool {
    name.parse::<Ipv4Addr>().is_ok() || bracketed(name).is_some()
}

/// True for a name or an address that can only be this machine.
fn is_loopback(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bracketed(&name).is_some_and(|address| address.is_loopback())
}

fn bracketed(name: &str) -> Option<Ipv6Addr> {
    name.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn guard(hosts: &[&str], origins: &[&str]) -> Guard {
        let access = Access {
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
        };
        Guard::new(&Config { access, ..Config::default() })
    }

    fn accepts(guard: &Guard, headers: &[(&str, &str)]) -> bool {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        guard.check(&request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn hosts_are_this_machine_or_allowed() {
        let guard = guard(&["entity-stream"], &[]);
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "app.localhost:1",
            "127.0.0.1:3000",
            "192.168.0.7",
            "[::1]:3000",
            "[::1]",
            "host.docker.internal:3000",
            "Entity-Stream:8000",
        ] {
            assert!(accepts(&guard, &[("host", host)]), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com:3000",
            "notlocalhost",
            "localhost:x",
            "::1",
            "1.2.3",
            "[x]:1",
            "a.entity-stream",
        ] {
            assert!(!accepts(&guard, &[("host", host)]), "{host}");
        }
        assert!(!accepts(&guard, &[]), "a browser always names a host");
        let to_a_proxy = Request::builder().uri("http://attacker.example/").header("host", "localhost");
        assert!(guard.check(&to_a_proxy.body(Body::empty()).unwrap()).is_err());
    }

    #[test]
    fn origins_are_of_this_machine_or_allowed() {
        let guard = guard(&["dev.example.com"], &["https://app.example.com"]);
        let with = |host: &str, origin: &str| accepts(&guard, &[("host", host), ("origin", origin)]);
        for origin in [
            "http://localhost:5173",
            "https://localhost",
            "http://a.localhost:1",
            "http://127.0.0.1:9",
            "http://[::1]:9",
        ] {
            assert!(with("localhost:3000", origin), "{origin}");
        }
        assert!(with("192.168.0.7:3000", "http://192.168.0.7:3000"), "the monitor page, under each of its names");
        assert!(with("dev.example.com:3000", "http://dev.example.com:3000"));
        assert!(with("localhost:3000", "https://app.example.com"));
        for (host, origin) in [
            ("localhost:3000", "https://attacker.example"),
            ("localhost:3000", "null"),
            ("localhost:3000", "file://"),
            ("localhost:3000", "http://localhost.attacker.example"),
            ("localhost:3000", "ftp://localhost"),
            ("192.168.0.7:3000", "http://192.168.0.7:8080"),
            ("192.168.0.7:3000", "http://192.168.0.8:3000"),
            ("dev.example.com:3000", "http://dev.example.com:8080"),
        ] {
            assert!(!with(host, origin), "{origin} at {host}");
        }
        let two = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "https://attacker.example")];
        assert!(!accepts(&guard, &two));
    }

    #[test]
    fn links_lead_here_and_foreign_scripts_do_not() {
        let strict = guard(&["dev.example.com"], &[]);
        for (host, site, mode, expected) in [
            ("localhost:3000", "cross-site", "no-cors", false),
            ("localhost:3000", "cross-site", "navigate", true),
            ("localhost:3000", "same-site", "no-cors", true),
            ("dev.example.com:3000", "same-site", "no-cors", false),
            ("dev.example.com:3000", "same-origin", "no-cors", true),
        ] {
            let headers = [("host", host), ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
            assert_eq!(accepts(&strict, &headers), expected, "{headers:?}");
        }
        let open = guard(&[], &["*"]);
        assert!(accepts(&open, &[("host", "localhost"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn a_refusal_names_the_option() {
        let guard = guard(&[], &[]);
        let message = |name: &str, value: &str| {
            let request = Request::builder().header("host", "localhost").header(name, value);
            let mut request = request.body(Body::empty()).unwrap();
            if name == "host" {
                request.headers_mut().insert("host", HeaderValue::from_str(value).unwrap());
            }
            guard.check(&request).unwrap_err().message
        };
        assert!(message("host", "entity-stream").contains("--allow-host"));
        assert!(message("origin", "https://app.example.com").contains("--allow-origin https://app.example.com"));
    }
}
