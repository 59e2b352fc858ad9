//! The monitor page and its endpoints. `tests/clients/test_monitor.py` tests the page in a browser.

use entity_stream_protocol::Tenant;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, System, change, request, room, until};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const JSON: (&str, &str) = ("content-type", "application/json");

async fn get(system: &System, path: &str, headers: &[(&str, &str)]) -> Answer {
    request("GET", &format!("{}{path}", system.local.http_url()), headers, "").await
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

#[tokio::test]
async fn a_browser_gets_the_page_and_other_clients_get_426() {
    let system = System::start().await;
    for path in ["/", "/?tenant=demo"] {
        let page = get(&system, path, &[BROWSER]).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert!(page.text().contains("<title>Entity Stream Monitor</title>"));
        assert_eq!(request("HEAD", &format!("{}{path}", system.local.http_url()), &[BROWSER], "").await.status, 200);
    }
    for accept in ["*/*", "application/json", "text/htmlx"] {
        assert_eq!(get(&system, "/?tenant=demo", &[("accept", accept)]).await.status, 426, "{accept}");
    }
    assert_eq!(
        get(&system, "/local?tenant=demo", &[BROWSER]).await.status,
        426,
        "under the stage there is only the API"
    );
    let handshake = [BROWSER, ("connection", "Upgrade"), ("upgrade", "websocket")];
    assert_eq!(
        get(&system, "/?tenant=demo", &handshake).await.status,
        400,
        "a handshake without a key does not get the page"
    );
}

/// The quoted texts after each occurrence of `before`.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(['"', '\'']).next()).collect()
}

#[tokio::test]
async fn every_file_of_the_page_exists_and_has_a_strict_policy() {
    let system = System::start().await;
    let page = get(&system, "/", &[BROWSER]).await;
    let mut wanted: Vec<String> =
        [quoted(page.text(), "href=\"/_local/monitor/"), quoted(page.text(), "src=\"/_local/monitor/")]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect();
    let mut seen = 0;
    while let Some(name) = wanted.get(seen).cloned() {
        seen += 1;
        let file = get(&system, &format!("/_local/monitor/{name}"), &[]).await;
        assert_eq!(file.status, 200, "{name}");
        let expected = match name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(file.header("content-type"), Some(expected), "{name}");
        secured(&file);
        for import in quoted(file.text(), "from './") {
            if !wanted.iter().any(|known| known == import) {
                wanted.push(import.to_owned());
            }
        }
    }
    assert!(seen > 15, "the modules were found: {wanted:?}");
    secured(&page);
    secured(&get(&system, "/_local/status", &[]).await);
    let missing = get(&system, "/_local/monitor/nothing.js", &[]).await;
    assert_eq!((missing.status, body(&missing)["message"].is_string()), (404, true));
}

