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
use tokio_util::task::AbortOnDropHandle;

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
        // In a task of its own: the engine hands its turn to the request that has waited longest, and a caller that does not poll its
        // request, because it waits for something else, would keep the turn from all others.
        let sending = AbortOnDropHandle::new(tokio::spawn(self.clone().send(request)));
        HttpConnectorFuture::new(async move {
            sending.await.unwrap_or_else(|error| Err(ConnectorError::other(error.into(), None)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_dynamodb::Client;
    use dynoxide::Database;
    use futures_util::poll;
    use tokio::time::timeout;

    use super::*;
    use crate::config::Config;
    use crate::settings::aws_config_with;

    #[tokio::test]
    async fn a_request_that_nobody_polls_holds_up_no_other() {
        let engine = Arc::new(Engine::new(Database::memory().unwrap()));
        let door = Arc::new(Door::new(&Config::default()));
        let connector = EngineConnector { door, engine: Arc::clone(&engine) };
        let client = Client::new(&aws_config_with("http://localhost", connector.into_client()));
        let turn = engine.hold().await;
        let mut unpolled = std::pin::pin!(client.list_tables().send());
        while engine.waiting() == 0 {
            assert!(poll!(unpolled.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        drop(turn);
        let other = timeout(Duration::from_secs(10), client.list_tables().send()).await;
        other.expect("it does not wait for the first").unwrap();
        unpolled.await.unwrap();
    }
}
