use entity_stream_protocol::{Action, ClientMessage, InvalidJson, Subscribe, Subscription, SubscriptionName};
use serde_json::{Map, Value};

/// The fields of a subscription in the contract. The server ignores any other field, so that a slip of the pen would
/// subscribe to more than was meant.
const FIELDS: [&str; 13] = [
    "entityTypes",
    "entityIds",
    "idPattern",
    "notificationTrigger",
    "watchedAttributes",
    "q",
    "geoQ",
    "servicePath",
    "attributes",
    "representation",
    "wholeEntity",
    "showChanges",
    "snapshot",
];

/// A subscription that an option spells out.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) subscription: Subscription,
    /// True if it begins with a snapshot.
    pub(super) snapshot: bool,
}

/// Reads a subscription that is written as `NAME=JSON`. The checks and the messages are those of the server.
pub(super) fn written(text: &str) -> Result<Written, String> {
    let (name, json) = text.split_once('=').ok_or(r#"expected NAME=JSON, such as map={"entityTypes":["Vehicle"]}"#)?;
    SubscriptionName::parse(name).map_err(|error| error.to_string())?;
    let mut fields: Map<String, Value> = serde_json::from_str(json).map_err(|error| {
        let error = InvalidJson::new(&error);
        format!(
            r#"the part after `{name}=` is not a JSON object: {error}; send one such as {{"entityTypes":["Vehicle"]}}"#
        )
    })?;
    if let Some(unknown) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        return Err(format!("there is no field `{unknown}`; the fields are {}", FIELDS.join(", ")));
    }
    fields.insert("action".to_owned(), "subscribe".into());
    fields.insert("subscription".to_owned(), name.into());
    let message = ClientMessage::parse(&Value::Object(fields).to_string()).map_err(|rejection| rejection.message)?;
    if let Action::Subscribe(Subscribe { subscriptions, snapshots, .. }) = &message.action
        && let [one] = subscriptions.as_slice()
    {
        return Ok(Written { subscription: one.clone(), snapshot: snapshots.contains(&one.name) });
    }
    Err("expected one subscription".to_owned())
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::Filter;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_subscription_has_a_name_and_the_fields_of_the_contract() {
        let Written { subscription: everything, snapshot } = written("map={}").unwrap();
        assert!(!snapshot && written(r#"map={"snapshot":true}"#).unwrap().snapshot);
        assert_eq!((everything.name.as_str(), everything.filter), ("map", Filter::default()));
        let json = r#"{"entityTypes":["Vehicle"],"entityIds":["a","b=c"],"idPattern":"^a","notificationTrigger":["entityUpdated"],"watchedAttributes":["speed"],"q":"speed>50;a==\"=\"","geoQ":{"georel":"near;maxDistance==2000","geometry":"Point","coordinates":[139.7,35.6]},"servicePath":"/madrid/#","attributes":["speed"],"representation":"keyValues","wholeEntity":true,"showChanges":true}"#;
        let map = written(&format!("map={json}")).unwrap().subscription;
        let back = serde_json::to_string(&map).unwrap();
        assert_eq!(back, json.replacen('{', r#"{"subscription":"map","#, 1));
    }

    #[test]
    fn a_mistake_is_explained_as_the_server_does() {
        for (text, expected) in [
            ("map", "expected NAME=JSON"),
            ("={}", "1 to 64 of the characters"),
            ("a b={}", "1 to 64 of the characters"),
            ("map=x", "the part after `map=` is not a JSON object"),
            ("map=[]", "the part after `map=` is not a JSON object"),
            (r#"map={"entityType":["Room"]}"#, "there is no field `entityType`; the fields are entityTypes, "),
            (r#"map={"subscriptions":[]}"#, "there is no field `subscriptions`"),
            (r#"map={"action":"ping"}"#, "there is no field `action`"),
            (r#"map={"entityTypes":"Room"}"#, "entityTypes is not an array of strings"),
            (r#"map={"q":"speed>"}"#, "q, character 7 (the end): a value is expected"),
            (r#"map={"geoQ":{}}"#, "geoQ.georel: expected"),
        ] {
            let error = written(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    /// The parser of messages knows each of the names.
    #[test]
    fn every_field_is_one_of_the_contract() {
        for field in FIELDS {
            assert!(written(&format!(r#"map={{"{field}":7}}"#)).unwrap_err().contains(field), "{field}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, fields in "[a-zQ]{1,9}") {
            let _ = written(&text);
            let _ = written(&format!(r#"map={{"{fields}":{text}}}"#));
        }
    }
}
