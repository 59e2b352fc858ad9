//! The check of the pages that send requests. The local system trusts its machine, but any page in a browser on this machine
//! can send requests to it. A foreign page has an origin of its own, which `Origin` shows. After DNS rebinding its origin looks
//! like ours, which only `Host` shows.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use super::refusal::RequestRefusal;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Accepts requests that name this machine as their host and come from no foreign page.
pub(super) fn check(request: &Request) -> Result<(), RequestRefusal> {
    let headers = request.headers();
    if !text(headers, header::HOST).is_some_and(is_this_machine) {
        let message = "only this machine may use this path: address it as localhost, or by an IP address";
        return Err(RequestRefusal::new(StatusCode::FORBIDDEN, message));
    }
    check_origin(request)
}

/// Refuses requests of foreign pages that are not WebSocket handshakes. A request without `Origin` is not from a page:
/// SDKs and `curl` send none.
pub(crate) fn check_origin(request: &Request) -> Result<(), RequestRefusal> {
    let headers = request.headers();
    let host = text(headers, header::HOST).unwrap_or_default();
    let own_origin = match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin.to_str().is_ok_and(|origin| {
            origin.strip_prefix("http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host))
                && is_this_machine(host)
        }),
    };
    // A link may lead here; a script, an image or a form of another page may not.
    let site = text(headers, FETCH_SITE).unwrap_or("none");
    let own_site = matches!(site, "none" | "same-origin") || text(headers, FETCH_MODE) == Some("navigate");
    if own_origin && own_site {
        return Ok(());
    }
    Err(RequestRefusal::new(StatusCode::FORBIDDEN, "pages of other origins may only open WebSockets here"))
}

/// True if a `Host` can only be this machine: a name that is never looked up, or an address.
fn is_this_machine(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<Ipv4Addr>().is_ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_no_server_can_answer_for_are_this_machine() {
        for host in
            ["localhost", "LOCALHOST:3000", "app.localhost:1", "127.0.0.1:3000", "192.168.0.7", "[::1]:3000", "[::1]"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["", "example.com", "localhost.example.com:3000", "notlocalhost", "localhost:x", "::1", "1.2.3", "[x]:1"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
