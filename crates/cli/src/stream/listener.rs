use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use entity_stream_protocol::{Filter, Tenant};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::frame::on_one_line;
use super::pretty::pretty;
use super::refusal::{self, Failure};
use super::seen::Seen;
use super::session::{self, End, Incoming, Socket};
use super::{Address, Token};
use crate::interrupt::Interrupt;
use crate::terminal::{self, note};

/// Delays before connecting again. The jitter adds up to as much again, so that they lie between 0.5 and 30 seconds.
const RECONNECTS: ExponentialBuilder = ExponentialBuilder::new()
    .with_jitter()
    .with_min_delay(Duration::from_millis(500))
    .with_max_delay(Duration::from_secs(15))
    .without_max_times();
/// A connection that lasted this long was a good one: the next failure starts from the shortest delay.
const STABLE: Duration = Duration::from_secs(60);
/// How long name resolution, TCP, TLS and the handshake may take. API Gateway holds the handshake for 29 seconds at most.
const CONNECT: Duration = Duration::from_secs(40);
/// Events remembered for dropping repeats: minutes of a busy stream.
const REMEMBERED: usize = 10_000;
/// Far above the 128 KB that a message may have.
const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// One readable line for each event
    Pretty,
    /// The event as it came, one JSON object a line
    Json,
}

/// Prints one tenant's events, across connections.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Whose events.
    pub(crate) tenant: Tenant,
    /// Where from.
    pub(crate) address: Address,
    /// What to show at the door.
    pub(crate) token: Option<Token>,
    /// Which of the tenant's events.
    pub(crate) filter: Filter,
    /// In which form.
    pub(crate) output: Output,
    /// How many; without end if `None`.
    pub(crate) count: Option<u64>,
}

/// What outlives a connection.
struct State {
    seen: Seen,
    left: Option<u64>,
    been_connected: bool,
    subscribed_at: Option<Instant>,
}

impl Listener {
    /// Listens until the count is reached, an interrupt, or a failure that another attempt would only repeat.
    pub(crate) async fn run(self, interrupt: &mut Interrupt) -> anyhow::Result<()> {
        let mut state =
            State { seen: Seen::new(REMEMBERED), left: self.count, been_connected: false, subscribed_at: None };
        let mut delays = RECONNECTS.build();
        loop {
            state.subscribed_at = None;
            let connected = tokio::select! {
                connected = self.connect() => connected,
                () = interrupt.received() => return Ok(()),
            };
            let failure = match connected {
                Err(failure) => failure,
                Ok(mut socket) => {
                    let ended = tokio::select! {
                        ended = self.session(&mut socket, &mut state) => ended,
                        () = interrupt.received() => Ok(End::Enough),
                    };
                    session::close(socket).await;
                    match ended? {
                        End::Enough => return Ok(()),
                        End::Failed(failure) => failure,
                    }
                }
            };
            let reason = match failure {
                Failure::Final(error) => return Err(error.context(format!("cannot listen at {}", self.address))),
                Failure::Passing(reason) => reason,
            };
            if state.subscribed_at.is_some_and(|since| since.elapsed() >= STABLE) {
                delays = RECONNECTS.build();
            }
            let delay = delays.next().unwrap_or(STABLE);
            let what = if state.subscribed_at.is_some() { "lost the connection to" } else { "cannot connect to" };
            note(format!("{what} {}: {reason}; trying again in {:.1} s", self.address, delay.as_secs_f64()));
            tokio::select! {
                () = sleep(delay) => {}
                () = interrupt.received() => return Ok(()),
            }
        }
    }

    async fn connect(&self) -> Result<Socket, Failure> {
        let request = self.address.request(self.token.as_ref()).map_err(Failure::Final)?;
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE));
        match timeout(CONNECT, connect_async_with_config(request, Some(config), true)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(refusal::handshake(&error, self.token.is_some())),
            Err(_) => Err(Failure::Passing(format!("no answer in {} seconds", CONNECT.as_secs()))),
        }
    }

    async fn session(&self, socket: &mut Socket, state: &mut State) -> anyhow::Result<End> {
        session::run(socket, &self.filter, self.token.is_some(), |incoming| match incoming {
            Incoming::Subscribed => {
                note(match state.been_connected {
                    false => format!("listening to {} at {}; Ctrl-C ends", self.tenant, self.address),
                    true => "connected again; what was published in between is missed".to_owned(),
                });
                (state.been_connected, state.subscribed_at) = (true, Some(Instant::now()));
                Ok(true)
            }
            Incoming::Event(text, id) => {
                let wanted = self.address.is_filtered() || state.subscribed_at.is_some();
                if !wanted || id.is_some_and(|id| !state.seen.is_new(id)) {
                    return Ok(true);
                }
                self.print(text)?;
                state.left = state.left.map(|left| left.saturating_sub(1));
                Ok(state.left != Some(0))
            }
            Incoming::Remark(text) => {
                note(format!("the server says: {text}"));
                Ok(true)
            }
        })
        .await
    }

    fn print(&self, text: &str) -> anyhow::Result<()> {
        match self.output {
            Output::Pretty => terminal::line(pretty(text)),
            Output::Json => terminal::raw_line(&on_one_line(text)),
        }
    }
}
