use tokio::time::Instant;

/// The state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// The stream has no subscription, and so no connection. The next subscription opens one.
    Idle,
    /// The client opens a connection, and gives up at `until`.
    Connecting {
        /// The end of this attempt.
        until: Instant,
    },
    /// The connection is open, and the client waits for the answer to `subscribe`.
    Subscribing {
        /// The time at which the client gives up.
        until: Instant,
    },
    /// The subscriptions are in force: every change that matches is delivered.
    Streaming {
        /// The time at which the server confirmed the subscriptions.
        since: Instant,
        /// The time of the next ping.
        ping_at: Instant,
        /// The time until which the server has to answer the last ping. `None` if it has answered.
        answer_by: Option<Instant>,
        /// The time until which the server has to answer the request about subscriptions, or about a snapshot, that is under
        /// way. `None` if none is.
        accept_by: Option<Instant>,
        /// The time at which the client sends the next request for a snapshot, or a request about subscriptions once more. `None` if
        /// neither waits.
        request_at: Option<Instant>,
    },
    /// There is no connection. The client connects at `until`.
    Waiting {
        /// The time of the next attempt.
        until: Instant,
    },
    /// The stream ended: it was closed, or another attempt would fail as well.
    Closed,
}

impl StreamState {
    /// The time at which the state ends by itself. `None` in `Idle` and `Closed`.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Self::Connecting { until } | Self::Subscribing { until } | Self::Waiting { until } => Some(until),
            Self::Streaming { ping_at, answer_by, accept_by, request_at, .. } => {
                let next = answer_by.unwrap_or(ping_at);
                [accept_by, request_at].into_iter().flatten().chain([next]).min()
            }
            Self::Idle | Self::Closed => None,
        }
    }
}
