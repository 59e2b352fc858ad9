//! An `@connections` endpoint that accepts every message.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::serve::Listener;
use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificate::Certificate;

/// Serves until it is killed, with the certificate in this folder if there is one. Its first line is its URL.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve(certificate: Option<&Path>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(async |_: Bytes| StatusCode::OK);
    match certificate {
        None => {
            println!("http://{address}");
            axum::serve(listener, app).await.unwrap();
        }
        Some(folder) => {
            let (chain, key) = Certificate::read(folder);
            let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
            println!("https://{address}");
            axum::serve(TlsListener { tcp: listener, tls: Arc::new(config).into() }, app).await.unwrap();
        }
    }
}

struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.tcp).await;
            match self.tls.accept(stream).await {
                Ok(stream) => return (stream, address),
                Err(error) => eprintln!("a handshake failed: {error}"),
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
