//! How far the bus is behind, and why. The page, the log, the health check and `doctor` say the same.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::fair_queue::{FairQueue, TenantBacklog};

/// The age of the oldest waiting event from which on the bus is behind.
const BEHIND: Duration = Duration::from_secs(1);
/// The time between two warnings.
const QUIET: Duration = Duration::from_secs(10);
/// The samples of the flow, one in a second.
const SAMPLES: usize = 6;
/// The tenants that are named.
const NAMED: usize = 5;

/// The events that wait for the function.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Backlog {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    /// The age of the oldest of them.
    pub(crate) oldest_milliseconds: u64,
    /// The events that the function has, or that wait for a retry.
    pub(crate) under_way: usize,
    /// Events per second that the bus accepted, and that were delivered or became dead letters, during the last seconds.
    pub(crate) accepted_per_second: f64,
    pub(crate) settled_per_second: f64,
    /// The events that the bus refused for want of room, since it started.
    pub(crate) refused: u64,
    /// The reason, if the bus is behind.
    pub(crate) reason: Option<String>,
    /// The tenants with the oldest waiting events.
    pub(crate) tenants: Vec<WaitingTenant>,
}

/// A tenant's part of the backlog.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitingTenant {
    /// `None` for events without a valid tenant.
    pub(crate) tenant: Option<String>,
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) oldest_milliseconds: u64,
}

impl Backlog {
    pub(super) fn new(queue: &FairQueue, flow: &Flow, now: Instant) -> Self {
        let mut waiting = queue.backlogs(now);
        waiting.sort_by_key(|tenant| std::cmp::Reverse(tenant.oldest));
        let (accepted, settled) = flow.rates();
        let events = waiting.iter().map(|tenant| tenant.waiting.events).sum();
        Self {
            events,
            bytes: waiting.iter().map(|tenant| tenant.waiting.bytes).sum(),
            oldest_milliseconds: waiting.first().map_or(0, |tenant| milliseconds(tenant.oldest)),
            under_way: queue.held().events.saturating_sub(events),
            accepted_per_second: accepted,
            settled_per_second: settled,
            refused: flow.refused,
            reason: waiting
                .first()
                .filter(|tenant| tenant.oldest >= BEHIND)
                .map(|tenant| reason(tenant, accepted, settled)),
            tenants: waiting.iter().take(NAMED).map(WaitingTenant::new).collect(),
        }
    }
}

impl WaitingTenant {
    fn new(backlog: &TenantBacklog) -> Self {
        Self {
            tenant: backlog.queue.as_ref().map(ToString::to_string),
            events: backlog.waiting.events,
            bytes: backlog.waiting.bytes,
            oldest_milliseconds: milliseconds(backlog.oldest),
        }
    }
}

fn reason(oldest: &TenantBacklog, accepted: f64, settled: f64) -> String {
    if oldest.is_held_up {
        return "clients that do not read, or the table, hold up the deliveries of the tenant".to_owned();
    }
    let flow = format!("{accepted:.0} events/s in, {settled:.0} events/s out");
    if accepted > settled {
        format!("events come faster than this machine delivers them: {flow}")
    } else {
        format!("the bus is catching up: {flow}")
    }
}

/// The numbers of events that came and went.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    accepted: u64,
    settled: u64,
    refused: u64,
    /// When, and how many were accepted and settled by then.
    samples: VecDeque<(Instant, u64, u64)>,
}

impl Flow {
    /// Counts an event that was accepted, or refused.
    pub(super) fn accepted(&mut self, is_accepted: bool) {
        if is_accepted { self.accepted += 1 } else { self.refused += 1 }
    }

    pub(super) fn settled(&mut self) {
        self.settled += 1;
    }

    /// Remembers the numbers. Called once in a second.
    pub(super) fn sample(&mut self, now: Instant) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((now, self.accepted, self.settled));
    }

    /// Events per second that were accepted, and settled, between the samples.
    #[expect(clippy::cast_precision_loss, reason = "the numbers of a few seconds")]
    fn rates(&self) -> (f64, f64) {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return (0.0, 0.0) };
        let seconds = (last.0 - first.0).as_secs_f64();
        let rate = |from: u64, to: u64| if seconds > 0.0 { ((to - from) as f64 / seconds).round() } else { 0.0 };
        (rate(first.1, last.1), rate(first.2, last.2))
    }
}

