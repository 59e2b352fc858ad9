use entity_stream_protocol::{
    Answer, ClientMessage, EpochMillis, ErrorCode, GatewayError, Rejection, RequestId, SubscriptionName, Subscriptions,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::entity_state::token;
use crate::history::{position, recovery, session};
use crate::schemas::{SCHEMAS, assert_described, assert_valid, is_valid};
use crate::subscriptions::{name, subscriptions};

fn assert_is_described(answer: &Answer) {
    let message: Value = serde_json::from_str(&answer.to_json()).unwrap();
    let schema = &message["type"].as_str().unwrap().replace('_', "-");
    assert_valid("server-message", &message);
    assert_valid(schema, &message);
    assert_described(schema, &message);
}

proptest! {
    #[test]
    fn every_answer_is_described(
        subscriptions in subscriptions(),
        subscription in name(),
        history in prop::option::of((position(), prop::option::of(session()))),
        recovery in prop::option::of(recovery()),
        part in prop::option::of((any::<u32>(), prop::option::of(token()))),
        id in prop::option::of("\\PC{0,128}"),
        until in prop::option::of(0..i64::from(u32::MAX) * 1000),
    ) {
        let request_id = id.map(|id| RequestId::parse(id).unwrap());
        if let Subscriptions::Several { subscriptions } = &subscriptions {
            for each in subscriptions {
                assert_described("subscription-in-force", &json!(each));
            }
        }
        assert_is_described(&Answer::Subscribed {
            snapshot: part.as_ref().map(|(entities, _)| *entities),
            snapshot_next: part.as_ref().and_then(|(_, next)| next.clone()),
            subscriptions,
            position: history.clone().map(|(position, _)| position),
            session: history.clone().and_then(|(_, session)| session),
            recovery,
            request_id: request_id.clone(),
        });
        if let Some((snapshot, snapshot_next)) = part {
            assert_is_described(&Answer::Snapshot { snapshot, snapshot_next, request_id: request_id.clone() });
        }
        if let Some((position, _)) = history {
            assert_is_described(&Answer::Synced { position, request_id: request_id.clone() });
        }
        assert_is_described(&Answer::Unsubscribed { subscription, request_id: request_id.clone() });
        assert_is_described(&Answer::Pong { request_id: request_id.clone() });
        assert_is_described(&Answer::DpopVerified { request_id: request_id.clone() });
        assert_is_described(&Answer::Authenticated { expires_at: until.map(EpochMillis::new), request_id });
    }

    #[test]
    fn every_rejection_is_described(text in "\\PC{0,80}", action in "[a-z]{0,80}") {
        for text in [text.clone(), json!({ "action": action, "requestId": text }).to_string()] {
            if let Err(rejection) = ClientMessage::parse(&text) {
                assert_is_described(&Answer::Error(rejection));
            }
        }
    }
}

#[test]
fn every_error_code_is_in_the_schema() {
    let codes: Vec<&str> = SCHEMAS["error"]["properties"]["code"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    assert!(codes.into_iter().eq(ErrorCode::ALL.iter().map(ErrorCode::as_str)));
    for code in ErrorCode::ALL {
        let subscription = SubscriptionName::parse("map").ok();
        let rejection = Rejection { code, message: "why".to_owned(), action: None, subscription, request_id: None };
        assert_is_described(&Answer::Error(rejection));
    }
}

#[test]
fn the_schema_refuses_other_messages() {
    for message in [
        json!({ "type": "subscribed", "entityTypes": [] }),
        json!({ "type": "subscribed", "subscription": "" }),
        json!({ "type": "subscribed", "subscriptions": [] }),
        json!({ "type": "subscribed", "subscriptions": [{ "q": "" }] }),
        json!({ "type": "subscribed", "representation": "normalized" }),
        json!({ "type": "subscribed", "geoQ": { "georel": "within", "geometry": "Point", "coordinates": "[1,2]" } }),
        json!({ "type": "subscribed", "position": "" }),
        json!({ "type": "subscribed", "position": "a b" }),
        json!({ "type": "subscribed", "position": "x".repeat(65) }),
        json!({ "type": "subscribed", "session": "s" }),
        json!({ "type": "subscribed", "position": "0a", "session": "a/b" }),
        json!({ "type": "subscribed", "position": "0a", "session": "s".repeat(129) }),
        json!({ "type": "subscribed", "recovered": true }),
        json!({ "type": "subscribed", "recovered": true, "replayed": -1 }),
        json!({ "type": "subscribed", "recovered": true, "replayed": 1, "reason": "expired" }),
        json!({ "type": "subscribed", "recovered": false }),
        json!({ "type": "subscribed", "recovered": false, "reason": "tired" }),
        json!({ "type": "subscribed", "recovered": false, "reason": "expired", "replayed": 0 }),
        json!({ "type": "subscribed", "recovered": "yes", "replayed": 0 }),
        json!({ "type": "subscribed", "replayed": 0 }),
        json!({ "type": "subscribed", "reason": "expired" }),
        json!({ "type": "subscribed", "wholeEntity": false }),
        json!({ "type": "subscribed", "showChanges": "yes" }),
        json!({ "type": "subscribed", "snapshot": -1 }),
        json!({ "type": "subscribed", "snapshot": true }),
        json!({ "type": "subscribed", "snapshotNext": "e30" }),
        json!({ "type": "subscribed", "snapshot": 1, "snapshotNext": "" }),
        json!({ "type": "snapshot" }),
        json!({ "type": "snapshot", "snapshot": 1, "snapshotNext": "a b" }),
        json!({ "type": "synced" }),
        json!({ "type": "synced", "position": null }),
        json!({ "type": "synced", "position": "é" }),
        json!({ "type": "events" }),
        json!({ "type": "events", "events": [] }),
        json!({ "type": "events", "events": {} }),
        json!({ "type": "events", "events": [{ "type": "pong" }] }),
        json!({ "type": "events", "events": [{ "type": "events", "events": [] }] }),
        json!({ "type": "unsubscribed", "subscription": null }),
        json!({ "type": "authenticated", "expiresAt": 7 }),
        json!({ "type": "error", "code": "unknown", "message": "x" }),
        json!({ "type": "error", "code": "internal" }),
        json!({ "type": "pong", "requestId": 1 }),
        json!({ "type": "moved" }),
        json!({ "message": "Internal server error" }),
        json!({}),
    ] {
        assert!(!is_valid("server-message", &message), "{message}");
    }
}

#[test]
fn the_gateways_own_error_is_described() {
    let error = GatewayError {
        message: GatewayError::INTERNAL.to_owned(),
        connection_id: "XyZ12cdeIAMCJ1g=".to_owned(),
        request_id: "XyZ13E=".to_owned(),
    };
    let frame: Value = serde_json::from_str(&error.to_json()).unwrap();
    assert_valid("gateway-error", &frame);
    assert_valid("server-message", &frame);
    assert_described("gateway-error", &frame);
}
