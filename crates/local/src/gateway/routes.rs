use std::collections::HashMap;

use entity_stream_protocol::{Answer, RequestId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Maximum number of opening brackets in a message that is read leniently: the JSON5 parser does not limit nesting.
const BRACKETS: usize = 128;

/// A message's route, by the route selection expression `$request.body.action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A two-way route with a mock integration: keep-alives cost no invocation. Holds the answer.
    Ping(String),
    /// Every other action, and messages that are not JSON.
    Default,
}

/// The settings that select routes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteSelection {
    /// True if clients may authenticate with their first message. There is no route for `ping` then, because only a function
    /// can tell which clients have yet to authenticate.
    pub(crate) in_band: bool,
    /// True if a message that is JSON5 but not JSON has an action too.
    pub(crate) lenient: bool,
}

#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(field_identifier, rename_all = "camelCase")]
enum RouteField {
    Action,
    RequestId,
    #[serde(other)]
    Other,
}

type RouteFields = HashMap<RouteField, Value>;

impl RouteSelection {
    /// Selects a message's route. An unreadable message goes to `$default`, and so does a `requestId` that breaks the
    /// contract, for the function to say so: the deployed mock repeats it.
    pub(crate) fn route(self, body: &str) -> Route {
        if self.in_band {
            return Route::Default;
        }
        let fields = strict(body).or_else(|| if self.lenient { lenient(body) } else { None });
        fields.and_then(ping).map_or(Route::Default, |request_id| Route::Ping(Answer::Pong { request_id }.to_json()))
    }
}

/// The id of a message that is a `ping` by the contract; the mock takes an empty one for none.
fn ping(mut fields: RouteFields) -> Option<Option<RequestId>> {
    if fields.get(&RouteField::Action)? != "ping" {
        return None;
    }
    match fields.remove(&RouteField::RequestId) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(id)) => RequestId::parse(id).ok().map(|id| Some(id).filter(|id| !id.as_str().is_empty())),
        Some(_) => None,
    }
}

/// The fields of a JSON object that routes depend on. The other fields only have to be JSON.
fn strict(body: &str) -> Option<RouteFields> {
    let fields: HashMap<RouteField, &RawValue> = serde_json::from_str(body).ok()?;
    let asked_for = fields.into_iter().filter(|(field, _)| *field != RouteField::Other);
    asked_for.map(|(field, value)| Some((field, serde_json::from_str(value.get()).ok()?))).collect()
}

/// The fields of a JSON5 object, which may be written as API Gateway has been seen to take them: `{action: "ping"}`.
fn lenient(body: &str) -> Option<RouteFields> {
    let brackets = body.bytes().filter(|byte| matches!(byte, b'[' | b'{')).take(BRACKETS + 1).count();
    if brackets > BRACKETS { None } else { json5::from_str(body).ok() }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::limits::REQUEST_ID_LENGTH;

    use super::*;

    const STRICT: RouteSelection = RouteSelection { in_band: false, lenient: false };
    const LENIENT: RouteSelection = RouteSelection { in_band: false, lenient: true };

    fn pong(selection: RouteSelection, body: &str) -> String {
        match selection.route(body) {
            Route::Ping(pong) => pong,
            Route::Default => panic!("{body} is a ping"),
        }
    }

    #[test]
    fn only_ping_has_a_route_of_its_own() {
        for selection in [STRICT, LENIENT] {
            let pong = |body: &str| pong(selection, body);
            assert_eq!(pong(r#"{"action":"ping"}"#), r#"{"type":"pong"}"#);
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
                r#"{"action":["ping"]}"#,
                r#"{"action":"ping"} x"#,
                r#""ping""#,
                "[]",
                "",
            ] {
                assert_eq!(selection.route(body), Route::Default, "{body}");
            }
            let in_band = RouteSelection { in_band: true, ..selection };
            assert_eq!(in_band.route(r#"{"action":"ping"}"#), Route::Default);
        }
    }

    #[test]
    fn what_is_not_quite_json_has_a_route_only_where_it_is_read_leniently() {
        for body in [r#"{action: "ping"}"#, "{'action':'ping',}", r#"{"action":"ping", body: {hello: [1]}}"#] {
            assert_eq!(STRICT.route(body), Route::Default, "{body}");
            assert_eq!(pong(LENIENT, body), r#"{"type":"pong"}"#, "{body}");
        }
        assert_eq!(pong(LENIENT, "{action:'ping',requestId:'1'}"), r#"{"type":"pong","requestId":"1"}"#);
        assert_eq!(LENIENT.route("{action:'ping',requestId:1}"), Route::Default);
    }

    #[test]
    fn nesting_without_end_does_no_harm() {
        for open in ["[", "{a:", "{action:", "/*[*/["] {
            assert_eq!(LENIENT.route(&open.repeat(30_000)), Route::Default);
            assert_eq!(LENIENT.route(&format!("{{action:'ping',x:{}", open.repeat(30_000))), Route::Default);
        }
        let deepest = format!("{{action:'ping',x:{}{}}}", "[".repeat(BRACKETS - 1), "]".repeat(BRACKETS - 1));
        assert_eq!(pong(LENIENT, &deepest), r#"{"type":"pong"}"#);
    }

    #[test]
    fn fields_that_are_not_read_do_not_matter() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for value in ["1e999", deep.as_str(), r#""\ud800""#] {
            let body = format!(r#"{{"x":{value},"action":"ping"}}"#);
            assert!(matches!(STRICT.route(&body), Route::Ping(_)), "{body}");
        }
    }
}
