//! The page's files, which are part of the binary.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};

use super::Refusal;

/// What the page may load and run: its own files, and nothing that an event could bring along.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'",
);
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($name:literal: $content_type:expr,)+) => {
        &[$(($name, $content_type, include_str!(concat!("page/", $name))),)+]
    };
}

/// Name, content type and text of every file beside the page itself.
const ASSETS: &[(&str, &str, &str)] = assets! {
    "icon.svg": SVG,
    "theme.css": CSS,
    "layout.css": CSS,
    "controls.css": CSS,
    "events.css": CSS,
    "main.js": SCRIPT,
    "api.js": SCRIPT,
    "chart.js": SCRIPT,
    "connections.js": SCRIPT,
    "dom.js": SCRIPT,
    "filter.js": SCRIPT,
    "json.js": SCRIPT,
    "list.js": SCRIPT,
    "memory.js": SCRIPT,
    "publish.js": SCRIPT,
    "row.js": SCRIPT,
    "shortcuts.js": SCRIPT,
    "simulation.js": SCRIPT,
    "status.js": SCRIPT,
    "store.js": SCRIPT,
    "stream.js": SCRIPT,
};

/// Whether a request for the WebSocket endpoint comes from somebody who typed its address into a browser.
pub(crate) fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let html = accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/html");
    matches!(*request.method(), Method::GET | Method::HEAD) && html && !request.headers().contains_key(header::UPGRADE)
}

pub(crate) fn page() -> Response<Body> {
    let mut response = file(HTML, include_str!("page/index.html"));
    // The same address answers others with 426.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

pub(super) fn asset(name: &str) -> Response<Body> {
    match ASSETS.iter().find(|(asset, ..)| *asset == name) {
        Some((_, content_type, text)) => file(content_type, text),
        None => Refusal::new(StatusCode::NOT_FOUND, "the monitor page has no such file").into_response(),
    }
}

fn file(content_type: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Another version may run here next, and it is close by.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    protect(&mut response);
    response
}

pub(super) fn protect(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
}
