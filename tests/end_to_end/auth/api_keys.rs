//! API keys, for services that run longer than a token lives.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity_stream_auth::{ApiKey, ApiKeyError, ApiKeyRecord, ApiKeys, Role};
use entity_stream_local::{API_KEYS_TABLE, Config, aws_config};
use entity_stream_protocol::{EpochMillis, Tenant};

use super::{guarded, guarded_config};
use crate::harness::{Client, Hands, System, room};

fn keys(system: &System) -> ApiKeys {
    ApiKeys::new(aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url())), API_KEYS_TABLE)
}

fn record(name: &str, role: Role, tenants: &[&str], created_at: EpochMillis) -> ApiKeyRecord {
    ApiKeyRecord {
        name: name.parse().unwrap(),
        role,
        tenants: tenants.iter().map(|tenant| Tenant::parse(tenant).unwrap()).collect(),
        service_path: None,
        created_at,
        last_used_at: None,
        expires_at: None,
    }
}

async fn open(system: &System, tenant: &str, name: &str, key: &str) -> Result<Client, u16> {
    let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{key}")));
    let url = system.url(&format!("tenant={tenant}"));
    Client::connect(&url, &[("authorization", &basic)]).await.map_err(|refusal| refusal.status)
}

async fn refused(system: &System, tenant: &str, name: &str, key: &str) -> u16 {
    open(system, tenant, name, key).await.err().unwrap_or_default()
}

#[tokio::test]
async fn a_key_opens_connections_to_its_tenants_until_it_is_revoked() {
    let system = guarded(&[]).await;
    let keys = keys(&system);
    let now = entity_stream_clock::Clock::system().now();
    let robot = record("robot", Role::User, &["a", "b"], now);
    let key = keys.create(&robot).await.unwrap();
    let mut client = open(&system, "a", "robot", key.expose()).await.unwrap();
    system.publish(&room("a", "r")).await;
    assert_eq!(client.event_id().await, "r");
    assert_eq!(refused(&system, "B", "robot", key.expose()).await, 0);
    assert_eq!(refused(&system, "c", "robot", key.expose()).await, 403);
    let listed = keys.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].last_used_at.is_some(), "the table records the last use");
    assert_eq!(ApiKeyRecord { last_used_at: None, ..listed[0].clone() }, robot);
    keys.revoke(&robot.name).await.unwrap();
    assert_eq!(refused(&system, "a", "robot", key.expose()).await, 401);
    assert!(matches!(keys.revoke(&robot.name).await, Err(ApiKeyError::Unknown)));
    assert!(keys.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn wrong_names_and_wrong_keys_get_the_same_refusal() {
    let system = guarded(&[]).await;
    let keys = keys(&system);
    let now = entity_stream_clock::Clock::system().now();
    let one = keys.create(&record("one", Role::SuperAdmin, &[], now)).await.unwrap();
    let two = keys.create(&record("two", Role::User, &["demo"], now)).await.unwrap();
    assert_eq!(refused(&system, "demo", "one", one.expose()).await, 0, "a super admin's key opens every tenant");
    for (name, key) in [
        ("one", two.expose()),
        ("two", one.expose()),
        ("three", one.expose()),
        ("ONE", one.expose()),
        ("one#", one.expose()),
        ("one", &one.expose()[1..]),
        ("one", "unknown"),
        ("", one.expose()),
    ] {
        assert_eq!(refused(&system, "demo", name, key).await, 401, "{name}");
    }
    let again = keys.create(&record("one", Role::User, &["demo"], now)).await;
    assert!(matches!(again, Err(ApiKeyError::Exists)));
}

#[tokio::test]
async fn a_key_that_expires_ends_its_connections() {
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(&[]) }).await;
    let now = hands.clock().now();
    let brief = ApiKeyRecord {
        expires_at: Some(now.plus(Duration::from_secs(60))),
        ..record("brief", Role::User, &["demo"], now)
    };
    let key = keys(&system).create(&brief).await.unwrap();
    let mut client = open(&system, "demo", "brief", key.expose()).await.unwrap();
    hands.forward(61);
    assert_eq!(refused(&system, "demo", "brief", key.expose()).await, 401);
    system.publish(&room("demo", "after")).await;
    client.closed_at_once().await;
    assert_eq!(keys(&system).list().await.unwrap().len(), 1, "an expired key is still listed");
}

#[tokio::test]
async fn the_table_holds_a_hash_and_never_the_key() {
    let system = guarded(&[]).await;
    let now = entity_stream_clock::Clock::system().now();
    let key: ApiKey = keys(&system).create(&record("robot", Role::User, &["demo"], now)).await.unwrap();
    assert!(key.expose().starts_with("es_") && key.expose().len() >= 43);
    let client = aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url()));
    let stored = client.scan().table_name(API_KEYS_TABLE).send().await.unwrap();
    assert_eq!(stored.items().len(), 1);
    assert!(!format!("{:?}", stored.items()).contains(key.expose()));
    assert!(system.items().await.is_empty(), "nothing of a key is in the table of connections");
    assert!(!format!("{key:?}").contains(key.expose()));
}

#[tokio::test]
async fn last_use_is_noted_coarsely() {
    let hands = Hands::default();
    let system = System::start_with(Config { clock: hands.clock(), ..guarded_config(&[]) }).await;
    let keys = keys(&system);
    let key = keys.create(&record("robot", Role::User, &["demo"], hands.clock().now())).await.unwrap();
    let mut noted = Vec::new();
    for seconds in [0, 60, 3600] {
        hands.forward(seconds);
        open(&system, "demo", "robot", key.expose()).await.unwrap();
        noted.push(keys.list().await.unwrap()[0].last_used_at.unwrap());
    }
    assert!(noted[0] == noted[1] && noted[1] < noted[2], "once an hour: {noted:?}");
}
