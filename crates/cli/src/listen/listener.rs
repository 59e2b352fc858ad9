use std::time::{Duration, SystemTime};

use anyhow::{anyhow, bail, ensure};
use entity_stream_client::{Client, ClientError, EntityStream, StreamItem, StreamState, SubscriptionRequest};
use entity_stream_protocol::{EpochMillis, GroupId, Tenant};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::forwarding::{Forwarding, Receiver, Unsent};
use crate::interrupt::Interrupt;
use crate::listen::leaving::leave;
use crate::listen::missed::{not_recovered, recovered};
use crate::listen::prompt::Prompt;
use crate::listen::resume_file::ResumeFile;
use crate::listen::sinks::{EventOutput, EventSinks};
use crate::listen::tally::Tally;
use crate::recording::Recorder;
use crate::refusal::explain;
use crate::terminal::{ClosedPipe, counted, grouped, note};

/// The shortest time between two writes of the place.
const SAVE: Duration = Duration::from_secs(1);

/// Prints the events of one tenant.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// The client of the tenant's stream.
    pub(crate) client: Client,
    /// The consumer group that the listener leaves at its end. `None` for a listener of its own.
    pub(crate) group: Option<GroupId>,
    /// The form of the events.
    pub(crate) output: EventOutput,
    /// The number of events after which the command ends. `None` for no end.
    pub(crate) count: Option<u64>,
    /// The time after which the command ends. `None` for no end.
    pub(crate) timeout: Option<Duration>,
    /// True to print nothing but failures on standard error.
    pub(crate) quiet: bool,
    /// The file that keeps the place of the listener. `None` to keep none.
    pub(crate) resume_file: Option<ResumeFile>,
    /// True if the listener begins with past events or with a snapshot. It has no place before their end.
    pub(crate) begins_in_past: bool,
    /// The time until which an earlier listener had each event, if this one begins there.
    pub(crate) resumed_from: Option<EpochMillis>,
    /// The receiver to which each event is forwarded. `None` to forward none.
    pub(crate) receiver: Option<Receiver>,
    /// The recording that gets each event. `None` for no recording.
    pub(crate) recorder: Option<Recorder>,
    /// Lines that change the filter and the form. `None` for none.
    pub(crate) prompt: Option<Prompt>,
}

impl Listener {
    /// Listens until the count is reached, an interrupt, or a failure that another attempt would only repeat.
    pub(crate) async fn run(mut self, interrupt: &mut Interrupt) -> anyhow::Result<()> {
        let (mut stream, mut tally, mut file) = (self.client.connect(), Tally::default(), self.resume_file.take());
        let mut sinks = EventSinks {
            output: self.output,
            forwarding: self.receiver.take().map(Forwarding::new),
            recorder: self.recorder.take(),
        };
        let prompt = self.prompt.take();
        let listening = self.listen(&mut stream, &mut tally, &mut file, (&mut sinks, prompt), interrupt);
        let listened = match self.timeout {
            None => Ok(listening.await),
            Some(limit) => timeout(limit, listening).await.map_err(|_| limit),
        };
        let state = stream.state();
        let left = match (&self.group, &listened) {
            // The events of this member could not be printed.
            (None, _) | (_, Ok(Err(_))) => Ok(()),
            (Some(group), _) => {
                self.note(format!("leaving the group {group}"));
                leave(&mut stream, &mut tally, &mut sinks).await
            }
        };
        let ended = listened.unwrap_or_else(|limit| self.out_of_time(&tally, state, limit)).and(left);
        let saved = file.as_mut().map_or(Ok(()), ResumeFile::save);
        let saved = saved.and(sinks.flush());
        let has_past_left = matches!(stream.state(), StreamState::Subscribing { .. }) && tally.has_begun();
        if file.is_some() && has_past_left {
            self.note("ended before all missed events were printed; the next command begins with the same ones");
        }
        let repeats = stream.repeats();
        stream.close().await;
        let reader_left = ended.as_ref().is_err_and(|error| error.is::<ClosedPipe>());
        if tally.has_begun() && !reader_left {
            self.note(tally.summary(repeats, Instant::now()));
        }
        if let Some(recorder) = sinks.recorder.take_if(|_| !tally.has_begun()) {
            recorder.discard();
        }
        let forwarded = sinks.forwarding.map_or(Ok(()), |forwarding| {
            if tally.has_begun() {
                self.note(forwarding.summary());
            }
            forwarding.result(match (&file, &self.group) {
                (Some(_), _) => Unsent::KeptInFile,
                (None, Some(_)) => Unsent::LostToGroup,
                (None, None) => Unsent::Lost,
            })
        });
        ended.and(saved).and(forwarded)
    }

    /// The result when the time is over: a failure only if the server accepted no subscription, or if events are missing.
    fn out_of_time(&self, tally: &Tally, state: StreamState, limit: Duration) -> anyhow::Result<()> {
        let (limit, url) = (indicatif::HumanDuration(limit), self.client.url());
        if !tally.has_begun() && matches!(state, StreamState::Subscribing { .. }) {
            // A server that refuses a client can delay its answer.
            bail!("{url} did not answer in {limit}; `entity-stream doctor {}` finds the reason", self.tenant);
        }
        ensure!(tally.has_begun(), "no connection to {url} in {limit}");
        let events = tally.events();
        match self.count.filter(|count| events < *count) {
            Some(count) => bail!("only {events} of {} came in {limit}", counted(count, "event")),
            None => Ok(()),
        }
    }

    fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            note(text);
        }
    }

    async fn listen(
        &self,
        stream: &mut EntityStream,
        tally: &mut Tally,
        file: &mut Option<ResumeFile>,
        (sinks, mut prompt): (&mut EventSinks, Option<Prompt>),
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<()> {
        let url = self.client.url();
        let mut saving = interval(SAVE);
        saving.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut has_all, mut has_hinted) = (false, false);
        loop {
            let is_idle = sinks.forwarding.as_ref().is_none_or(Forwarding::is_idle);
            // All items so far are printed, recorded and forwarded.
            if let Some(file) = file
                && is_idle
            {
                file.reach(stream.bookmark());
            }
            if has_all && is_idle {
                return Ok(());
            }
            let is_full = sinks.forwarding.as_ref().is_some_and(Forwarding::is_full);
            let item = tokio::select! {
                item = stream.try_next(), if !has_all && !is_full => item,
                place = sinks.settled(), if !is_idle => {
                    if let Some(file) = file {
                        file.reach(place.as_ref());
                    }
                    continue;
                }
                _ = saving.tick(), if file.is_some() || sinks.recorder.is_some() => {
                    file.as_mut().map_or(Ok(()), ResumeFile::save)?;
                    sinks.flush()?;
                    continue;
                }
                line = typed(prompt.as_mut()) => {
                    let applied = prompt.as_mut().map(|prompt| prompt.apply(&line, stream, &mut sinks.output));
                    if applied.is_some_and(|applied| applied.is_break()) {
                        return Ok(());
                    }
                    continue;
                }
                () = interrupt.received() => return Ok(()),
            };
            let item = item.map_err(|error| {
                anyhow!(explain(&error, self.client.credential())).context(format!("cannot listen at {url}"))
            })?;
            match item {
                None => return Ok(()),
                Some(StreamItem::Subscribed { .. }) => {
                    // After a lost connection, the verdict follows.
                    if !tally.has_subscribed() {
                        self.note(format!("listening to {} at {url}; press Ctrl-C to stop", self.tenant));
                        if file.is_some() && !self.begins_in_past {
                            self.warn_without_place(stream);
                        }
                    }
                    if let Some(prompt) = &mut prompt {
                        if !tally.has_subscribed() {
                            prompt.greet();
                        }
                        // Without a connection, this is the answer to a change of the filter.
                        prompt.opened(stream, &mut sinks.output);
                    }
                    tally.subscribed(Instant::now());
                }
                Some(StreamItem::Recovered { replayed }) => self.verdict(tally, &recovered(replayed)),
                Some(StreamItem::NotRecovered { reason, missed_since }) => {
                    let earlier = self.resumed_from.filter(|_| !tally.has_reconnected()).map(SystemTime::from);
                    self.verdict(tally, &not_recovered(&reason, missed_since.or(earlier)));
                }
                Some(StreamItem::Event(event)) => {
                    tally.event(event.message().event_type, Instant::now());
                    sinks.take(*event, stream)?;
                    has_all = self.count.is_some_and(|count| tally.events() >= count);
                }
                Some(StreamItem::Snapshot(entity)) => {
                    tally.snapshot(Instant::now());
                    sinks.take(*entity, stream)?;
                }
                Some(StreamItem::SnapshotComplete { entities, .. }) => {
                    self.note(format!("the snapshot is complete: {}", entities_match(entities)));
                    if file.is_some() {
                        self.warn_without_place(stream);
                    }
                }
                Some(StreamItem::Notice(text)) => self.note(text),
                Some(StreamItem::Disconnected { error, retry_in, was_subscribed }) => {
                    let failure = if was_subscribed { "lost the connection to" } else { "cannot connect to" };
                    let reason = explain(&error, self.client.credential());
                    let seconds = retry_in.as_secs_f64();
                    let hint = if is_refused(&error) && url.is_loopback() && !std::mem::replace(&mut has_hinted, true) {
                        " (is `entity-stream local` running there?)"
                    } else {
                        ""
                    };
                    self.note(format!("{failure} {url}: {reason}{hint}; trying again in {seconds:.1} s"));
                    if let Some(prompt) = &mut prompt {
                        prompt.disconnected();
                    }
                }
                Some(StreamItem::Accepted(
                    SubscriptionRequest::Subscribe(_) | SubscriptionRequest::SubscribeWithSnapshot(_),
                )) => {
                    if let Some(prompt) = &mut prompt {
                        prompt.accepted(stream, &mut sinks.output);
                    }
                }
                Some(StreamItem::Refused {
                    request: SubscriptionRequest::Subscribe(_) | SubscriptionRequest::SubscribeWithSnapshot(_),
                    error,
                }) => {
                    if let Some(prompt) = &mut prompt {
                        let reason = explain(&error, self.client.credential());
                        prompt.refused(&reason, stream, &mut sinks.output);
                    }
                }
                Some(StreamItem::SubscriptionEnded { error, .. }) => {
                    self.note(format!("a subscription has ended: {}", explain(&error, self.client.credential())));
                }
                Some(_) => {}
            }
        }
    }

    fn warn_without_place(&self, stream: &EntityStream) {
        if stream.bookmark().is_none() {
            self.note("the server keeps no history, so --resume has no place to keep");
        }
    }

    fn verdict(&self, tally: &Tally, verdict: &str) {
        self.note(if tally.has_reconnected() { format!("connected again; {verdict}") } else { verdict.to_owned() });
    }
}

/// True if nothing listens at the port.
fn is_refused(error: &ClientError) -> bool {
    matches!(error, ClientError::Network(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// The next line of the prompt.
async fn typed(prompt: Option<&mut Prompt>) -> String {
    match prompt {
        Some(prompt) => prompt.line().await,
        None => std::future::pending().await,
    }
}

/// The number of entities that match, for people.
pub(super) fn entities_match(entities: u64) -> String {
    if entities == 1 { "1 entity matches".to_owned() } else { format!("{} entities match", grouped(entities)) }
}
