//! Each row of the contract's access table, with both forms of refusal.

use entity_stream_local::{Config, RefuseWith};
use serde_json::json;

use super::{guarded, guarded_config, open, refused};
use crate::harness::tokens::{claims, in_seconds, token, user};
use crate::harness::{Client, System, config, request, room};

fn with(field: &str, value: serde_json::Value) -> String {
    let mut claims = claims("demo");
    claims[field] = value;
    token(&claims)
}

#[tokio::test]
async fn without_authentication_every_client_is_accepted() {
    let bearer = format!("Bearer {}", user("other"));
    for refuse_with in [RefuseWith::Status, RefuseWith::Close] {
        let system = System::start_with(Config { refuse_with, ..config() }).await;
        for (query, headers) in [
            ("", &[][..]),
            ("", &[("authorization", "Bearer nonsense")]),
            ("", &[("authorization", "Nonsense")]),
            ("", &[("authorization", bearer.as_str())]),
            ("&token=nonsense", &[]),
        ] {
            let url = system.url(&format!("tenant=demo{query}"));
            let mut client = Client::connect(&url, headers).await.expect("the handshake completes");
            // The handshake also completes for a refused client, which is then closed with 1008.
            system.publish(&room("demo", "r")).await;
            assert_eq!(client.event_id().await, "r", "{query} {headers:?}");
        }
    }
}

#[tokio::test]
async fn each_row_of_the_table_with_both_forms_of_refusal() {
    let rows = [
        ("no token", None, Some(401)),
        ("a user's own tenant", Some(user("demo")), None),
        ("a user's own tenant in another case", Some(user("DEMO")), None),
        ("one of several tenants", Some(with("tenant", json!(["other", "demo"]))), None),
        ("an admin's own tenant", Some(with("role", json!("tenant_admin"))), None),
        ("a user's other tenant", Some(user("other")), Some(403)),
        (
            "an admin's other tenant",
            Some(token(&json!({
                "sub": "a", "role": "tenant_admin", "tenant": "other", "exp": in_seconds(60)
            }))),
            Some(403),
        ),
        ("no tenant at all", Some(with("tenant", json!(null))), Some(403)),
        (
            "a super admin, any tenant",
            Some(token(&json!({
                "sub": "root", "role": "super_admin", "exp": in_seconds(60)
            }))),
            None,
        ),
        ("an unknown role", Some(with("role", json!("root"))), Some(401)),
        ("no role", Some(with("role", json!(null))), Some(401)),
        ("an expired token", Some(with("exp", json!(in_seconds(-1)))), Some(401)),
        ("a token that is not valid yet", Some(with("nbf", json!(in_seconds(60)))), Some(401)),
        ("nonsense", Some("nonsense".to_owned()), Some(401)),
    ];
    let by_status = guarded(&[]).await;
    let by_close = System::start_with(Config { refuse_with: RefuseWith::Close, ..guarded_config(&[]) }).await;
    for (row, token, expected) in rows {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&'static str, &str)> = bearer.iter().map(|value| ("authorization", value.as_str())).collect();
        let result = Client::connect(&by_status.url("tenant=demo"), &headers).await;
        assert_eq!(result.err().map(|refusal| refusal.status), expected, "{row}");
        let mut client =
            Client::connect(&by_close.url("tenant=demo"), &headers).await.expect("the handshake completes");
        if expected.is_some() {
            let (code, reason) = client.closed().await;
            assert_eq!(code, 1008, "{row}");
            assert!(reason.len() > 10 && !reason.contains("eyJ"), "{row}: {reason}");
        } else {
            client.nothing_more(&by_close).await;
        }
    }
}

