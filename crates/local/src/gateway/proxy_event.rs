//! The events that API Gateway gives to Lambda: which fields each of them has, and which it has not.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use bytes::Bytes;
use entity_stream_protocol::{Close, ConnectionId, EpochMillis};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::ids::{message_id, new_id};

/// The facts that every event of one connection contains.
#[derive(Clone, Debug)]
pub(crate) struct EventSource {
    pub(crate) connection_id: ConnectionId,
    pub(crate) connected_at: EpochMillis,
    pub(crate) source_ip: String,
    pub(crate) user_agent: Option<String>,
    pub(crate) domain_name: String,
    pub(crate) stage: String,
}

/// An event and the id by which an error frame names its request.
pub(crate) struct ProxyEvent {
    pub(crate) payload: Bytes,
    pub(crate) request_id: String,
}

impl EventSource {
    pub(crate) fn connect(&self, now: EpochMillis, headers: &HeaderMap, query: Option<&str>) -> ProxyEvent {
        let mut event = Map::new();
        let headers = self.handshake_headers(headers);
        insert_maps(&mut event, "headers", "multiValueHeaders", &headers);
        let mut parameters = BTreeMap::<String, Vec<String>>::new();
        // API Gateway passes decoded parameters on. Bytes that are not UTF-8 become U+FFFD, which the function refuses.
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            parameters.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        if !parameters.is_empty() {
            insert_maps(&mut event, "queryStringParameters", "multiValueQueryStringParameters", &parameters);
        }
        self.finish(event, now, "$connect", "CONNECT", [])
    }

    pub(crate) fn message(&self, now: EpochMillis, body: &str) -> ProxyEvent {
        let event = Map::from_iter([("body".to_owned(), json!(body))]);
        self.finish(event, now, "$default", "MESSAGE", [("messageId", json!(message_id(&self.connection_id)))])
    }

    pub(crate) fn disconnect(&self, now: EpochMillis, close: &Close) -> ProxyEvent {
        let mut event = Map::new();
        let mut headers = BTreeMap::from([("Host".to_owned(), vec![self.domain_name.clone()])]);
        for name in ["x-api-key", "X-Forwarded-For", "x-restapi"] {
            headers.insert(name.to_owned(), vec![String::new()]);
        }
        insert_maps(&mut event, "headers", "multiValueHeaders", &headers);
        let fields =
            [("disconnectStatusCode", json!(u16::from(close.code()))), ("disconnectReason", json!(close.reason()))];
        self.finish(event, now, "$disconnect", "DISCONNECT", fields)
    }

    fn finish<const N: usize>(
        &self,
        mut event: Map<String, Value>,
        now: EpochMillis,
        route_key: &str,
        event_type: &str,
        fields: [(&str, Value); N],
    ) -> ProxyEvent {
        let request_id = new_id();
        let mut context = json!({
            "routeKey": route_key,
            "eventType": event_type,
            "extendedRequestId": request_id,
            "requestTime": request_time(now),
            "messageDirection": "IN",
            "stage": self.stage,
            "connectedAt": self.connected_at.millis(),
            "requestTimeEpoch": now.millis(),
            "identity": self.identity(),
            "requestId": request_id,
            "domainName": self.domain_name,
            "connectionId": self.connection_id.as_str(),
            "apiId": "local",
        });
        for (name, value) in fields {
            context[name] = value;
        }
        event.insert("requestContext".to_owned(), context);
        event.insert("isBase64Encoded".to_owned(), json!(false));
        ProxyEvent { payload: Value::Object(event).to_string().into(), request_id }
    }

    /// Without a `userAgent` where the client sent none.
    fn identity(&self) -> Value {
        match &self.user_agent {
            Some(user_agent) => json!({ "userAgent": user_agent, "sourceIp": self.source_ip }),
            None => json!({ "sourceIp": self.source_ip }),
        }
    }

    /// The client's headers without the hop-by-hop headers, and the headers that AWS's front end adds.
    fn handshake_headers(&self, headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
        let mut values = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in headers {
            if !matches!(name.as_str(), "connection" | "upgrade") {
                // A header is Latin-1 where it is not ASCII.
                let value = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
                values.entry(title_case(name.as_str())).or_default().push(value);
            }
        }
        let trace: u128 = fastrand::u128(..);
        let trace = format!("Root=1-{:08x}-{:024x}", self.connected_at.seconds(), trace >> 32);
        for (name, value) in [
            ("X-Amzn-Trace-Id", trace.as_str()),
            ("X-Forwarded-For", &self.source_ip),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Proto", "https"),
        ] {
            values.insert(name.to_owned(), vec![value.to_owned()]);
        }
        values
    }
}

/// The two maps in which API Gateway gives names with several values: the last of each, and all of them.
fn insert_maps(event: &mut Map<String, Value>, single: &str, multi: &str, values: &BTreeMap<String, Vec<String>>) {
    let last: BTreeMap<_, _> = values.iter().filter_map(|(name, all)| Some((name, all.last()?))).collect();
    event.insert(single.to_owned(), json!(last));
    event.insert(multi.to_owned(), json!(values));
}

/// Header names as in API Gateway's own examples: the server only knows them in lower case.
fn title_case(name: &str) -> String {
    let part = |part: &str| match part {
        "websocket" => "WebSocket".to_owned(),
        _ => part.chars().take(1).flat_map(char::to_uppercase).chain(part.chars().skip(1)).collect(),
    };
    name.split('-').map(part).collect::<Vec<String>>().join("-")
}

/// `02/Jan/2026:03:04:05 +0000`, the common log format.
fn request_time(now: EpochMillis) -> String {
    timestamp(now.millis()).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// A moment. A value out of range gives the epoch.
pub(crate) fn timestamp(millis: u64) -> Timestamp {
    i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_are_written_as_api_gateway_writes_them() {
        assert_eq!(title_case("sec-websocket-key"), "Sec-WebSocket-Key");
        assert_eq!(title_case("host"), "Host");
        assert_eq!(request_time(EpochMillis::new(1_767_323_045_679)), "02/Jan/2026:03:04:05 +0000");
    }
}
