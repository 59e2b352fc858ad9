use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use entity_stream_clock::Clock;
use entity_stream_protocol::limits;
use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::AUTH_IN_BAND;

use crate::access::Access;

/// The first path segment of the local system's own pages. A stage cannot have this name.
pub(crate) const RESERVED: &str = "_local";

/// The settings of the local system. [`Config::default`] are the settings of `entity-stream local` without options.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the gateway, the `@connections` API and the event bus. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// The address of the embedded DynamoDB. Port 0 takes a free port.
    pub dynamodb: SocketAddr,
    /// The file that holds the table; in memory without one.
    pub data: Option<PathBuf>,
    /// The stage's name, the first part of a path on API Gateway. Paths without it work too.
    pub stage: String,
    /// The hosts and origins that are accepted beside those of this machine.
    pub access: Access,
    /// The bounds of sockets.
    pub sockets: SocketLimits,
    /// The answer to a client without authorisation.
    pub refuse_with: RefuseWith,
    /// The delay before a connection is closed that completed its handshake only to be refused.
    pub refusal_delay: RefusalDelay,
    /// The time in which accepted events are delivered when the system stops.
    pub drain: Duration,
    /// The host of the five functions.
    pub functions: FunctionHost,
    /// `EVENT_STREAMING_ENABLED`, as the functions that run in-process see it.
    pub event_streaming_enabled: bool,
    /// `AUTH_ENABLED`, as the functions that run in-process see it.
    pub auth_enabled: bool,
    /// The other variables of the functions that run in-process: those of authentication, above all.
    pub environment: Environment,
    /// The times that API Gateway and Lambda fix and tests shorten.
    pub times: Times,
    /// The events that the bus holds until they are delivered.
    pub queue: QueueCapacity,
    /// True to handle the messages of one connection one after the other. API Gateway promises no order, so by default
    /// they are handled at the same time.
    pub serial_messages: bool,
    /// True to route a message by its `action` even if it is JSON5 and not JSON, such as `{action: "ping"}`. API Gateway
    /// has been observed to do so; the exact syntax that it accepts is not documented.
    pub lenient_routing: bool,
    /// The time of day for the functions that run in-process.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            dynamodb: SocketAddr::from(([127, 0, 0, 1], 8000)),
            data: None,
            stage: "local".to_owned(),
            access: Access::default(),
            sockets: SocketLimits::default(),
            refuse_with: RefuseWith::default(),
            refusal_delay: RefusalDelay::default(),
            drain: Duration::from_secs(5),
            functions: FunctionHost::default(),
            event_streaming_enabled: true,
            auth_enabled: false,
            environment: Environment::new(|_| None),
            times: Times::default(),
            queue: QueueCapacity::default(),
            serial_messages: false,
            lenient_routing: false,
            clock: Clock::system(),
        }
    }
}

impl Config {
    /// True if clients may authenticate with their first message.
    pub(crate) fn in_band(&self) -> bool {
        self.auth_enabled && self.environment.optional(AUTH_IN_BAND).as_deref() == Some("true")
    }
}

/// The answer to a client whose connection is refused with 401 or 403.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefuseWith {
    /// The handshake completes and the connection is closed with 1008 and a reason, as clients of the original contract expect.
    #[default]
    Close,
    /// The handshake fails with the HTTP status, as on API Gateway; a browser reports 1006.
    Status,
}

/// The host of the five functions.
#[derive(Clone, Debug, Default)]
pub enum FunctionHost {
    /// In this process: the same handlers, fed with the same JSON.
    #[default]
    InProcess,
    /// Behind Lambda's Invoke API at this URL, such as `http://localhost:9000` of `cargo lambda watch`.
    Lambda {
        /// Scheme, host and port.
        endpoint: String,
        /// The functions' names there.
        names: FunctionNames,
    },
}

/// The names under which the five functions are invoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionNames {
    /// `$connect`'s function.
    pub connect: String,
    /// `$disconnect`'s function.
    pub disconnect: String,
    /// `$default`'s function.
    pub default: String,
    /// The event rule's target.
    pub broadcast: String,
    /// The function that takes the notifications of brokers.
    pub ingest: String,
}

impl Default for FunctionNames {
    /// The names of the binaries.
    fn default() -> Self {
        Self {
            connect: "connect".to_owned(),
            disconnect: "disconnect".to_owned(),
            default: "default".to_owned(),
            broadcast: "broadcast".to_owned(),
            ingest: "ingest".to_owned(),
        }
    }
}

