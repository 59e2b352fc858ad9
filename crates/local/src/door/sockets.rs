use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The wait after a socket could not be accepted, for example because the process has too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The sockets of one port. Beyond their number, clients wait until a socket closes: one of each listener here, the others in
/// the operating system's queue.
#[derive(Debug)]
pub(super) struct Sockets(Arc<Semaphore>);

impl Sockets {
    pub(super) fn new(number: usize) -> Self {
        Self(Arc::new(Semaphore::new(number)))
    }

    /// The next socket and its place, or nothing when the port stops.
    pub(super) async fn next(
        &self,
        listener: &TcpListener,
        stop: &CancellationToken,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        stop.run_until_cancelled(self.accept(listener)).await?
    }

    async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let (stream, client) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        // A place is taken only for a socket: the listeners of a port share the places. It fails only when it is closed, which
        // it never is.
        let place = Arc::clone(&self.0).acquire_owned().await.ok()?;
        Some((stream, client, place))
    }
}
