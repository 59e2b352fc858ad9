use entity_stream_connections::HashRange;
use entity_stream_publisher::Publisher;
use entity_stream_runtime::Failure;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::continuation::{MAX_DEPTH, Rest};
use crate::deliver::{Delivered, Time};
use crate::envelope::Received;
use crate::handler::Broadcast;
use crate::messages::Messages;
use crate::metrics;
use crate::patterns::Verdicts;
use crate::report::Report;
use crate::units::{Unit, units};

/// How many slices are read ahead of those that are being served: enough to keep reading, few enough to keep memory flat.
const READ_AHEAD: usize = 4;
/// The error code of dead letters that some connections did not get, and of failures for want of a way to hand them on.
const INCOMPLETE: &str = "DeliveryIncomplete";

/// What comes out of the reading, one after the other.
pub(crate) enum Step {
    Serve(Unit),
    Unread(HashRange),
    Charge(f64),
}

impl Broadcast {
    /// Delivers an event to the part of its audience that is this invocation's, and hands on what it cannot.
    pub(crate) async fn serve(&self, received: &Received<'_>, stop: Instant) -> Result<Report, Failure> {
        let started = Instant::now();
        let (event, change) = (&received.event, received.event.change());
        let rest = Rest { change_type: change.change_type, published: &received.published, depth: received.depth };
        let bus = self.outlets.bus.as_ref().filter(|_| rest.fits());
        let mut report = Report::default();

        let split_at = bus.filter(|_| received.depth < MAX_DEPTH).map(|_| self.split_at);
        let plan = self.plan(event, &received.ranges, split_at, stop).await?;
        report.read_capacity = plan.capacity;
        if let Some(bus) = bus.filter(|_| !plan.beyond.is_empty()) {
            // Before anything is delivered, so that the others work at the same time; and so that nobody has the event
            // yet if this fails.
            let parts: Vec<_> = plan.beyond.iter().map(|range| vec![*range]).collect();
            report.continued += rest.put(bus, &parts).await?;
        }

        let messages = Messages::of(event);
        let Delivered { left, unread, ages } = {
            let slices = stream::iter(plan.slices).map(|slice| self.read(event, slice, stop)).buffered(READ_AHEAD);
            let mut verdicts = Verdicts::new(&self.patterns, &change.entity_id);
            let steps = slices.flat_map(move |(read, capacity)| {
                let mut steps = vec![Step::Charge(capacity)];
                match read {
                    Ok(mut interests) => {
                        interests.retain(|interest| verdicts.accept(interest.id_pattern.as_ref()));
                        steps.extend(units(interests, event.id()).into_iter().map(Step::Serve));
                    }
                    Err(range) => steps.push(Step::Unread(range)),
                }
                stream::iter(steps)
            });
            let patience = bus.map(|_| self.patience);
            self.deliver(&messages, steps, &mut report, Time { stop, patience }).await
        };

        let left = HashRange::merge(left);
        let handed_on = match left.is_empty() {
            true => Ok(0),
            false => self.hand_on(received, &rest, bus, left, missing(&report, unread)).await,
        };
        if let Ok(count) = handed_on {
            report.continued += count;
        }
        metrics::broadcast(&report);
        let age = ages.record(received.published_at);
        tracing::info!(
            matched = report.matched,
            delivered = report.delivered,
            gone = report.gone,
            expired = report.expired,
            failed = report.failed,
            rejected = report.rejected,
            continued = report.continued,
            read_capacity = report.read_capacity,
            first_age = age.map(|(first, _)| first),
            last_age = age.map(|(_, last)| last),
            milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "broadcast"
        );
        handed_on.map(|_| report)
    }

    /// Hands on what is left of an event, and returns with how many continuation events. After too many times, it is a
    /// dead letter, with which the function can be invoked again.
    async fn hand_on(
        &self,
        received: &Received<'_>,
        rest: &Rest<'_>,
        bus: Option<&Publisher>,
        left: Vec<HashRange>,
        reason: String,
    ) -> Result<usize, Failure> {
        let Some(bus) = bus else { return Err(Failure::new(INCOMPLETE, reason)) };
        if received.depth < MAX_DEPTH {
            tracing::warn!(reason, ranges = left.len(), "what is left of the event is handed on");
            return rest.put(bus, &[left]).await;
        }
        let reason = format!("{reason}, and it has been handed on {MAX_DEPTH} times");
        let Some(queue) = &self.outlets.dead_letters else { return Err(Failure::new(INCOMPLETE, reason)) };
        tracing::error!(reason, "what is left of the event goes to the dead-letter queue");
        queue
            .send(&rest.to_event(received.event.id(), &received.published_at.to_rfc3339(), left)?, INCOMPLETE, &reason)
            .await?;
        Ok(0)
    }
}

/// Why an event is not through.
fn missing(report: &Report, unread: usize) -> String {
    let Report { failed, matched, .. } = report;
    let unread = match unread {
        0 => String::new(),
        parts => format!(", and {parts} parts of its audience could not be read"),
    };
    format!("{failed} of {matched} connections did not get the event in time{unread}")
}
