//! The rights to publish.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use entity_stream_auth::{ApiKeyRecord, ApiKeys, Role};
use entity_stream_clock::Clock;
use entity_stream_local::{API_KEYS_TABLE, Config, aws_config};
use entity_stream_protocol::{ServicePathPattern, Tenant};
use entity_stream_runtime::Environment;
use serde_json::json;

use super::{accepted, name_and_detail, notify, problem, v2};
use crate::auth::{guarded, refused};
use crate::harness::tokens::{claims, token};
use crate::harness::{Client, System, config};

/// A system without authentication and with these settings.
pub(crate) async fn open_system(settings: &'static [(&'static str, &'static str)]) -> System {
    let environment = Environment::new(move |name| {
        settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    });
    System::start_with(Config { environment, ..config() }).await
}

/// Creates a key, and returns the value of `Authorization`.
pub(super) async fn key(system: &System, name: &str, role: Role, tenants: &[&str], path: Option<&str>) -> String {
    let keys = ApiKeys::new(aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url())), API_KEYS_TABLE);
    let record = ApiKeyRecord {
        name: name.parse().unwrap(),
        role,
        tenants: tenants.iter().map(|tenant| Tenant::parse(tenant).unwrap()).collect(),
        service_path: path.map(|path| ServicePathPattern::parse(path).unwrap()),
        created_at: Clock::system().now(),
        last_used_at: None,
        expires_at: None,
    };
    let key = keys.create(&record).await.unwrap();
    // Without the padding, which Orion does not allow in a header.
    format!("Basic {}", STANDARD_NO_PAD.encode(format!("{name}:{}", key.expose())))
}

fn entity() -> String {
    v2(&[json!({ "id": "r", "type": "Room", "x": 1 })])
}

async fn publish(system: &System, authorization: &str, tenant: &str) -> (u16, String) {
    let answer = notify(system, &[("authorization", authorization), ("fiware-service", tenant)], entity()).await;
    if answer.status == 204 { (204, String::new()) } else { (answer.status, name_and_detail(&answer).0) }
}

/// The status of a refused handshake, or 0.
async fn listen(system: &System, authorization: &str, tenant: &str) -> u16 {
    let url = system.url(&format!("tenant={tenant}"));
    Client::connect(&url, &[("authorization", authorization)])
        .await
        .err()
        .map(|refusal| refusal.status)
        .unwrap_or_default()
}

#[tokio::test]
async fn a_publisher_cannot_listen_a_listener_cannot_publish_and_neither_reaches_another_tenant() {
    let system = guarded(&[]).await;
    let no = |name: &str, status: u16| (status, name.to_owned());
    let yes = (204, String::new());
    let publisher = key(&system, "orion", Role::Publisher, &["city"], None).await;
    assert_eq!(publish(&system, &publisher, "city").await, yes);
    assert_eq!(publish(&system, &publisher, "CITY").await, yes, "tenants are compared in lower case");
    assert_eq!(publish(&system, &publisher, "other").await, no("other-tenant", 403));
    assert_eq!((listen(&system, &publisher, "city").await, listen(&system, &publisher, "other").await), (403, 403));

    let listener = key(&system, "dashboard", Role::User, &["city"], None).await;
    assert_eq!(publish(&system, &listener, "city").await, no("may-not-publish", 403));
    assert_eq!(publish(&system, &listener, "other").await, no("may-not-publish", 403));
    assert_eq!((listen(&system, &listener, "city").await, listen(&system, &listener, "other").await), (0, 403));

    let admin = key(&system, "admin", Role::TenantAdmin, &["city"], None).await;
    assert_eq!(publish(&system, &admin, "city").await, yes);
    assert_eq!(publish(&system, &admin, "other").await, no("other-tenant", 403));
    let root = key(&system, "root", Role::SuperAdmin, &[], None).await;
    assert_eq!(publish(&system, &root, "other").await, yes);
}

#[tokio::test]
async fn tokens_publish_by_their_role() {
    let system = guarded(&[]).await;
    for (roles, publishes, listens) in [
        (json!("publisher"), 204, 403),
        (json!("user"), 403, 0),
        (json!("tenant_admin"), 204, 0),
        (json!(["user", "publisher"]), 403, 0),
        (json!(["publisher", "tenant_admin"]), 204, 0),
    ] {
        let mut claims = claims("city");
        claims["role"] = roles.clone();
        let token = token(&claims);
        assert_eq!(publish(&system, &format!("Bearer {token}"), "city").await.0, publishes, "{roles}");
        assert_eq!(refused(&system, "city", &token).await, listens, "{roles}");
    }
}

#[tokio::test]
async fn a_credential_is_needed_and_judged_before_the_body() {
    let system = guarded(&[]).await;
    let wrong = format!("Basic {}", STANDARD.encode("orion:es_wrong"));
    for headers in [
        &[][..],
        &[("authorization", wrong.as_str())],
        &[("authorization", "Bearer a.b.c")],
        &[("authorization", "Digest x")],
        &[("authorization", wrong.as_str()), ("authorization", wrong.as_str())],
    ] {
        let headers = [headers, &[("fiware-service", "city")]].concat();
        for body in [entity(), "{".to_owned()] {
            let answer = notify(&system, &headers, body).await;
            assert_eq!((answer.status, name_and_detail(&answer).0.as_str()), (401, "credential"), "{headers:?}");
            assert!(answer.header("www-authenticate").unwrap().contains("Basic"));
        }
    }
    system.local.settled().await;
    assert!(system.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_key_can_be_limited_to_a_service_path() {
    let system = guarded(&[]).await;
    let limited = key(&system, "madrid", Role::Publisher, &["city"], Some("/madrid/#")).await;
    let listener = key(&system, "dashboard", Role::User, &["city"], None).await;
    let mut client = Client::connect(&system.url("tenant=city"), &[("authorization", &listener)]).await.ok().unwrap();
    let headers = |path: &'static str| {
        [("authorization", limited.as_str()), ("fiware-service", "city"), ("fiware-servicepath", path)]
    };
    accepted(&system, &headers("/madrid/parks"), entity()).await;
    assert_eq!(client.json().await["servicePath"], "/madrid/parks");
    for path in ["/", "/madrid2", "/toledo"] {
        let answer = notify(&system, &headers(path), entity()).await;
        let problem = problem(&answer);
        assert_eq!(answer.status, 400);
        assert!(problem["refused"][0]["reason"].as_str().unwrap().contains("service path"), "{problem}");
    }
    // An entity cannot name a path of its own that the key does not allow.
    let own = v2(&[json!({ "id": "r", "type": "Room", "servicePath": "/toledo", "x": 1 })]);
    assert_eq!(notify(&system, &headers("/madrid"), own).await.status, 400);
    client.nothing_more(&system).await;
}

#[tokio::test]
async fn ingest_that_is_switched_off_accepts_nothing() {
    let system = open_system(&[("INGEST_ENABLED", "false")]).await;
    let answer = notify(&system, &super::ORION, entity()).await;
    assert_eq!((answer.status, name_and_detail(&answer).0.as_str()), (503, "switched-off"));
    let system = System::start_with(Config { event_streaming_enabled: false, ..config() }).await;
    assert_eq!(notify(&system, &super::ORION, entity()).await.status, 503, "nothing would stream the events");
}
