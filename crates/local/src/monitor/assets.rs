//! The page's files, which are part of the binary.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};

use super::headers::protect;
use super::refusal::RequestRefusal;

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
    "builder.css": CSS,
    "events.css": CSS,
    "letters.css": CSS,
    "entities.css": CSS,
    "help.css": CSS,
    "main.js": SCRIPT,
    "api.js": SCRIPT,
    "attributes.js": SCRIPT,
    "chart.js": SCRIPT,
    "client.js": SCRIPT,
    "collected.js": SCRIPT,
    "command.js": SCRIPT,
    "connections.js": SCRIPT,
    "copy.js": SCRIPT,
    "describe.js": SCRIPT,
    "dom.js": SCRIPT,
    "download.js": SCRIPT,
    "draft.js": SCRIPT,
    "entities.js": SCRIPT,
    "fields.js": SCRIPT,
    "filter.js": SCRIPT,
    "grid.js": SCRIPT,
    "help.js": SCRIPT,
    "hue.js": SCRIPT,
    "json.js": SCRIPT,
    "letters.js": SCRIPT,
    "list.js": SCRIPT,
    "map.js": SCRIPT,
    "map_input.js": SCRIPT,
    "map_painter.js": SCRIPT,
    "memory.js": SCRIPT,
    "names.js": SCRIPT,
    "number.js": SCRIPT,
    "panel.js": SCRIPT,
    "panel_attribute.js": SCRIPT,
    "past.js": SCRIPT,
    "place.js": SCRIPT,
    "projection.js": SCRIPT,
    "publish.js": SCRIPT,
    "raw.js": SCRIPT,
    "recovery.js": SCRIPT,
    "row.js": SCRIPT,
    "seen.js": SCRIPT,
    "shortcuts.js": SCRIPT,
    "simulation.js": SCRIPT,
    "sparkline.js": SCRIPT,
    "status.js": SCRIPT,
    "store.js": SCRIPT,
    "stream.js": SCRIPT,
    "tabs.js": SCRIPT,
    "time.js": SCRIPT,
    "units.js": SCRIPT,
    "value.js": SCRIPT,
    "views.js": SCRIPT,
};

/// True if a person typed the address of the WebSocket endpoint into a browser.
pub(crate) fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let html = accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/html");
    matches!(*request.method(), Method::GET | Method::HEAD) && html && !request.headers().contains_key(header::UPGRADE)
}

pub(crate) fn page() -> Response<Body> {
    let mut response = file(HTML, include_str!("page/index.html"));
    // The same address answers other clients with 426.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

pub(super) fn asset(name: &str) -> Response<Body> {
    match ASSETS.iter().find(|(asset, ..)| *asset == name) {
        Some((_, content_type, text)) => file(content_type, text),
        None => RequestRefusal::new(StatusCode::NOT_FOUND, "the monitor page has no such file").into_response(),
    }
}

fn file(content_type: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // The next version of the system may run at the same address.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    protect(&mut response);
    response
}
