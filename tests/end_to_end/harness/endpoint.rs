//! Services at the other end of a wire, for what the local ones do not do by themselves: fail.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::net::TcpListener;

/// What an endpoint was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What an endpoint answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, headers and a body.
    Status(u16, &'static [(&'static str, &'static str)], String),
    /// Nothing, for as long as the test runs.
    Never,
    /// A status line, and then the connection breaks.
    Reset,
    /// The same, later.
    After(Duration, Box<Reply>),
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, &[], String::new())
    }

    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self::Status(200, &[("content-type", "application/json")], body.into())
    }
}

/// An HTTP endpoint that answers from a script, and with its last line when the script is over.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Endpoint {
    /// Answers one reply after the other.
    pub(crate) async fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Mutex<VecDeque<Reply>> = Mutex::new(replies.into_iter().collect());
        Self::new(move |_| {
            let mut replies = replies.lock().unwrap();
            if replies.len() > 1 { replies.pop_front().unwrap() } else { replies[0].clone() }
        })
        .await
    }

    /// Answers as `reply` decides.
    pub(crate) async fn new(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (reply, log) = (Arc::new(reply), Arc::clone(&asked));
        let app = Router::new().fallback(move |request: Request| {
            let (reply, log) = (Arc::clone(&reply), Arc::clone(&log));
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let path = parts.uri.path().to_owned();
                let asked = Asked { method: parts.method.to_string(), path, headers: parts.headers, body };
                log.lock().unwrap().push(asked.clone());
                let mut reply = reply(&asked);
                while let Reply::After(delay, later) = reply {
                    tokio::time::sleep(delay).await;
                    reply = *later;
                }
                match reply {
                    Reply::Never | Reply::After(..) => std::future::pending().await,
                    Reply::Reset => {
                        let broken = futures_util::stream::once(async { Err::<Bytes, _>("the connection breaks") });
                        Response::new(Body::from_stream(broken))
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

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}
