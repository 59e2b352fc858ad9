use std::collections::HashSet;
use std::time::Duration;

use entity_stream_client::{Bookmark, ClientBuilder, ClientError, EntityStream, NotRecovered, StreamItem};
use entity_stream_publisher::BusEntry;
use tokio::time::{Instant, timeout_at};

use crate::bus::TargetBus;
use crate::client;
use crate::doctor::diagnosis::{Check, Diagnosis, Finding};
use crate::doctor::steps::{STEP, arrival, publish, subscribed};

/// Checks that a client that comes back receives the change that it missed. `witness` stays connected, and shows when the change
/// is out. `builder` makes a client of the same stream.
pub(super) async fn check(
    witness: &mut EntityStream,
    builder: &ClientBuilder,
    target: &TargetBus,
    entry: &BusEntry,
    patience: Duration,
    diagnosis: &mut Diagnosis,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let finding = match round_trip(witness, builder, target, entry, patience).await? {
        Ok(finding) => finding.took(started.elapsed()),
        Err(NoRoundTrip(finding)) => finding,
    };
    diagnosis.add(finding);
    Ok(())
}

/// The finding of a check that did not come to its end.
struct NoRoundTrip(Finding);

fn failed(detail: impl Into<String>, advice: &str) -> NoRoundTrip {
    NoRoundTrip(Finding::failed(Check::Resume, detail).advise(advice))
}

async fn round_trip(
    witness: &mut EntityStream,
    builder: &ClientBuilder,
    target: &TargetBus,
    entry: &BusEntry,
    patience: Duration,
) -> anyhow::Result<Result<Finding, NoRoundTrip>> {
    if witness.bookmark().is_none() {
        let finding =
            Finding::skipped(Check::Resume, "the server keeps no history, so clients that reconnect miss changes");
        let advice =
            "set HistoryMinutes for the deployment, or HISTORY_MINUTES for a local system, unless that is meant";
        return Ok(Err(NoRoundTrip(finding.advise(advice))));
    }
    let mut stream = client::build(builder.clone())?.connect();
    let left = leave(&mut stream).await;
    stream.close().await;
    let bookmark = match left {
        Ok(Some(bookmark)) => bookmark,
        Ok(None) => return Ok(Err(failed("a second connection got no position", READ_THE_LOG))),
        Err(error) => return Ok(Err(failed(format!("a second connection failed: {error}"), READ_THE_LOG))),
    };
    let id = match publish(target, entry).await {
        Ok(id) => id,
        Err(error) => return Ok(Err(failed(format!("the bus refused a second change: {error:#}"), "try again"))),
    };
    // The change is in the history before it is delivered.
    if arrival(witness, &id, patience).await.is_none() {
        let detail = format!("a second change did not arrive in {}", indicatif::HumanDuration(patience));
        return Ok(Err(failed(detail, "try again; --timeout waits longer")));
    }
    let mut stream = client::build(builder.clone().since(bookmark))?.connect();
    let resumed = come_back(&mut stream, Instant::now() + STEP.max(patience)).await;
    stream.close().await;
    Ok(resumed.map_err(|error| failed(format!("cannot resume: {error}"), READ_THE_LOG)).map(|came| judge(&came, &id)))
}

const READ_THE_LOG: &str = "read the log of the default function, which reads the history";

/// The events and the verdict of a client that came back.
struct CameBack {
    /// The ids of the events before the verdict.
    events: HashSet<String>,
    /// The reason why the client may have missed events. `None` if it has all.
    not_recovered: Option<NotRecovered>,
}

fn judge(came: &CameBack, id: &str) -> Finding {
    match &came.not_recovered {
        None if came.events.contains(id) => {
            Finding::passed(Check::Resume, "a client that came back received the change that it missed")
        }
        None => Finding::failed(Check::Resume, "the server promised every missed change, and one did not come")
            .advise("read the log of the broadcast function, which writes the history before it delivers"),
        // The client knows that it may have missed changes, and clients without a history do as well.
        Some(NotRecovered::Unavailable) => {
            Finding::warning(Check::Resume, "the history is not available: clients that come back are told that they may have missed changes")
                .advise(
                    "a new history begins five minutes after its first change, so try again then; otherwise check the table of the \
                     history and the logs of the functions",
                )
        }
        Some(reason) => {
            let detail = format!("a client that came back after a moment was refused the change that it missed: {reason}");
            Finding::failed(Check::Resume, detail).advise(READ_THE_LOG)
        }
    }
}

/// Waits for the subscription, and returns the place of the stream.
async fn leave(stream: &mut EntityStream) -> Result<Option<Bookmark>, ClientError> {
    subscribed(stream).await?;
    Ok(stream.bookmark().cloned())
}

/// Waits for the verdict.
async fn come_back(stream: &mut EntityStream, deadline: Instant) -> Result<CameBack, ClientError> {
    let mut events = HashSet::new();
    let verdict = async {
        loop {
            match stream.try_next().await? {
                Some(StreamItem::Event(event)) => {
                    events.insert(event.message().id.to_string());
                }
                Some(StreamItem::Recovered { .. }) => return Ok(None),
                Some(StreamItem::NotRecovered { reason, .. }) => return Ok(Some(reason)),
                Some(_) => {}
                None => return Ok(Some(NotRecovered::Unavailable)),
            }
        }
    };
    let not_recovered = timeout_at(deadline, verdict).await.unwrap_or(Err(ClientError::Timeout(STEP)))?;
    Ok(CameBack { events, not_recovered })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_promise_or_a_wrong_refusal_is_a_failure() {
        for (events, not_recovered, verdict) in [
            (&["1", "2"][..], None, "passed"),
            (&["1"], None, "failed"),
            (&["1", "2"], Some(NotRecovered::Expired), "failed"),
            (&[], Some(NotRecovered::UnknownPosition), "failed"),
            (&[], Some(NotRecovered::Unavailable), "warning"),
        ] {
            let events = events.iter().map(|id| (*id).to_owned()).collect();
            let finding = serde_json::to_value(judge(&CameBack { events, not_recovered }, "2")).unwrap();
            assert_eq!(finding["verdict"], verdict, "{finding}");
            assert_eq!(finding["advice"].is_null(), verdict == "passed", "{finding}");
        }
    }
}
