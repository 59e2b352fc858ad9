use serde_json::{Value, json};

/// A message's route, by the route selection expression `$request.body.action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A two-way route with a mock integration: keep-alives cost no invocation. Holds the answer.
    Ping(String),
    /// Everything else: other actions, and what is not JSON.
    Default,
}

/// Selects a message's route. API Gateway's own parser is lenient in ways that are not documented; this one is strict,
/// and what it cannot read goes to `$default` too. Where clients may authenticate with their first message there is no
/// route for `ping`: only a function can tell who has yet to.
pub(crate) fn select(body: &str, in_band: bool) -> Route {
    if in_band {
        return Route::Default;
    }
    let Ok(Value::Object(message)) = serde_json::from_str::<Value>(body) else { return Route::Default };
    match (message.get("action"), message.get("requestId")) {
        (Some(Value::String(action)), None) if action == "ping" => Route::Ping(json!({ "type": "pong" }).to_string()),
        (Some(Value::String(action)), Some(Value::String(id))) if action == "ping" => {
            Route::Ping(json!({ "type": "pong", "requestId": id }).to_string())
        }
        _ => Route::Default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ping_has_a_route_of_its_own() {
        assert_eq!(select(r#"{"action":"ping"}"#, false), Route::Ping(r#"{"type":"pong"}"#.to_owned()));
        assert!(
            matches!(select(r#"{"action":"ping","requestId":"1"}"#, false), Route::Ping(pong) if pong.contains(r#""1""#))
        );
        for body in [r#"{"action":"ping","requestId":1}"#, r#"{"action":"subscribe"}"#, r#"{action: "ping"}"#, "[]", ""]
        {
            assert_eq!(select(body, false), Route::Default, "{body}");
        }
    }
}
