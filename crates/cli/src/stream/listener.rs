use std::time::Duration;

use anyhow::{bail, ensure};
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
use super::tally::Tally;
use super::{Address, Credential};
use crate::interrupt::Interrupt;
use crate::terminal::{self, ClosedPipe, counted, note};

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
    /// A CloudEvents 1.0 envelope around the event, one JSON object a line
    Cloudevents,
    /// Nothing: only the counts at the end
    None,
}

/// Prints one tenant's events, across connections.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Whose events.
    pub(crate) tenant: Tenant,
    /// Where from.
    pub(crate) address: Address,
    /// What to show at the door.
    pub(crate) credential: Option<Credential>,
    /// Which of the tenant's events.
    pub(crate) filter: Filter,
    /// In which form.
    pub(crate) output: Output,
    /// How many; without end if `None`.
    pub(crate) count: Option<u64>,
    /// For how long; without end if `None`.
    pub(crate) timeout: Option<Duration>,
    /// Whether to keep to oneself what is no failure.
    pub(crate) quiet: bool,
}

/// What outlives a connection.
struct State {
    seen: Seen,
    tally: Tally,
    subscribed_at: Option<Instant>,
    /// Whether any connection has been subscribed. Events may come before that, and so are no sign of it.
    has_subscribed: bool,
}

impl Listener {
    /// Listens until the count is reached, an interrupt, or a failure that another attempt would only repeat.
    pub(crate) async fn run(self, interrupt: &mut Interrupt) -> anyhow::Result<()> {
        let (seen, tally) = (Seen::new(REMEMBERED), Tally::default());
        let mut state = State { seen, tally, subscribed_at: None, has_subscribed: false };
        let ended = match self.timeout {
            None => self.listen(&mut state, interrupt).await,
            Some(limit) => match timeout(limit, self.listen(&mut state, interrupt)).await {
                Ok(ended) => ended,
                Err(_) => self.out_of_time(&state.tally, limit),
            },
        };
        let reader_left = ended.as_ref().is_err_and(|error| error.is::<ClosedPipe>());
        if state.tally.has_begun() && !reader_left {
            self.note(state.tally.summary(Instant::now()));
        }
        ended
    }

    /// What it means that the time is over: nothing, unless something was still to come.
    fn out_of_time(&self, tally: &Tally, limit: Duration) -> anyhow::Result<()> {
        let limit = indicatif::HumanDuration(limit);
        ensure!(tally.has_begun(), "no connection to {} in {limit}", self.address);
        let events = tally.events();
        let missing = self.count.filter(|count| events < *count);
        match missing {
            Some(count) => bail!("only {events} of {} came in {limit}", counted(count, "event")),
            None => Ok(()),
        }
    }

    fn note(&self, text: String) {
        if !self.quiet {
            note(text);
        }
    }

    async fn listen(&self, state: &mut State, interrupt: &mut Interrupt) -> anyhow::Result<()> {
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
                        ended = self.session(&mut socket, state) => ended,
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
                Failure::Final(error) | Failure::Refused(error) => {
                    return Err(error.context(format!("cannot listen at {}", self.address)));
                }
                Failure::Passing(reason) => reason,
            };
            if state.subscribed_at.is_some_and(|since| since.elapsed() >= STABLE) {
                delays = RECONNECTS.build();
            }
            let delay = delays.next().unwrap_or(STABLE);
            let what = if state.subscribed_at.is_some() { "lost the connection to" } else { "cannot connect to" };
            self.note(format!("{what} {}: {reason}; trying again in {:.1} s", self.address, delay.as_secs_f64()));
            tokio::select! {
                () = sleep(delay) => {}
                () = interrupt.received() => return Ok(()),
            }
        }
    }

    async fn connect(&self) -> Result<Socket, Failure> {
        let request = self.address.request(self.credential.as_ref()).map_err(Failure::Final)?;
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE));
        match timeout(CONNECT, connect_async_with_config(request, Some(config), true)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(refusal::handshake(&error, self.noun())),
            Err(_) => Err(Failure::Passing(format!("no answer in {} seconds", CONNECT.as_secs()))),
        }
    }

    async fn session(&self, socket: &mut Socket, state: &mut State) -> anyhow::Result<End> {
        session::run(socket, &self.filter, self.noun(), |incoming| match incoming {
            Incoming::Subscribed => {
                self.note(match std::mem::replace(&mut state.has_subscribed, true) {
                    false => format!("listening to {} at {}; Ctrl-C ends", self.tenant, self.address),
                    true => "connected again; what was published in between is missed".to_owned(),
                });
                let now = Instant::now();
                state.tally.subscribed(now);
                state.subscribed_at = Some(now);
                Ok(true)
            }
            Incoming::Event(text, change_type, id) => {
                let wanted = self.address.is_filtered() || state.subscribed_at.is_some();
                if !wanted {
                    return Ok(true);
                }
                if id.is_some_and(|id| !state.seen.is_new(id)) {
                    state.tally.repeat();
                    return Ok(true);
                }
                state.tally.event(change_type, Instant::now());
                self.print(text)?;
                Ok(self.count.is_none_or(|count| state.tally.events() < count))
            }
            Incoming::Remark(text) => {
                self.note(format!("the server says: {text}"));
                Ok(true)
            }
        })
        .await
    }

    fn noun(&self) -> Option<&'static str> {
        self.credential.as_ref().map(Credential::noun)
    }

    fn print(&self, text: &str) -> anyhow::Result<()> {
        match self.output {
            Output::Pretty => terminal::line(pretty(text)),
            Output::Json | Output::Cloudevents => terminal::raw_line(&on_one_line(text)),
            Output::None => Ok(()),
        }
    }
}
