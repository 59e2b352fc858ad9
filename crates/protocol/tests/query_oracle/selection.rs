//! `notificationTrigger`, `watchedAttributes` and `servicePath`, each against a definition of one line.

use entity_stream_protocol::{EntityChange, FilterFields};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

const KINDS: [&str; 3] = ["entityCreated", "entityUpdated", "entityDeleted"];
const NAMES: [&str; 4] = ["speed", "Speed", "a.b", "温度"];

fn names(most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(&NAMES[..], 0..=most)
}

/// The segments of a service path, and its text.
fn path() -> impl Strategy<Value = (Vec<&'static str>, String)> {
    (prop::collection::vec(select(&["a", "b", "A", "ab"][..]), 0..4), any::<bool>()).prop_map(
        |(segments, has_slash)| {
            let end = if has_slash && !segments.is_empty() { "/" } else { "" };
            let text = format!("/{}{end}", segments.join("/"));
            (segments, text)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_change_passes_each_field(
        kind in select(&KINDS[..]),
        triggers in subsequence(&KINDS[..], 0..=3),
        watched in names(4),
        attributes in names(4),
        changed in prop::option::of(names(3)),
        path in prop::option::weighted(0.9, path()),
        wanted in prop::option::weighted(0.8, path()),
        is_subtree: bool,
    ) {
        let data: Map<String, Value> = attributes.iter().map(|name| ((*name).to_owned(), json!(1))).collect();
        let mut detail = json!({ "type": kind, "tenant": "t", "entityId": "urn:a", "entityType": "T", "data": data });
        if let Some(changed) = &changed {
            detail["changedAttributes"] = json!(changed);
        }
        if let Some((_, text)) = &path {
            detail["servicePath"] = json!(text);
        }
        let pattern = wanted.as_ref().map(|(_, text)| match is_subtree {
            true => format!("{}/#", text.trim_end_matches('/')),
            false => text.clone(),
        });
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let fields = FilterFields {
            notification_trigger: owned(&triggers),
            watched_attributes: owned(&watched),
            service_path: pattern.clone(),
            ..FilterFields::default()
        };
        let change = EntityChange::parse(&detail.to_string()).unwrap();

        let segments = path.map(|(segments, _)| segments).unwrap_or_default();
        let is_triggered = triggers.is_empty() || triggers.contains(&kind);
        let is_watched = kind != "entityUpdated" || watched.is_empty() || changed.unwrap_or(attributes).iter().any(|name| watched.contains(name));
        let is_there = wanted.is_none_or(|(wanted, _)| if is_subtree { segments.starts_with(&wanted) } else { segments == wanted });
        prop_assert_eq!(
            fields.check().unwrap().matches(&change),
            is_triggered && is_watched && is_there,
            "{:?} {:?} {:?} {}", triggers, watched, pattern, detail
        );
    }
}
