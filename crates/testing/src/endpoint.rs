use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A request to an endpoint.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The HTTP method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer of an endpoint.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, headers and a body.
    Status(u16, &'static [(&'static str, &'static str)], String),
    /// No answer while the test runs.
    Never,
    /// A status line, after which the connection breaks.
    Reset,
    /// The same answer after a delay.
    After(Duration, Box<Reply>),
    /// The same answer when the test adds permits.
    When(Arc<Semaphore>, Box<Reply>),
    /// The answer of the server at this base URL to the same request.
    From(String),
}

impl Reply {
    /// An empty answer with this status.
    pub fn status(status: u16) -> Self {
        Self::Status(status, &[], String::new())
    }

    /// Status 200 with a JSON body.
    pub fn json(body: impl Into<String>) -> Self {
        Self::Status(200, &[("content-type", "application/json")], body.into())
    }
}

/// An HTTP endpoint on a free port, in place of a service that must fail or answer in a certain way.
#[derive(Debug)]
pub struct Endpoint {
    /// The base URL, without a slash at its end.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Endpoint {
    /// Starts an endpoint that gives one reply after the other, and then repeats the last one.
    pub async fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Mutex<VecDeque<Reply>> = Mutex::new(replies.into_iter().collect());
        Self::new(move |_| {
            let mut replies = replies.lock().unwrap();
            if replies.len() > 1 { replies.pop_front().unwrap() } else { replies[0].clone() }
        })
        .await
    }

    /// Starts an endpoint whose answers `reply` chooses.
    pub async fn new(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (reply, log) = (Arc::new(reply), Arc::clone(&asked));
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let app = Router::new().fallback(move |request: Request| {
            let (reply, log, client) = (Arc::clone(&reply), Arc::clone(&log), client.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let path = parts.uri.path().to_owned();
                let asked = Asked { method: parts.method.to_string(), path, headers: parts.headers, body };
                log.lock().unwrap().push(asked.clone());
                let mut reply = reply(&asked);
                loop {
                    reply = match reply {
                        Reply::After(delay, later) => {
                            tokio::time::sleep(delay).await;
                            *later
                        }
                        Reply::When(permits, later) => {
                            permits.acquire().await.unwrap().forget();
                            *later
                        }
                        _ => break,
                    };
                }
                match reply {
                    Reply::Never | Reply::After(..) | Reply::When(..) => std::future::pending().await,
                    Reply::Reset => {
                        let broken = futures_util::stream::once(async { Err::<Bytes, _>("the connection breaks") });
                        Response::new(Body::from_stream(broken))
                    }
                    Reply::From(server) => {
                        let mut request = Request::builder().method(asked.method.as_str());
                        *request.headers_mut().unwrap() = asked.headers;
                        let request = request.uri(format!("{server}{}", asked.path)).body(Full::new(asked.body));
                        client.request(request.unwrap()).await.unwrap().map(Body::new)
                    }
                    Reply::Status(status, headers, body) => {
                        let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
                        for (name, value) in headers {
                            response = response.header(*name, *value);
                        }
                        response.body(Body::from(body)).unwrap()
                    }
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, asked }
    }

    /// Returns all requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}
