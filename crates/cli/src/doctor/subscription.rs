use std::time::Duration;

use entity_stream_protocol::Filter;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::connect_async;

use super::network::{credential_advice, text};
use super::report::{Check, Report, Step};
use crate::stream::refusal::Failure;
use crate::stream::session::{self, End, Incoming, Socket};
use crate::stream::{Address, Credential};

/// How long the look at what happens without a credential may take.
const PROBE: Duration = Duration::from_secs(35);

/// A stream that is listened to, until it is told to end.
pub(super) struct Stream {
    events: mpsc::UnboundedReceiver<Option<String>>,
    stop: oneshot::Sender<()>,
    session: JoinHandle<Option<Failure>>,
}

impl Stream {
    fn listen(mut socket: Socket, filter: Filter, noun: Option<&'static str>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let (stop, mut stopped) = oneshot::channel();
        let session = tokio::spawn(async move {
            let ended = tokio::select! {
                ended = session::run(&mut socket, &filter, noun, |incoming| {
                    match incoming {
                        // The id of no event: the filter is in force.
                        Incoming::Subscribed => drop(sender.send(None)),
                        Incoming::Event(_, _, id) => drop(sender.send(id.map(str::to_owned))),
                        Incoming::Remark(_) => {}
                    }
                    Ok(true)
                }) => ended,
                _ = &mut stopped => Ok(End::Enough),
            };
            session::close(socket).await;
            match ended {
                Ok(End::Enough) => None,
                Ok(End::Failed(failure)) => Some(failure),
                Err(error) => Some(Failure::Final(error)),
            }
        });
        Self { events, stop, session }
    }

    /// Waits for the answer to `subscribe`.
    async fn subscribed(mut self) -> Result<Self, Failure> {
        loop {
            match self.events.recv().await {
                Some(None) => return Ok(self),
                Some(Some(_)) => {}
                None => return Err(self.failure().await),
            }
        }
    }

    /// Waits for the next event's id, or the reason why there is none.
    pub(super) async fn event(&mut self) -> Option<String> {
        loop {
            match self.events.recv().await {
                Some(Some(id)) => return Some(id),
                Some(None) => {}
                None => return None,
            }
        }
    }

    /// Why it has ended.
    async fn failure(self) -> Failure {
        let ended = self.session.await.ok().flatten();
        ended.unwrap_or_else(|| Failure::Passing("the server closed the connection".to_owned()))
    }

    /// Takes leave.
    pub(super) async fn end(self) {
        let _ = self.stop.send(());
        let _ = self.session.await;
    }
}

/// The way to a filter that is in force: the credential, which some servers look at only now, and the answer.
pub(super) async fn check(
    socket: Socket,
    address: &Address,
    filter: &Filter,
    credential: Option<&Credential>,
    report: &mut Report,
) -> anyhow::Result<Option<Stream>> {
    let started = Instant::now();
    let noun = credential.map(Credential::noun);
    let stream = match Stream::listen(socket, filter.clone(), noun).subscribed().await {
        Ok(stream) => stream,
        Err(failure @ Failure::Refused(_)) => {
            report.add(Step::failed(Check::Credential, text(failure)).advise(credential_advice(credential)))?;
            return Ok(None);
        }
        Err(failure) => {
            let step = Step::failed(Check::Subscribe, text(failure));
            let advice =
                "look into the log of the default function; it answers through @connections, at WS_API_ENDPOINT";
            report.add(step.advise(advice).took(started.elapsed()))?;
            return Ok(None);
        }
    };
    let took = started.elapsed();
    report.add(match noun {
        None => Step::passed(Check::Credential, "none is asked for: anybody may listen"),
        Some(noun) if anybody_may(address, filter).await? => {
            let step = Step::warning(Check::Credential, format!("the {noun} was not looked at: anybody may listen"));
            step.advise("if that is not meant to be, set AUTH_ENABLED=true where the functions run")
        }
        Some(noun) => Step::passed(Check::Credential, format!("the {noun} is accepted, and none is refused")),
    })?;
    report.add(Step::passed(Check::Subscribe, "acknowledged").took(took))?;
    Ok(Some(stream))
}

/// Whether the stream is open to those who show nothing.
async fn anybody_may(address: &Address, filter: &Filter) -> anyhow::Result<bool> {
    let request = address.request(None)?;
    let attempt = async {
        let (socket, _) = connect_async(request).await.ok()?;
        Stream::listen(socket, filter.clone(), None).subscribed().await.ok()
    };
    let Ok(Some(stream)) = timeout(PROBE, attempt).await else { return Ok(false) };
    stream.end().await;
    Ok(true)
}
