use entity_stream_protocol::{ChangeType, EntityId, EntityType, Filter, Subscription};

/// The subscriptions of a connection for people, in one line.
pub(super) fn subscriptions(subscriptions: &[Subscription]) -> String {
    if subscriptions.is_empty() {
        return "unsubscribed".to_owned();
    }
    let one = |subscription: &Subscription| match subscription.name.is_default() {
        true => filter(&subscription.filter),
        false => format!("{}: {}", subscription.name, filter(&subscription.filter)),
    };
    subscriptions.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn filter(filter: &Filter) -> String {
    let parts = [
        list(filter.entity_types().iter().map(EntityType::as_str)),
        list(filter.entity_ids().iter().map(EntityId::as_str)),
        filter.id_pattern().map(|pattern| format!("/{pattern}/")),
        list(filter.notification_trigger().iter().copied().map(ChangeType::as_str)),
        list(filter.watched_attributes().iter().map(String::as_str)).map(|names| format!("watch {names}")),
        filter.q().map(str::to_owned),
        filter.geo_q().map(|geo_q| format!("place of {}", geo_q.geoproperty())),
        filter.service_path().map(|path| path.as_str().to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "everything".to_owned() } else { parts.join(" ") }
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let texts: Vec<&str> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::FilterFields;

    use super::*;

    #[test]
    fn each_part_is_shown() {
        let default: Subscription = Filter::new(["Room", "Sensor"], Some("^urn")).unwrap().into();
        let geo = serde_json::json!({ "georel": "near;maxDistance==1", "geometry": "Point", "coordinates": [1, 2] });
        let fields = FilterFields {
            entity_ids: vec!["urn:1".to_owned()],
            notification_trigger: vec!["entityCreated".to_owned()],
            watched_attributes: vec!["a".to_owned(), "b".to_owned()],
            q: Some("a>1".to_owned()),
            geo_q: Some(geo),
            service_path: Some("/x/#".to_owned()),
            ..FilterFields::default()
        };
        let map = Subscription { name: "map".parse().unwrap(), ..fields.check().unwrap().into() };
        let list = Subscription { name: "list".parse().unwrap(), ..Subscription::default() };
        assert_eq!(
            subscriptions(&[default, list, map]),
            "Room, Sensor /^urn/; list: everything; map: urn:1 entityCreated watch a, b a>1 place of location /x/#"
        );
        assert_eq!(subscriptions(&[]), "unsubscribed");
    }
}