#[tokio::test]
async fn a_token_is_found_in_each_place_and_the_first_counts() {
    let system = guarded(&[]).await;
    let (good, bad) = (user("demo"), user("other"));
    let bearer = |token: &str| format!("bEARER {token}");
    let offer = |token: &str| format!("access_token, {token}");
    let connect = async |query: &str, headers: &[(&'static str, &str)]| {
        let query = format!("tenant=demo{query}");
        Client::connect(&system.url(&query), headers).await.map_err(|refusal| refusal.status)
    };
    let browser = connect("", &[("sec-websocket-protocol", &offer(&good))]).await.unwrap();
    assert_eq!(browser.headers["sec-websocket-protocol"], "access_token", "the token is not repeated");
    assert!(connect(&format!("&token={good}"), &[]).await.is_ok());
    let in_query = format!("&token={bad}");
    let protocol_first = [("sec-websocket-protocol", &*offer(&good))];
    assert!(connect(&in_query, &protocol_first).await.is_ok(), "the sub-protocol comes before the query");
    let header_first = [("authorization", &*bearer(&good)), ("sec-websocket-protocol", &*offer(&bad))];
    assert!(connect(&in_query, &header_first).await.is_ok(), "the header comes first");
    let header_bad = [("authorization", &*bearer(&bad)), ("sec-websocket-protocol", &*offer(&good))];
    assert_eq!(connect("", &header_bad).await.err(), Some(403));
    let header_malformed = [("authorization", "Bearer"), ("sec-websocket-protocol", &*offer(&good))];
    assert_eq!(connect("", &header_malformed).await.err(), Some(401), "a malformed header ends the search");
    let header_twice = [("authorization", &*bearer(&good)), ("authorization", &*bearer(&good))];
    assert_eq!(connect("", &header_twice).await.err(), Some(401), "a repeated header is refused");
    assert_eq!(connect(&format!("&token={good}&token={good}"), &[]).await.err(), Some(401));
}

#[tokio::test]
async fn an_offer_that_is_not_text_is_refused() {
    let system = guarded(&[]).await;
    let url = format!("{}/?tenant=demo&token={}", system.local.http_url(), user("demo"));
    for (offer, status) in [("access_token, \u{e9}.a.a", 401), ("\u{e9}", 401), ("chat", 101)] {
        // WebSocket libraries do not send such an offer.
        let handshake = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", offer),
        ];
        assert_eq!(request("GET", &url, &handshake, "").await.status, status, "{offer:?}");
    }
}

#[tokio::test]
async fn a_refused_browser_that_offers_a_token_reads_1008_too() {
    let system = System::start_with(Config { refuse_with: RefuseWith::Close, ..guarded_config(&[]) }).await;
    let offer = format!("access_token, {}", user("other"));
    let mut client = Client::connect(&system.url("tenant=demo"), &[("sec-websocket-protocol", &offer)]).await.unwrap();
    assert_eq!(client.headers["sec-websocket-protocol"], "access_token", "otherwise the browser would report 1006");
    assert_eq!(client.closed().await.0, 1008);
}

#[tokio::test]
async fn tokens_cannot_cross_tenants() {
    let system = guarded(&[]).await;
    let mut a = open(&system, "a", &user("a")).await.unwrap();
    for claimed in ["a#*", "*", "a*", "A#", "ａ", "a\u{0}", "%61", "a,b", "[\"a\"]", "a b", " a", "\u{430}"] {
        assert_eq!(refused(&system, "a", &token(&claims(claimed))).await, 403, "{claimed:?} is not a tenant");
    }
    assert_eq!(refused(&system, "b", &user("a")).await, 403);
    assert_eq!(refused(&system, "a", &user("b")).await, 403);
    for tenant in ["a%23*", "a%2A", "%EF%BD%81", "a%00"] {
        assert_eq!(refused(&system, tenant, &user("a")).await, 400, "{tenant}");
    }
    system.publish(&room("b", "foreign")).await;
    system.publish(&room("a", "own")).await;
    assert_eq!(a.event_id().await, "own");
}

#[tokio::test]
async fn a_refusal_leaves_nothing_behind() {
    let system = guarded(&[]).await;
    refused(&system, "demo", &user("other")).await;
    refused(&system, "demo", "nonsense").await;
    assert!(system.items().await.is_empty());
}

#[tokio::test]
async fn refusals_are_counted_by_their_reason() {
    let counts = super::settings::refusal_counts();
    let system = guarded(&[]).await;
    refused(&system, "demo", &user("other")).await;
    let after = super::settings::refusal_counts();
    let count = |counts: &std::collections::HashMap<String, u64>| counts.get("tenant").copied().unwrap_or_default();
    assert!(count(&after) > count(&counts), "{after:?}");
}
