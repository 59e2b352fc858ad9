//! Subscriptions of any kind, for the property tests.

use std::collections::BTreeMap;

use entity_stream_protocol::{
    ChangeType, Filter, FilterFields, Representation, Subscription, SubscriptionName, Subscriptions, View,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any name, the default subscription included.
pub(crate) fn name() -> impl Strategy<Value = SubscriptionName> {
    prop_oneof![
        Just(SubscriptionName::DEFAULT),
        "[A-Za-z0-9_.:-]{1,64}".prop_map(|name| SubscriptionName::parse(name).unwrap()),
    ]
}

fn texts(longest: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("\\PC{1,9}", 0..longest)
}

fn query() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,5}(==|!=|>=?|<=?)-?[0-9]{1,3}",
        "!?[a-z]{1,5}(\\[[*a]\\])?",
        "[a-z]{1,3}(!~=|~=)\"\\^?[a-z]{1,5}\"",
        prop::sample::select(vec!["(a>1|b==x,y);!c", " a == 1..2 ", "'a b'.c==\"ö\"", "d>=2026-01-02T03:04:05Z"])
            .prop_map(str::to_owned),
    ]
}

fn geo_query() -> impl Strategy<Value = Value> {
    // Few digits, so that each number reads back exactly.
    let position = (-18_000..=18_000_i32, -9_000..=9_000_i32)
        .prop_map(|(lon, lat)| json!([f64::from(lon) / 100.0, f64::from(lat) / 100.0]));
    let georel = prop_oneof![
        (0..=1_000_000_000_u32).prop_map(|metres| format!("near;maxDistance=={metres}")),
        (0..10_000_u32).prop_map(|metres| format!("near;minDistance=={metres}.5")),
        prop::sample::select(vec!["within", "intersects", "disjoint", "contains", "overlaps", "equals"])
            .prop_map(str::to_owned),
    ];
    (georel, position, prop::option::of("\\PC{1,9}")).prop_map(|(georel, position, geoproperty)| {
        json!({ "georel": georel, "geometry": "Point", "coordinates": position, "geoproperty": geoproperty })
    })
}

/// Any filter with any of its fields.
pub(crate) fn filter() -> impl Strategy<Value = Filter> {
    let kinds = ChangeType::ALL.map(|kind| kind.as_str().to_owned()).to_vec();
    let lists = (texts(5), texts(5), prop::sample::subsequence(kinds, 0..=3), texts(5));
    let texts = (
        prop::option::of(any::<String>()),
        prop::option::of(query()),
        prop::option::of(geo_query()),
        prop::option::of("/[a-zé/]{0,6}(/#)?"),
    );
    (lists, texts).prop_filter_map("it is not a filter", |(lists, texts)| {
        let (entity_types, entity_ids, notification_trigger, watched_attributes) = lists;
        let (id_pattern, q, geo_q, service_path) = texts;
        let fields = FilterFields {
            entity_types,
            entity_ids,
            id_pattern,
            notification_trigger,
            watched_attributes,
            q,
            geo_q,
            service_path,
        };
        fields.check().ok()
    })
}

/// Any view.
pub(crate) fn view() -> impl Strategy<Value = View> {
    let representation = prop::sample::select(vec![Representation::Normalized, Representation::KeyValues]);
    (texts(5), representation, any::<bool>(), any::<bool>()).prop_map(|(attributes, representation, whole, changes)| {
        View::new(attributes, representation).unwrap().with_state(whole, changes)
    })
}

fn subscription() -> impl Strategy<Value = Subscription> {
    (name(), filter(), view())
        .prop_filter_map("it has too much text", |(name, filter, view)| Subscription::new(name, filter, view).ok())
}

/// One subscription, or a list of some with different names.
pub(crate) fn subscriptions() -> impl Strategy<Value = Subscriptions> {
    let several = prop::collection::vec(subscription(), 1..5).prop_map(|list| {
        let by_name: BTreeMap<_, _> = list.into_iter().map(|each| (each.name.clone(), each)).collect();
        Subscriptions::Several { subscriptions: by_name.into_values().collect() }
    });
    prop_oneof![subscription().prop_map(Subscriptions::from), several]
}