/// Says in the log when the bus falls behind, at most once in ten seconds, and when it has caught up.
#[derive(Debug, Default)]
pub(super) struct BacklogLog {
    said: Option<Instant>,
    is_behind: bool,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
enum BacklogNews {
    Behind,
    CaughtUp,
}

impl BacklogLog {
    pub(super) fn write(&mut self, backlog: &Backlog, now: Instant) {
        let Backlog { events, bytes, oldest_milliseconds, refused, .. } = backlog;
        match self.news(backlog, now) {
            Some(BacklogNews::Behind) => {
                let reason = backlog.reason.as_deref().unwrap_or_default();
                let tenant = backlog.tenants.first().and_then(|waiting| waiting.tenant.as_deref());
                tracing::warn!(events, bytes, oldest_milliseconds, refused, tenant, reason, "the event bus is behind");
            }
            Some(BacklogNews::CaughtUp) => tracing::warn!(refused, "the event bus has caught up"),
            None => {}
        }
    }

    fn news(&mut self, backlog: &Backlog, now: Instant) -> Option<BacklogNews> {
        if backlog.reason.is_none() {
            return std::mem::take(&mut self.is_behind).then_some(BacklogNews::CaughtUp);
        }
        if self.said.is_some_and(|said| now - said < QUIET) {
            return None;
        }
        (self.said, self.is_behind) = (Some(now), true);
        Some(BacklogNews::Behind)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::fair_queue::Amount;

    fn behind(is_behind: bool) -> Backlog {
        Backlog { reason: is_behind.then(|| "the reason".to_owned()), ..Backlog::default() }
    }

    #[test]
    fn the_log_has_a_warning_in_ten_seconds_and_one_line_for_the_end() {
        let (mut log, start) = (BacklogLog::default(), Instant::now());
        let mut news = |second: u64, is_behind| log.news(&behind(is_behind), start + Duration::from_secs(second));
        assert_eq!(news(0, false), None);
        let said: Vec<_> = (1..=30).filter(|second| news(*second, true) == Some(BacklogNews::Behind)).collect();
        assert_eq!(said, [1, 11, 21]);
        assert_eq!((news(31, false), news(32, false)), (Some(BacklogNews::CaughtUp), None));
        // It is behind now and then.
        let said: Vec<_> =
            (33..=52).filter_map(|second| news(second, second % 2 == 1).map(|news| (second, news))).collect();
        assert_eq!(
            said,
            [
                (33, BacklogNews::Behind),
                (34, BacklogNews::CaughtUp),
                (43, BacklogNews::Behind),
                (44, BacklogNews::CaughtUp)
            ]
        );
    }

    #[test]
    fn the_reason_is_the_flow_or_what_holds_it_up() {
        let oldest = |is_held_up| TenantBacklog {
            queue: None,
            waiting: Amount::default(),
            oldest: Duration::from_secs(2),
            is_held_up,
        };
        let faster = "events come faster than this machine delivers them: 1000 events/s in, 210 events/s out";
        assert_eq!(reason(&oldest(false), 1000.0, 210.0), faster);
        assert_eq!(reason(&oldest(false), 0.0, 210.0), "the bus is catching up: 0 events/s in, 210 events/s out");
        assert!(reason(&oldest(true), 1000.0, 210.0).contains("clients that do not read"));
    }

    #[test]
    fn the_flow_is_that_of_the_last_seconds() {
        let (mut flow, start) = (Flow::default(), Instant::now());
        assert_eq!(flow.rates(), (0.0, 0.0));
        for second in 0..20 {
            flow.sample(start + Duration::from_secs(second));
            let (accepted, settled) = if second < 10 { (7, 0) } else { (100, 40) };
            (0..accepted).for_each(|_| flow.accepted(true));
            (0..settled).for_each(|_| flow.settled());
        }
        assert_eq!(flow.rates(), (100.0, 40.0));
    }
}
