use std::time::Duration;

/// The times of a stream. The default is right for API Gateway; a program changes single fields of it.
///
/// ```
/// use std::time::Duration;
///
/// use entity_stream_client::{Client, StreamTiming};
///
/// let mut timing = StreamTiming::default();
/// timing.connect = Duration::from_secs(5);
/// let builder = Client::builder("ws://localhost:3000", "demo").timing(timing);
/// # drop(builder);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamTiming {
    /// The time that a token source, name resolution, TCP, TLS and the handshake may take together: 40 seconds. API Gateway holds
    /// a handshake for 29 seconds at most.
    pub connect: Duration,
    /// The time that the server may take to answer a request: 30 seconds.
    pub answer: Duration,
    /// The time between two signs of life: 5 minutes. API Gateway closes a connection that is silent for twice as long.
    pub ping: Duration,
    /// The time that the server may take to answer a sign of life: 10 seconds.
    pub pong: Duration,
    /// The longest delay before the second attempt to connect: half a second. The delay doubles with each failure. Each delay is a
    /// random part of it, so that clients that lost their connections together do not come back together.
    pub shortest_delay: Duration,
    /// The longest delay before any attempt: 30 seconds.
    pub longest_delay: Duration,
    /// The age from which the failure of a subscribed connection counts as the first failure: 30 seconds.
    pub stable: Duration,
    /// The time before the end of a token at which the stream renews it, at most half of the token's life: 1 minute. It counts
    /// for tokens of a [token source](crate::ClientBuilder::token_source).
    pub renew_before: Duration,
    /// The age at which the stream opens the next connection and closes the old one, less up to a tenth at random: 110 minutes. API
    /// Gateway ends each connection after two hours.
    pub rotate_after: Duration,
    /// The time for which a replaced connection still receives events that are under way, and the longest time for leaving a
    /// group: 10 seconds.
    pub drain: Duration,
}

impl StreamTiming {
    pub(crate) const DEFAULT: Self = Self {
        connect: Duration::from_secs(40),
        answer: Duration::from_secs(30),
        ping: Duration::from_secs(5 * 60),
        pong: Duration::from_secs(10),
        shortest_delay: Duration::from_millis(500),
        longest_delay: Duration::from_secs(30),
        stable: Duration::from_secs(30),
        renew_before: Duration::from_secs(60),
        rotate_after: Duration::from_secs(110 * 60),
        drain: Duration::from_secs(10),
    };
}

impl Default for StreamTiming {
    fn default() -> Self {
        Self::DEFAULT
    }
}
