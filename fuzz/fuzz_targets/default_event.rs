//! The `$default` function with an event of API Gateway, or with the body of one.

#![no_main]

mod system;

use std::sync::LazyLock;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

use crate::system::{CONNECTION, System, lambda_event};

static SYSTEM: LazyLock<System> = LazyLock::new(System::start);

fuzz_target!(|text: &str| {
    // Uses the input as the event and as the body, because a client's message is also JSON.
    handle(json!(text));
    if let Ok(event) = serde_json::from_str::<Value>(text) {
        invoke(event);
    }
});

fn handle(body: Value) {
    invoke(json!({
        "body": body,
        "requestContext": { "connectionId": CONNECTION, "connectedAt": 0, "requestTimeEpoch": 0, "identity": {} },
        "isBase64Encoded": false,
    }));
}

fn invoke(event: Value) {
    if let Ok(event) = serde_json::from_value::<ApiGatewayWebsocketProxyRequest>(event) {
        let known = event.request_context.connection_id.as_deref() == Some(CONNECTION);
        let result = SYSTEM.run(SYSTEM.default.handle(lambda_event(event)));
        assert!(!known || result.is_ok(), "{result:?}");
    }
}
