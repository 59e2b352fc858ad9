use std::collections::HashMap;

use entity_stream_protocol::{RequestId, ServerMessage};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A message's route, by the route selection expression `$request.body.action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A two-way route with a mock integration: keep-alives cost no invocation. Holds the answer.
    Ping(String),
    /// Everything else: other actions, and what is not JSON.
    Default,
}

#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Action,
    RequestId,
    #[serde(other)]
    Other,
}

/// Selects a message's route. API Gateway's own parser is lenient in ways that are not documented; this one is strict,
/// and what it cannot read goes to `$default` too. So does a `requestId` that breaks the contract, for the function to
/// say so: the deployed mock repeats it. Where clients may authenticate with their first message there is no route for
/// `ping`: only a function can tell who has yet to.
pub(crate) fn select(body: &str, in_band: bool) -> Route {
    if in_band {
        return Route::Default;
    }
    ping(body).map_or(Route::Default, |id| Route::Ping(ServerMessage::Pong(id).to_json()))
}

/// The id of a message that is a `ping` by the contract; the mock takes an empty one for none.
fn ping(body: &str) -> Option<Option<RequestId>> {
    // Only what is asked for is read: the rest has to be JSON and no more.
    let fields: HashMap<Field, &RawValue> = serde_json::from_str(body).ok()?;
    let text = |field: &RawValue| serde_json::from_str::<String>(field.get()).ok();
    if text(fields.get(&Field::Action)?)? != "ping" {
        return None;
    }
    match fields.get(&Field::RequestId) {
        None => Some(None),
        Some(id) if id.get() == "null" => Some(None),
        Some(id) => RequestId::parse(&text(id)?).ok().map(|id| Some(id).filter(|id| !id.as_str().is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::limits::REQUEST_ID_LENGTH;

    use super::*;

    #[test]
    fn only_ping_has_a_route_of_its_own() {
        assert_eq!(select(r#"{"action":"ping"}"#, false), Route::Ping(r#"{"type":"pong"}"#.to_owned()));
        let pong = |body: &str| match select(body, false) {
            Route::Ping(pong) => pong,
            Route::Default => panic!("{body} is a ping"),
        };
        assert_eq!(pong(r#"{"action":"ping","requestId":"1"}"#), r#"{"type":"pong","requestId":"1"}"#);
        for id in [r#""""#, "null"] {
            assert_eq!(pong(&format!(r#"{{"action":"ping","requestId":{id}}}"#)), r#"{"type":"pong"}"#);
        }
        let longest = "é".repeat(REQUEST_ID_LENGTH);
        let with_id = |id: &str| format!(r#"{{"action":"ping","requestId":"{id}"}}"#);
        assert!(pong(&with_id(&longest)).contains(&longest));
        for body in [
            r#"{"action":"ping","requestId":1}"#,
            &with_id(&format!("{longest}é")),
            r#"{"action":"subscribe"}"#,
            r#"{action: "ping"}"#,
            r#"{"action":"ping"} x"#,
            "[]",
            "",
        ] {
            assert_eq!(select(body, false), Route::Default, "{body}");
        }
    }

    #[test]
    fn fields_that_are_not_read_do_not_matter() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for value in ["1e999", deep.as_str(), r#""\ud800""#] {
            let body = format!(r#"{{"x":{value},"action":"ping"}}"#);
            assert!(matches!(select(&body, false), Route::Ping(_)), "{body}");
        }
    }
}
