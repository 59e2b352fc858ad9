use serde::de::DeserializeOwned;

use crate::Failure;

/// Reads an event from its JSON.
///
/// # Errors
/// A [`Failure`] that says where it cannot be read. What stands there is not repeated, as serde would do: it may be a token.
pub fn read_event<A: DeserializeOwned>(json: &[u8]) -> Result<A, Failure> {
    serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::new("InvalidEvent", format!("the event cannot be read at line {line}, column {column}"))
    })
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;

    use super::*;

    #[test]
    fn a_value_that_cannot_be_read_is_not_repeated() {
        let event = r#"{"headers":{"Authorization":"Bearer eyJsecret\u0001"}}"#;
        let failure = read_event::<ApiGatewayWebsocketProxyRequest>(event.as_bytes()).unwrap_err();
        assert_eq!(failure.kind, "InvalidEvent");
        assert!(failure.message.contains("line 1, column ") && !failure.message.contains("eyJ"), "{failure}");
    }
}
