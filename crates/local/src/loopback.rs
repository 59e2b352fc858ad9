//! Addresses on this machine: listeners for everything that `localhost` resolves to.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::error::StartError;

/// Listens on an address, and for 127.0.0.1 also on ::1: some clients try only `localhost`'s IPv6 address. Returns the
/// address with its port, and one or two listeners.
///
/// A machine without IPv6 has one listener. If the port was chosen, a program that already listens on ::1 is an error:
/// clients would reach that program. If the port was just assigned, no client knows it yet.
pub(crate) async fn listen(
    what: &'static str,
    option: &'static str,
    wanted: SocketAddr,
) -> Result<(SocketAddr, Vec<TcpListener>), StartError> {
    let failed = |source: std::io::Error| StartError::listen(what, option, wanted, &source);
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut listeners = vec![listener];
    if address.ip() == Ipv4Addr::LOCALHOST {
        let twin = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
        match TcpListener::bind(twin).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse && wanted.port() != 0 => {
                return Err(StartError::listen(what, option, twin, &error));
            }
            Err(error) => tracing::debug!(%error, %twin, "the IPv6 address is not available"),
        }
    }
    Ok((address, listeners))
}

/// Host and port for clients on this machine. `localhost` stands for the loopback address and for all interfaces: people type
/// it, and browsers treat it as a secure origin.
pub(crate) fn host(address: SocketAddr) -> String {
    if address.ip() == Ipv4Addr::LOCALHOST || address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// The address at which this process reaches a listener. The address of every interface cannot be connected to.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}