/// The times that API Gateway and Lambda fix.
#[derive(Clone, Debug)]
pub struct Times {
    /// Silence in both directions after which a connection is closed with 1001.
    pub idle_timeout: Duration,
    /// Age at which a connection is closed with 1001.
    pub max_duration: Duration,
    /// The time limit of an integration. API Gateway allows at most 29 seconds.
    pub integration_timeout: Duration,
    /// The time limit of one invocation of `broadcast`: the time-out of its function.
    pub broadcast_timeout: Duration,
    /// The waits before the retries of a failed asynchronous invocation, whose number is theirs.
    pub retry_delays: Vec<Duration>,
}

impl Default for Times {
    /// API Gateway's and Lambda's own.
    fn default() -> Self {
        Self {
            idle_timeout: limits::IDLE_TIMEOUT,
            max_duration: limits::CONNECTION_LIFETIME,
            integration_timeout: Duration::from_secs(29),
            broadcast_timeout: Duration::from_secs(60),
            retry_delays: vec![Duration::from_secs(60), Duration::from_secs(120)],
        }
    }
}

/// The most that the event bus holds: events that wait, that the function has, or that wait for a retry. One tenant can use
/// half of it. The bus refuses further events of the tenant with `ThrottlingException`.
#[derive(Clone, Copy, Debug)]
pub struct QueueCapacity {
    /// The events of all tenants.
    pub events: usize,
    /// The bytes of these events.
    pub bytes: usize,
}

impl Default for QueueCapacity {
    fn default() -> Self {
        Self { events: 20_000, bytes: 128 * 1024 * 1024 }
    }
}

/// The bounds of sockets, which keep one client from taking the memory or the files of all.
#[derive(Clone, Debug)]
pub struct SocketLimits {
    /// Sockets of one port that are not WebSockets. Further clients wait.
    pub number: usize,
    /// WebSockets. Further handshakes are answered with 429.
    pub websockets: usize,
    /// The time for the head of a request, and for the silence between two requests.
    pub head_timeout: Duration,
    /// The time for the body of a request.
    pub body_timeout: Duration,
    /// The bytes of bodies that all ports hold together.
    pub body_bytes: usize,
    /// The time in which a client has to accept another byte.
    pub write_timeout: Duration,
    /// The bytes of messages that wait for one WebSocket client.
    pub outgoing_bytes: usize,
    /// The notifications of brokers that are published at the same time. Each of them holds sockets: the sender's, and those of
    /// its requests to the bus. If senders held all of them, no notification would reach the bus. And many that are published
    /// together are all published in part, and sent again as a whole.
    pub notifications: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            number: 4096,
            websockets: 100_000,
            head_timeout: Duration::from_secs(20),
            body_timeout: Duration::from_secs(20),
            body_bytes: 64 * 1024 * 1024,
            write_timeout: Duration::from_secs(30),
            outgoing_bytes: 2 * 1024 * 1024,
            notifications: 16,
        }
    }
}

impl SocketLimits {
    /// Leaves files for the rest of the process: half of them are for WebSockets, and an eighth for each of the two ports.
    pub(crate) fn within(self, open_files: u64) -> Self {
        let files = usize::try_from(open_files).unwrap_or(usize::MAX);
        Self { number: self.number.min(files / 8), websockets: self.websockets.min(files / 2), ..self }
    }
}

/// The delay before a refused connection is closed. Many clients connect again at once after each handshake that succeeds.
#[derive(Clone, Copy, Debug)]
pub struct RefusalDelay {
    /// The delay of the first refusal of an address.
    pub first: Duration,
    /// The longest delay. Each further refusal doubles the delay up to this one.
    pub longest: Duration,
}

impl Default for RefusalDelay {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(8) }
    }
}

impl RefusalDelay {
    /// The delay after this many earlier refusals.
    pub(crate) fn after(&self, earlier: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(earlier)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_leave_files_for_the_rest() {
        let few = SocketLimits::default().within(1024);
        assert_eq!((few.number, few.websockets), (128, 512));
        let many = SocketLimits::default().within(u64::MAX);
        assert_eq!((many.number, many.websockets), (4096, 100_000));
    }

    #[test]
    fn the_delay_of_refusals_doubles_up_to_its_longest() {
        let seconds = [0, 1, 2, 3, 4, 40, u32::MAX].map(|earlier| RefusalDelay::default().after(earlier).as_secs());
        assert_eq!(seconds, [1, 2, 4, 8, 8, 8, 8]);
        let none = RefusalDelay { first: Duration::ZERO, ..RefusalDelay::default() };
        assert_eq!(none.after(7), Duration::ZERO);
    }
}
