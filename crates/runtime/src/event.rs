use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// Reads an event from its JSON.
///
/// # Errors
/// A [`Failure`] with the line and the column. Unlike the error of serde, it does not repeat the text, which may be a token.
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
    fn the_error_does_not_repeat_the_value() {
        let event = r#"{"headers":{"Authorization":"Bearer eyJsecret\u0001"}}"#;
        let failure = read_event::<ApiGatewayWebsocketProxyRequest>(event.as_bytes()).unwrap_err();
        assert_eq!(failure.kind, "InvalidEvent");
        assert!(failure.message.contains("line 1, column ") && !failure.message.contains("eyJ"), "{failure}");
    }
}
