//! The door of every port: which clients may enter, for how long, and with how many bytes.
//!
//! Invariant: a request reaches a handler only if its host and its origin are accepted. Sockets, unfinished heads, unfinished
//! bodies and unread responses are bounded in number, time and bytes, whatever a client does.

mod bodies;
mod guard;
mod patient;
mod refusal;
mod sharing;
mod sockets;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::bodies::Bodies;
pub(crate) use self::bodies::{BodyError, ReadBody};
use self::guard::Guard;
use self::patient::PatientStream;
use self::sockets::Sockets;
use crate::config::{Config, SocketLimits};

/// Largest head of a request. All pages on `localhost` share their cookies.
const HEAD_BYTES: usize = 64 * 1024;

/// The rules of all ports, and the bytes that they hold together.
#[derive(Debug)]
pub(crate) struct Door {
    guard: Guard,
    bodies: Bodies,
    limits: SocketLimits,
}

impl Door {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            guard: Guard::new(config),
            bodies: Bodies::new(config.sockets.body_bytes, config.sockets.body_timeout),
            limits: config.sockets.clone(),
        }
    }

    /// Reads the body of a request. It counts as held until it is dropped.
    pub(crate) async fn read(&self, body: Body, most: usize) -> Result<ReadBody, BodyError> {
        self.bodies.read(body, most).await
    }

    /// Serves the listeners of one port until it is told to stop, and lets running requests end.
    pub(crate) async fn serve<F>(
        self: Arc<Self>,
        listeners: Vec<TcpListener>,
        stop: CancellationToken,
        handle: impl Fn(SocketAddr, Request) -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let sockets = Sockets::new(self.limits.number);
        let connections = TaskTracker::new();
        let serving = listeners.into_iter().map(async |listener| {
            while let Some((stream, client, place)) = sockets.next(&listener, &stop).await {
                let (door, stop, handle) = (Arc::clone(&self), stop.clone(), handle.clone());
                connections.spawn(async move {
                    door.connection(stream, client, stop, handle).await;
                    drop(place);
                });
            }
        });
        futures_util::future::join_all(serving).await;
        connections.close();
        connections.wait().await;
    }

    /// Serves a connection until it ends or becomes a WebSocket.
    async fn connection<F>(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        stop: CancellationToken,
        handle: impl Fn(SocketAddr, Request) -> F + Clone,
    ) where
        F: Future<Output = Response<Body>>,
    {
        // Messages are small, and a client waits for each of them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not switch Nagle's algorithm off");
        }
        let io = TokioIo::new(PatientStream::new(stream, self.limits.write_timeout));
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let answer = self.answer(client, request.map(Body::new), handle.clone());
            async { Ok::<_, Infallible>(answer.await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.limits.head_timeout).max_buf_size(HEAD_BYTES);
        let mut connection = std::pin::pin!(http.serve_connection(io, service).with_upgrades());
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
    }

    async fn answer<F>(
        &self,
        client: SocketAddr,
        request: Request,
        handle: impl Fn(SocketAddr, Request) -> F,
    ) -> Response<Body>
    where
        F: Future<Output = Response<Body>>,
    {
        let origin = match self.guard.check(&request) {
            Ok(origin) => origin,
            Err(refusal) => return refusal.into_response(),
        };
        let Some(origin) = origin else { return handle(client, request).await };
        if let Some(preflight) = sharing::preflight(&origin, &request) {
            return preflight;
        }
        let mut response = handle(client, request).await;
        sharing::share(&mut response, origin);
        response
    }
}
