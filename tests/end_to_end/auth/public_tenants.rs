//! Tenants to which clients may listen without a credential, and tokens in the URL.

use serde_json::json;

use super::{guarded, open, refused};
use crate::harness::tokens::{claims, token, user};
use crate::harness::{Client, room, until};

async fn status(system: &crate::harness::System, query: &str, headers: &[(&'static str, &str)]) -> u16 {
    Client::connect(&system.url(query), headers).await.err().map_or(0, |refusal| refusal.status)
}

#[tokio::test]
async fn a_client_without_a_credential_listens_to_public_tenants_only() {
    let system = guarded(&[("PUBLIC_TENANTS", "Open, weather")]).await;
    let mut client = system.connect("tenant=open").await;
    client.subscribe(&json!({ "entityTypes": ["Room"] })).await;
    system.publish(&room("demo", "secret")).await;
    system.publish(&room("open", "r")).await;
    assert_eq!(client.event_id().await, "r");
    assert_eq!(client.ask(&json!({ "action": "ping" })).await, json!({ "type": "pong" }));
    assert_eq!(status(&system, "tenant=WEATHER", &[]).await, 0);
    assert_eq!(status(&system, "tenant=demo", &[]).await, 401);
    // A client that sends a credential is judged by it.
    assert_eq!(refused(&system, "open", &user("demo")).await, 403);
    assert_eq!(refused(&system, "open", "nonsense").await, 401);
    assert_eq!(refused(&system, "open", &user("open")).await, 0);
}

#[tokio::test]
async fn clients_of_one_address_share_the_quota() {
    let system = guarded(&[("PUBLIC_TENANTS", "open"), ("MAX_CONNECTIONS_PER_SUBJECT", "2")]).await;
    let first = system.connect("tenant=open").await;
    let _second = system.connect("tenant=open").await;
    assert_eq!(status(&system, "tenant=open", &[]).await, 429);
    assert_eq!(refused(&system, "open", &user("open")).await, 0, "a subject has its own quota");
    first.close().await;
    until("the slot is free", async || status(&system, "tenant=open", &[]).await == 0).await;
}

#[tokio::test]
async fn no_token_takes_the_place_of_an_address() {
    let system = guarded(&[("PUBLIC_TENANTS", "open")]).await;
    let mut claims = claims("open");
    claims["sub"] = json!("address:127.0.0.1");
    assert_eq!(refused(&system, "open", &token(&claims)).await, 401);
}

/// The client then counts as its own subject, and its address has a slot more.
#[tokio::test]
async fn a_public_client_can_authenticate_later() {
    let system = guarded(&[("PUBLIC_TENANTS", "open"), ("MAX_CONNECTIONS_PER_SUBJECT", "1")]).await;
    let mut client = system.connect("tenant=open").await;
    assert_eq!(status(&system, "tenant=open", &[]).await, 429);
    let authenticate = |token: String| json!({ "action": "authenticate", "token": token });
    let foreign = client.ask(&authenticate(user("demo"))).await;
    assert_eq!(foreign["code"], "forbidden", "{foreign}");
    assert_eq!(status(&system, "tenant=open", &[]).await, 429, "nothing was changed");
    let answer = client.ask(&authenticate(user("open"))).await;
    assert_eq!(answer["type"], "authenticated", "{answer}");
    assert_eq!(refused(&system, "open", &user("open")).await, 429, "its subject has the slot");
    let _other = system.connect("tenant=open").await;
    let mut mallory = claims("open");
    mallory["sub"] = json!("mallory");
    let answer = client.ask(&authenticate(token(&mallory))).await;
    assert_eq!(answer["code"], "forbidden", "{answer}");
    let mut member = open(&system, "open", &token(&mallory)).await.unwrap();
    system.publish(&room("open", "r")).await;
    assert_eq!((client.event_id().await, member.event_id().await), ("r".to_owned(), "r".to_owned()));
}

#[tokio::test]
async fn a_public_member_of_a_group_keeps_its_address() {
    let system = guarded(&[("PUBLIC_TENANTS", "open")]).await;
    let mut client = system.connect("tenant=open&group_id=g").await;
    let answer = client.ask(&json!({ "action": "authenticate", "token": user("open") })).await;
    assert_eq!(answer["code"], "forbidden", "{answer}");
}

#[tokio::test]
async fn a_token_in_the_url_is_refused_where_the_setting_says_so() {
    let (usual, strict) = (guarded(&[]).await, guarded(&[("AUTH_QUERY_TOKEN", "false")]).await);
    let query = format!("tenant=demo&token={}", user("demo"));
    assert_eq!(status(&usual, &query, &[]).await, 0);
    let bearer = format!("Bearer {}", user("demo"));
    for headers in [&[][..], &[("authorization", bearer.as_str())]] {
        let refusal = Client::connect(&strict.url(&query), headers).await.err().unwrap();
        assert_eq!(refusal.status, 401);
        assert!(refusal.body.contains("the URL has a token: send it in Authorization: Bearer"), "{}", refusal.body);
    }
    assert_eq!(status(&strict, "tenant=demo", &[("authorization", &bearer)]).await, 0);
    let offer = format!("access_token, {}", user("demo"));
    assert_eq!(status(&strict, "tenant=demo", &[("sec-websocket-protocol", &offer)]).await, 0);
}
