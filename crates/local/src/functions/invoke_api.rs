use axum::http::{Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use super::function::{Function, InvokeError};
use crate::config::FunctionNames;
use crate::error::StartError;

/// Lambda's Invoke API at an endpoint such as `cargo lambda watch` or `sam local start-lambda` offer. They check no
/// signatures, so requests have none.
#[derive(Debug)]
pub(crate) struct InvokeApi {
    client: Client<HttpConnector, Full<Bytes>>,
    endpoint: String,
    names: FunctionNames,
}

/// Lambda's answer for a function that failed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_message: String,
}

impl InvokeApi {
    pub(crate) fn new(endpoint: &str, names: FunctionNames) -> Result<Self, StartError> {
        // The part before an `@` may be a password.
        let shown = endpoint.rsplit_once('@').map_or_else(|| endpoint.to_owned(), |(_, rest)| format!("…@{rest}"));
        let invalid = || StartError::LambdaEndpoint(shown.clone());
        let uri: Uri = endpoint.parse().map_err(|_| invalid())?;
        let is_plain = uri.path() == "/" && uri.query().is_none() && !endpoint.contains(['@', '#']);
        if uri.scheme_str() != Some("http") || uri.host().is_none() || !is_plain {
            return Err(invalid());
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { client, endpoint: endpoint.trim_end_matches('/').to_owned(), names })
    }

    /// Source of the path and the headers: "Invoke", AWS Lambda API Reference.
    pub(crate) async fn invoke(&self, function: Function, payload: Bytes) -> Result<Bytes, InvokeError> {
        let name = match function {
            Function::Connect => &self.names.connect,
            Function::Disconnect => &self.names.disconnect,
            Function::Default => &self.names.default,
            Function::Broadcast => &self.names.broadcast,
            Function::Ingest => &self.names.ingest,
        };
        let unavailable = |error: &dyn std::fmt::Display| {
            InvokeError::Unavailable(format!("function {name:?} at {} cannot be invoked: {error}", self.endpoint))
        };
        let request = Request::post(format!("{}/2015-03-31/functions/{name}/invocations", self.endpoint))
            .header("x-amz-invocation-type", "RequestResponse")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(payload))
            .map_err(|error| unavailable(&error))?;
        let response = self.client.request(request).await.map_err(|error| unavailable(&error))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| unavailable(&error))?.to_bytes();
        if parts.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(InvokeError::Throttled(format!("function {name:?} at {} is throttled", self.endpoint)));
        }
        // Lambda answers 200 with a header for a function that failed; `cargo lambda watch` answers 500.
        if parts.headers.contains_key("x-amz-function-error") || parts.status.is_server_error() {
            return Err(match serde_json::from_slice::<FunctionError>(&body) {
                Ok(error) => InvokeError::Function { kind: error.error_type, message: error.error_message },
                Err(_) => unavailable(&parts.status),
            });
        }
        if !parts.status.is_success() {
            return Err(unavailable(&parts.status));
        }
        Ok(body)
    }
}
