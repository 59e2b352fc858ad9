//! Arbitrary notifications: no panic, and each result can be published.

use entity_stream_ingest::read_notification;
use entity_stream_protocol::EntityChange;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::facts;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "urn:ngsi-ld:null",
            "Property",
            "Relationship",
            "entityCreate",
            "entityDeleted",
            "delete",
            "2026-01-02T03:04:05.6Z",
            "/madrid",
            "Notification",
            "FeatureCollection",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((member(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,5}",
        prop::sample::select(vec![
            "id",
            "type",
            "value",
            "object",
            "languageMap",
            "metadata",
            "actionType",
            "previousValue",
            "dateModified",
            "TimeInstant",
            "alterationType",
            "servicePath",
            "createdAt",
            "modifiedAt",
            "deletedAt",
            "observedAt",
            "@context",
            "@id",
            "@type",
            "datasetId",
            "notifiedAt",
            "triggerReason",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn nothing_panics_and_every_change_reads_back(
        entities in prop::collection::vec(value(), 0..4),
        outer in value(),
        is_ld in any::<bool>(),
    ) {
        let mut body = json!({ "subscriptionId": "s", "notifiedAt": outer, "triggerReason": outer, "@context": outer });
        body["data"] = Value::Array(entities);
        if is_ld {
            body["type"] = json!("Notification");
        }
        let Ok(changes) = read_notification(&body.to_string(), &facts()) else { return Ok(()) };
        for change in changes.into_iter().flatten() {
            let json = change.to_json();
            if let Ok(read) = EntityChange::parse(&json) {
                prop_assert_eq!(read.to_json(), json);
            }
        }
    }

    #[test]
    fn text_is_read_or_refused(body in any::<String>()) {
        let _ = read_notification(&body, &facts());
    }
}
