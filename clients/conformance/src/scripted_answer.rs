//! The answers of the server: those that a scenario words, and those that the server finds by itself.

use serde_json::{Map, Value, json};

use crate::expectation::subscriptions;

/// Completes the answer to a message as the real server does: with the message's `requestId` and its subscriptions.
pub(crate) fn completed(answer: &Map<String, Value>, message: &Map<String, Value>) -> Map<String, Value> {
    let mut complete = Map::new();
    let kind = answer.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "subscribed" if message.contains_key("subscriptions") => {
            let all: Vec<_> = subscriptions(message).into_iter().map(in_force).collect();
            complete.insert("subscriptions".to_owned(), json!(all));
        }
        "subscribed" => complete.extend(subscriptions(message).into_iter().flat_map(in_force)),
        "unsubscribed" => complete.extend(member(message, "subscription")),
        "error" => {
            complete.extend(member(message, "action"));
            complete.extend(member(message, "subscription"));
            complete.insert("message".to_owned(), json!("the scenario says so"));
        }
        _ => {}
    }
    complete.extend(member(message, "requestId"));
    complete.extend(answer.clone());
    complete
}

/// The answer of a server that accepts everything. `None` for a message that it does not know.
pub(crate) fn accepting(message: &Map<String, Value>, place: Option<(&str, &str)>) -> Option<Map<String, Value>> {
    let mut answer = json!({ "type": match message.get("action")?.as_str()? {
        "subscribe" => "subscribed",
        "unsubscribe" => "unsubscribed",
        "authenticate" => "authenticated",
        "dpop_bind" => "dpop_verified",
        "snapshot" => "snapshot",
        _ => return None,
    } });
    if answer["type"] == "snapshot" {
        answer["snapshot"] = json!(0);
    }
    if answer["type"] == "subscribed" {
        if let Some((position, session)) = place {
            (answer["position"], answer["session"]) = (json!(position), json!(session));
        }
        let since = message.get("since");
        if since.is_some() {
            (answer["recovered"], answer["replayed"]) = (json!(true), json!(0));
        }
        let wants_snapshot =
            |one: &Map<String, Value>| one.get("snapshot").is_some_and(|wanted| *wanted == json!(true));
        if since.is_none() && subscriptions(message).iter().any(wants_snapshot) {
            answer["snapshot"] = json!(0);
        }
    }
    answer.as_object().cloned()
}

/// The answer to `ping` or `sync`. `None` for any other message.
pub(crate) fn sign_of_life(message: &Map<String, Value>, position: Option<&str>) -> Option<Map<String, Value>> {
    let answer = match (message.get("action")?.as_str()?, position) {
        ("ping", _) => json!({ "type": "pong" }),
        ("sync", Some(position)) => json!({ "type": "synced", "position": position }),
        ("sync", None) => json!({ "type": "error", "code": "not_available" }),
        _ => return None,
    };
    Some(completed(answer.as_object()?, message))
}

/// The names of the subscriptions of a `subscribe`; the default subscription is an empty name.
pub(crate) fn names(message: &Map<String, Value>) -> Vec<String> {
    let name = |one: Map<String, Value>| one.get("subscription").and_then(Value::as_str).unwrap_or_default().to_owned();
    subscriptions(message).into_iter().map(name).collect()
}

/// The filter in force: the subscription without what is only a wish.
fn in_force(mut subscription: Map<String, Value>) -> Map<String, Value> {
    subscription.remove("snapshot");
    subscription
}

fn member(message: &Map<String, Value>, name: &str) -> Option<(String, Value)> {
    message.get_key_value(name).map(|(name, value)| (name.clone(), value.clone()))
}
