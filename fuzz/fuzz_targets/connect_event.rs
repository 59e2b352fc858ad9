//! The `$connect` function with an event of API Gateway, or with the query of one.

#![no_main]

mod system;

use std::collections::HashMap;
use std::sync::LazyLock;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

use crate::system::{CONNECTION, System, lambda_event};

static SYSTEM: LazyLock<System> = LazyLock::new(System::start);

fuzz_target!(|text: &str| {
    let event = serde_json::from_str(text).unwrap_or_else(|_| with_query(text));
    if let Ok(event) = serde_json::from_value::<ApiGatewayWebsocketProxyRequest>(event) {
        // The function fails for other events than API Gateway's. It answers all events of API Gateway with a status.
        if let Ok(response) = SYSTEM.run(SYSTEM.connect.handle(lambda_event(event))) {
            assert!(matches!(response.status_code, 200 | 400), "{}", response.status_code);
        }
    }
});

fn with_query(query: &str) -> Value {
    let mut parameters = HashMap::<String, Vec<String>>::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
        parameters.entry(name).or_default().push(value);
    }
    json!({
        "multiValueQueryStringParameters": parameters,
        "requestContext": { "connectionId": CONNECTION, "connectedAt": 0, "requestTimeEpoch": 0, "identity": {} },
        "isBase64Encoded": false,
    })
}
