use serde::{Deserialize, Serialize};

use crate::json::to_json;

/// API Gateway's own frame, which tells a client that a function failed. It answers no request of the client's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayError {
    /// API Gateway's text, such as `Internal server error`.
    pub message: String,
    /// The id of the connection.
    pub connection_id: String,
    /// API Gateway's id of the request. It is not a `requestId` of the client's.
    pub request_id: String,
}

impl GatewayError {
    /// API Gateway's text if a function fails, times out or returns a malformed result.
    pub const INTERNAL: &'static str = "Internal server error";

    /// The text frame, with the spaces that API Gateway puts into it.
    pub fn to_json(&self) -> String {
        let [message, connection_id, request_id] = [&self.message, &self.connection_id, &self.request_id].map(to_json);
        format!(r#"{{"message": {message}, "connectionId":{connection_id}, "requestId":{request_id}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame was observed on API Gateway.
    #[test]
    fn has_the_text_of_api_gateway() {
        let error = GatewayError {
            message: GatewayError::INTERNAL.to_owned(),
            connection_id: "XyZ12cdeIAMCJ1g=".to_owned(),
            request_id: "XyZ13E=".to_owned(),
        };
        let frame = r#"{"message": "Internal server error", "connectionId":"XyZ12cdeIAMCJ1g=", "requestId":"XyZ13E="}"#;
        assert_eq!(error.to_json(), frame);
        assert_eq!(serde_json::from_str::<GatewayError>(frame).unwrap(), error);
    }
}
