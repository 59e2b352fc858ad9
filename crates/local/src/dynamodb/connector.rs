//! The functions' way to the tables: the requests of the AWS SDK as they are, signed and in JSON, without a socket between two ends
//! of one process.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::body::Body;
use http_body_util::BodyExt;

use super::api;
use super::engine::Engine;
use crate::door::Door;

/// Sends the requests of an SDK's client to the engine.
#[derive(Clone, Debug)]
pub(crate) struct EngineConnector {
    pub(super) door: Arc<Door>,
    pub(super) engine: Arc<Engine>,
}

impl EngineConnector {
    /// The HTTP client for a client's configuration.
    pub(crate) fn into_client(self) -> SharedHttpClient {
        http_client_fn(move |_, _| SharedHttpConnector::new(self.clone()))
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let response = api::handle(self.door, self.engine, request.map(Body::new)).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| ConnectorError::io(error.into()))?.to_bytes();
        let response = axum::http::Response::from_parts(head, SdkBody::from(body));
        HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

impl HttpConnector for EngineConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
    }
}
