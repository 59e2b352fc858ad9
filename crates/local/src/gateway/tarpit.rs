//! Holds connections that completed their handshake only to be refused. Clients that reset their backoff when a socket opens
//! would otherwise connect again at once, without end.
//!
//! Invariant: the addresses that are remembered and the connections that are held are bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::farewell::ServerSocket;
use crate::config::RefusalDelay;

/// Maximum number of connections that are held. Further ones are closed at once.
const HELD: usize = 512;
/// Maximum number of addresses that are remembered. Refusals of further ones count as first.
const ADDRESSES: usize = 1024;
/// The time after which an address is forgotten.
const MEMORY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Tarpit {
    delay: RefusalDelay,
    refused: Mutex<HashMap<IpAddr, PastRefusals>>,
    places: Semaphore,
}

#[derive(Clone, Copy, Debug)]
struct PastRefusals {
    number: u32,
    latest: Instant,
}

impl Tarpit {
    pub(crate) fn new(delay: RefusalDelay) -> Self {
        Self { delay, refused: Mutex::default(), places: Semaphore::new(HELD) }
    }

    /// Waits before a refused connection is closed, and discards its messages. A client that leaves ends the wait.
    pub(crate) async fn hold(&self, client: IpAddr, socket: &mut ServerSocket) {
        let earlier = self.count(client, Instant::now());
        let Ok(_place) = self.places.try_acquire() else { return };
        let _ = timeout(self.delay.after(earlier), async { while let Some(Ok(_)) = socket.next().await {} }).await;
    }

    /// Counts a refusal. Returns the number of earlier refusals of the address.
    fn count(&self, client: IpAddr, now: Instant) -> u32 {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, past| now.duration_since(past.latest) < MEMORY);
        if refused.len() >= ADDRESSES && !refused.contains_key(&client) {
            return 0;
        }
        let past = refused.entry(client).or_insert(PastRefusals { number: 0, latest: now });
        past.number += 1;
        past.latest = now;
        past.number - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[tokio::test]
    async fn refusals_are_counted_by_address_and_forgotten() {
        let tarpit = Tarpit::new(RefusalDelay::default());
        let now = Instant::now();
        assert_eq!([1, 1, 2, 1].map(|client| tarpit.count(address(client), now)), [0, 1, 0, 2]);
        assert_eq!(tarpit.count(address(1), now + MEMORY / 2), 3);
        assert_eq!(tarpit.count(address(1), now + MEMORY), 4, "each refusal renews the memory");
        assert_eq!(tarpit.count(address(2), now + MEMORY), 0);
    }

    #[tokio::test]
    async fn the_addresses_are_bounded() {
        let tarpit = Tarpit::new(RefusalDelay::default());
        let now = Instant::now();
        for client in 0..2000 {
            assert_eq!(tarpit.count(address(client), now), 0);
        }
        assert_eq!(tarpit.refused.lock().unwrap().len(), ADDRESSES);
        assert_eq!(tarpit.count(address(1), now), 1, "a known address still counts");
    }
}
