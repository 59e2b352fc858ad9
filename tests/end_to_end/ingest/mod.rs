//! Notifications of context brokers: from the broker's POST to the client's event.

mod access;
mod attribute_types;
mod brokers;
mod cases;
mod event_bus;
mod geonicdb;
mod load;

use serde_json::{Value, json};

use crate::harness::{Answer, System, request};

/// The headers of Orion for the tenant `city`.
pub(crate) const ORION: [(&str, &str); 3] =
    [("content-type", "application/json"), ("fiware-service", "city"), ("fiware-servicepath", "/")];
/// The headers of an NGSI-LD broker for the tenant `city`.
pub(crate) const NGSI_LD: [(&str, &str); 2] = [("content-type", "application/json"), ("ngsild-tenant", "city")];

/// Sends a notification.
pub(crate) async fn notify(system: &System, headers: &[(&str, &str)], body: impl Into<String>) -> Answer {
    request("POST", &format!("{}/notify", system.local.http_url()), headers, body.into()).await
}

/// Sends a notification that is accepted.
pub(crate) async fn accepted(system: &System, headers: &[(&str, &str)], body: impl Into<String>) {
    let answer = notify(system, headers, body).await;
    assert_eq!((answer.status, answer.text()), (204, ""));
}

/// The problem that answers a notification.
pub(crate) fn problem(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["status"], answer.status, "{problem}");
    problem
}

/// The last part of a problem's type, and its detail.
pub(crate) fn name_and_detail(answer: &Answer) -> (String, String) {
    let problem = problem(answer);
    let kind = problem["type"].as_str().unwrap().strip_prefix("urn:entity-stream:problem:").unwrap().to_owned();
    (kind, problem["detail"].as_str().unwrap().to_owned())
}

/// An NGSIv2 notification with these entities.
pub(crate) fn v2(entities: &[Value]) -> String {
    json!({ "subscriptionId": "57458eb60962ef754e7c0998", "data": entities }).to_string()
}

/// An NGSI-LD notification with these entities.
pub(crate) fn ld(entities: &[Value]) -> String {
    json!({
        "id": "urn:ngsi-ld:Notification:1", "type": "Notification", "subscriptionId": "urn:ngsi-ld:Subscription:1",
        "notifiedAt": "2026-01-02T03:04:05.25Z", "data": entities,
    })
    .to_string()
}
