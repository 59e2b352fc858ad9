//! An `@connections` endpoint that accepts every message.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::serve::Listener;
use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificate::Certificate;

/// Serves until the process is killed, with the certificate in this folder if there is one. The first line of output is the
/// URL.
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
            let listener = TlsListener { tcp: listener, tls: Arc::new(config).into(), handshakes: JoinSet::new() };
            axum::serve(listener, app).await.unwrap();
        }
    }
}

/// Makes the handshakes side by side: a client that opens many connections at once must not wait for each of them in turn.
struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
    handshakes: JoinSet<std::io::Result<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.tcp) => {
                    let handshake = self.tls.accept(stream);
                    self.handshakes.spawn(async move { Ok((handshake.await?, address)) });
                }
                Some(handshake) = self.handshakes.join_next() => match handshake.unwrap() {
                    Ok(connection) => return connection,
                    Err(error) => eprintln!("TLS handshake failed: {error}"),
                },
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
