//! The expectations of a scenario about a message of the client.

use serde_json::{Map, Value, json};

/// The members that a message has to have, and those that it must not have.
#[derive(Debug)]
pub(crate) struct Expectation {
    fields: Value,
    absent: Vec<String>,
}

impl Expectation {
    pub(crate) fn new(fields: Map<String, Value>, absent: Vec<String>) -> Self {
        Self { fields: Value::Object(several(fields)), absent }
    }

    /// Returns whether a message is as expected.
    pub(crate) fn matches(&self, message: &Map<String, Value>) -> bool {
        let message = Value::Object(several(message.clone()));
        let has = |path: &String| message.pointer(&format!("/{}", path.replace('.', "/"))).is_some();
        includes(&message, &self.fields) && !self.absent.iter().any(has)
    }

    /// The expectation, for people.
    pub(crate) fn describe(&self) -> String {
        match self.absent.as_slice() {
            [] => self.fields.to_string(),
            absent => format!("{} without {}", self.fields, absent.join(", ")),
        }
    }
}

/// True if each member of `expected` is in `found`. The entries of arrays correspond one by one. A number is at least the one of
/// `{"atLeast": 30}`.
fn includes(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Object(expected)) => {
            let least = expected.get("atLeast").and_then(Value::as_f64);
            found.as_f64().zip(least).is_some_and(|(found, least)| found >= least)
        }
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| includes(found, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(found, value)| includes(found, value))
        }
        (found, expected) => found == expected,
    }
}

/// A `subscribe` in the form with `subscriptions`. Any other message is returned as it is.
fn several(mut message: Map<String, Value>) -> Map<String, Value> {
    let is_subscribe = message.get("action").is_some_and(|action| action == "subscribe");
    if !is_subscribe || message.contains_key("subscriptions") {
        return message;
    }
    let is_of_message = |name: &str| matches!(name, "action" | "requestId" | "since");
    let names: Vec<String> = message.keys().filter(|name| !is_of_message(name)).cloned().collect();
    let subscription: Map<_, _> = names.iter().filter_map(|name| message.remove_entry(name)).collect();
    if !subscription.is_empty() {
        message.insert("subscriptions".to_owned(), json!([subscription]));
    }
    message
}

/// The subscriptions of a `subscribe`, in either form. One without a member is the default subscription to every change.
pub(crate) fn subscriptions(message: &Map<String, Value>) -> Vec<Map<String, Value>> {
    match several(message.clone()).get("subscriptions") {
        Some(Value::Array(all)) => all.iter().filter_map(|one| one.as_object().cloned()).collect(),
        _ => vec![Map::new()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(message: &Value, expected: &Value, absent: &[&str]) -> bool {
        let absent = absent.iter().map(|path| (*path).to_owned()).collect();
        let expectation = Expectation::new(expected.as_object().unwrap().clone(), absent);
        expectation.matches(message.as_object().unwrap())
    }

    #[test]
    fn objects_are_subsets_and_arrays_correspond() {
        let message = json!({ "action": "snapshot", "next": "t", "more": { "a": [1, { "b": 2, "c": 3 }] } });
        assert!(matches(&message, &json!({ "next": "t", "more": { "a": [1, { "b": 2 }] } }), &["since"]));
        assert!(!matches(&message, &json!({ "more": { "a": [1] } }), &[]), "another length");
        assert!(!matches(&message, &json!({ "since": {} }), &[]));
        assert!(!matches(&message, &json!({}), &["more.a.1.c"]));
    }

    #[test]
    fn a_number_can_have_a_least_value() {
        let expected = json!({ "since": { "seconds": { "atLeast": 30 } } });
        for (seconds, is_expected) in [(json!(30), true), (json!(31.5), true), (json!(29), false), (json!("30"), false)]
        {
            assert_eq!(matches(&json!({ "since": { "seconds": seconds } }), &expected, &[]), is_expected, "{seconds}");
        }
        assert!(!matches(&json!({ "since": { "seconds": 30 } }), &json!({ "since": { "seconds": {} } }), &[]));
    }

    #[test]
    fn both_forms_of_subscribe_are_one() {
        let one = json!({ "action": "subscribe", "subscription": "a", "entityTypes": ["Room"], "requestId": "1" });
        let several = json!({ "action": "subscribe",
            "subscriptions": [{ "subscription": "a", "entityTypes": ["Room"] }], "requestId": "1" });
        for expected in [&one, &several] {
            assert!(matches(&one, expected, &["since", "subscriptions.0.snapshot"]));
            assert!(matches(&several, expected, &["since", "subscriptions.0.snapshot"]));
        }
        assert!(!matches(&one, &json!({ "action": "subscribe", "subscriptions": [{}, {}] }), &[]));
        assert_eq!(subscriptions(json!({ "action": "subscribe" }).as_object().unwrap()), [Map::new()]);
    }
}
