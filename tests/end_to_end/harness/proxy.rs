//! A proxy between a client and a service that can refuse requests.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

/// The fate of a request.
pub(crate) enum Fate {
    Pass,
    Late(Duration),
    /// DynamoDB's answer to a throttled request.
    Throttled,
    Broken,
    /// No answer while the test runs.
    Never,
}

/// Starts a proxy in front of a service. Returns the URL of the proxy.
pub(crate) async fn proxy(target: String, fate: impl Fn() -> Fate + Clone + Send + Sync + 'static) -> String {
    proxy_by_operation(target, move |_| fate()).await
}

/// A proxy that chooses the fate of a request by its operation, such as `Query`.
pub(crate) async fn proxy_by_operation(
    target: String,
    fate: impl Fn(&str) -> Fate + Clone + Send + Sync + 'static,
) -> String {
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(move |mut request: Request| {
        let operation =
            request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()?.split('.').nth(1));
        let (client, target, fate) = (client.clone(), target.clone(), fate(operation.unwrap_or_default()));
        async move {
            match fate {
                Fate::Throttled => return refuse(StatusCode::BAD_REQUEST, "ThrottlingException"),
                Fate::Broken => return refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
                Fate::Never => std::future::pending().await,
                Fate::Late(delay) => tokio::time::sleep(delay).await,
                Fate::Pass => {}
            }
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = format!("{target}{path}").parse::<Uri>().unwrap();
            client.request(request).await.unwrap().map(Body::new)
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

fn refuse(status: StatusCode, kind: &str) -> Response<Body> {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}","message":"not now"}}"#);
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    response.body(Body::from(body)).unwrap()
}