fn secured(answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for directive in ["default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';"] {
        assert!(policy.contains(directive), "{directive}: {policy}");
    }
    for directive in ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "trusted-types 'none'"] {
        assert!(policy.contains(directive), "{directive}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
}

#[tokio::test]
async fn connections_are_shown_with_their_filters() {
    let system = System::start().await;
    let list = async || body(&get(&system, "/_local/connections", &[]).await);
    assert_eq!(list().await, json!({ "total": 0, "connections": [] }));

    let headers = [("user-agent", "probe/1.0")];
    let query = "tenant=city&entityTypes=Room,Sensor&idPattern=urn:.*&format=cloudevents&group_id=g1";
    let filtered = Client::connect(&system.url(query), &headers).await.unwrap();
    let listed = list().await;
    let connection = &listed["connections"][0];
    assert_eq!(listed["total"], 1);
    for (field, expected) in [
        ("tenant", json!("city")),
        ("subscriptions", json!([{ "entityTypes": ["Room", "Sensor"], "idPattern": "urn:.*" }])),
        ("format", json!("cloudevents")),
        ("group", json!("g1")),
        ("pending", json!(false)),
        ("userAgent", json!("probe/1.0")),
    ] {
        assert_eq!(connection[field], expected, "{field}");
    }
    assert!(connection["connectedAt"].as_str().is_some_and(|time| time.ends_with('Z')), "{connection}");

    let mut quiet = system.connect("tenant=demo").await;
    quiet.ask(&json!({ "action": "unsubscribe", "requestId": "u" })).await;
    let listed = list().await;
    let quiet_one = listed["connections"].as_array().unwrap().iter().find(|one| one["tenant"] == "demo").unwrap();
    assert_eq!(quiet_one["subscriptions"], json!([]));

    filtered.close().await;
    until("one is left", async || list().await["connections"].as_array().unwrap().len() == 1).await;
}

#[tokio::test]
async fn the_newest_hundred_connections_are_described_and_all_are_counted() {
    let system = System::start().await;
    let mut clients = Vec::new();
    for _ in 0..103 {
        clients.push(system.connect("tenant=demo").await);
    }
    let listed = body(&get(&system, "/_local/connections", &[]).await);
    let shown = listed["connections"].as_array().unwrap();
    assert_eq!((listed["total"].as_u64(), shown.len()), (Some(103), 100));
    let times: Vec<&str> = shown.iter().map(|one| one["connectedAt"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "the newest first: {times:?}");
}

#[tokio::test]
async fn a_change_is_published_through_the_bus_and_a_bad_one_is_explained() {
    let system = System::start().await;
    let mut client = system.connect("tenant=demo").await;
    let url = format!("{}/_local/events", system.local.http_url());
    let data = r#"{"b":1.0,"a":12345678901234567890123}"#;
    let detail =
        format!(r#"{{"type":"entityUpdated","tenant":"demo","entityId":"r","entityType":"Room","data":{data}}}"#);
    let answer = request("POST", &url, &[JSON], detail).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let event = client.text().await;
    assert!(event.contains(&format!(r#""data":{data}"#)), "byte for byte: {event}");
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event["id"], body(&answer)["id"]);

    for (detail, expected) in [
        ("{", "EOF"),
        ("{}", "missing field `type`"),
        (r#"{"type":"entityUpdated","tenant":"a#b","entityId":"r","entityType":"Room"}"#, "a tenant is"),
        (r#"{"type":"entityUpdated","tenant":"demo","entityId":"","entityType":"Room"}"#, "entityId"),
    ] {
        let answer = request("POST", &url, &[JSON], detail.to_owned()).await;
        assert_eq!(answer.status, 400, "{detail}");
        assert!(body(&answer)["message"].as_str().unwrap().contains(expected), "{}", answer.text());
    }
    let good = room("demo", "r").to_string();
    assert_eq!(request("POST", &url, &[], good.clone()).await.status, 415);
    assert_eq!(request("POST", &url, &[("content-type", "text/plain")], good).await.status, 415);
    let large = change("demo", "Room", &"x".repeat(1024 * 1024)).to_string();
    assert_eq!(request("POST", &url, &[JSON], large).await.status, 413);
    assert_eq!(get(&system, "/_local/events", &[]).await.status, 405);
    assert_eq!(get(&system, "/_local/nothing", &[]).await.status, 404);
    client.nothing_more(&system).await;
    assert!(system.dead_letters().await.is_empty());
}

#[tokio::test]
async fn the_switch_tells_whoever_simulates() {
    let system = System::start().await;
    let url = format!("{}/_local/simulation", system.local.http_url());
    let start = async |body: &str| request("PUT", &url, &[JSON], body.to_owned()).await;
    let alone = start(r#"{"tenant":"demo","rate":5}"#).await;
    assert_eq!(alone.status, 501, "without a simulation there is nothing to switch on");
    assert_eq!(body(&get(&system, "/_local/status", &[]).await)["simulation"]["available"], false);

    let mut wanted = system.local.simulation().follow();
    let started = start(r#"{"tenant":"City","rate":5}"#).await;
    assert_eq!(
        body(&started),
        json!({ "available": true,
        "running": { "tenant": "city", "rate": 5.0, "format": "ngsi-ld", "partial": false } })
    );
    assert!(wanted.has_changed().unwrap());
    let simulated = wanted.borrow_and_update().clone().unwrap();
    assert_eq!((simulated.tenant, simulated.rate.per_second()), (Tenant::parse("city").unwrap(), 5.0));
    start(r#"{"tenant":"City","rate":5}"#).await;
    assert!(!wanted.has_changed().unwrap(), "a running simulation is not restarted");

    start(r#"{"tenant":"City","rate":5,"format":"ngsi-v2","partial":true}"#).await;
    assert!(wanted.has_changed().unwrap(), "another form is another simulation");
    let form = wanted.borrow_and_update().clone().unwrap().form;
    assert_eq!((form.format.as_str(), form.partial), ("ngsi-v2", true));

    for (bad, expected) in [
        (r#"{"tenant":"demo","rate":1,"format":"xml"}"#, "ngsi-ld or ngsi-v2"),
        (r#"{"tenant":"demo","rate":1,"partial":"no"}"#, "another type"),
        (r#"{"tenant":"demo","rate":0}"#, "from 0.001 to 10000"),
        (r#"{"tenant":"a b","rate":1}"#, "a tenant is"),
        (r#"{"tenant":"demo","rate":null}"#, "another type"),
        ("[]", "another type"),
    ] {
        let answer = start(bad).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(body(&answer)["message"].as_str().unwrap().contains(expected), "{}", answer.text());
    }
    assert!(wanted.borrow().is_some(), "the simulation continues");
    let stopped = request("DELETE", &url, &[], "").await;
    assert_eq!(body(&stopped)["running"], Value::Null);
    assert!(wanted.borrow_and_update().is_none());
}

/// The requests of a foreign page: the method, the path, and a body that would be accepted.
const WANTED: [(&str, &str, &str); 11] = [
    ("GET", "/_local/status", ""),
    ("GET", "/_local/connections", ""),
    ("GET", "/_local/dead-letters", ""),
    ("POST", "/_local/dead-letters/x/replay", ""),
    ("DELETE", "/_local/dead-letters", ""),
    ("POST", "/2015-03-31/functions/broadcast/invocations", "{}"),
    ("POST", "/_local/events", r#"{"type":"entityUpdated","tenant":"demo","entityId":"r","entityType":"Room"}"#),
    ("PUT", "/_local/simulation", r#"{"tenant":"demo","rate":1}"#),
    ("DELETE", "/_local/simulation", ""),
    ("POST", "/", r#"{"Entries":[{"Source":"s","DetailType":"d","Detail":"{\"type\":\"entityUpdated\"}"}]}"#),
    ("GET", "/@connections/AbCdEfGhIjKlMno=", ""),
];

#[tokio::test]
async fn a_foreign_page_can_neither_read_nor_publish() {
    let system = System::start().await;
    let _follower = system.local.simulation().follow();
    let mut client = system.connect("tenant=demo").await;
    let base = system.local.http_url();
    let host = base.strip_prefix("http://").unwrap().to_owned();
    let port = host.rsplit(':').next().unwrap().to_owned();
    let rebound = format!("attacker.example:{port}");
    let rebound_origin = format!("http://{rebound}");
    let foreign: [&[(&str, &str)]; 5] = [
        &[("origin", "https://attacker.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
        // After DNS rebinding, a page sends no `Origin` with GET.
        &[("host", &rebound)],
        // A name that was pointed at this machine, so that the browser treats both as one origin.
        &[("host", &rebound), ("origin", &rebound_origin)],
    ];
    for (method, path, text) in WANTED {
        let target = ("x-amz-target", "AWSEvents.PutEvents");
        let url = format!("{base}{path}");
        for headers in foreign {
            let headers = [headers, &[JSON, target]].concat();
            let answer = request(method, &url, &headers, text).await;
            assert_eq!(answer.status, 403, "{method} {path} {headers:?}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert!(body(&answer)["message"].is_string());
        }
        let preflight = [("origin", "https://attacker.example"), ("access-control-request-method", method)];
        let answer = request("OPTIONS", &url, &preflight, "").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None), "{path}");
        // The monitor page is accepted under each of its names, and so are clients that are not pages.
        for own in [host.clone(), format!("127.0.0.1:{port}"), format!("app.localhost:{port}"), format!("[::1]:{port}")]
        {
            let origin = format!("http://{own}");
            let headers =
                [("host", own.as_str()), ("origin", &origin), ("sec-fetch-site", "same-origin"), JSON, target];
            let answer = request(method, &url, &headers, text).await;
            assert_ne!(answer.status, 403, "{method} {path} {own}: {}", answer.text());
        }
        assert_ne!(request(method, &url, &[JSON, target], text).await.status, 403, "{method} {path}");
    }
    // `/_local/events` got four requests with a name and one without. The events on the bus have no tenant and are undeliverable.
    for _ in 0..5 {
        assert_eq!(client.event_id().await, "r");
    }
    client.nothing_more(&system).await;
}
