//! Divides the invocations of the function fairly among tenants.
//!
//! Invariant: a tenant is in `turns` exactly once while it has waiting events and may have another invocation, and
//! otherwise not at all. The tenants take turns; a turn takes a batch from the front of the tenant's queue. So each tenant
//! with waiting events is served once before another tenant is served twice, and a tenant's events leave in their order.
//!
//! An event is held from its acceptance until it is settled: while it waits, while the function has it, and while it waits
//! for a retry. A tenant may hold as much as is free for all. So one tenant can fill half of the capacity, `n` tenants share
//! it evenly, and a tenant that holds nothing is not refused because of the others.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::queued_event::{QueueKey, QueuedEvent};
use crate::config::QueueCapacity;

/// Maximum numbers of invocations, and of events in an invocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InvocationLimits {
    /// The invocations of all tenants that are at work. One machine gains nothing from more than a few.
    pub(crate) busy: usize,
    /// The invocations of one tenant that are at work.
    pub(crate) busy_by_tenant: usize,
    /// The invocations of all tenants, with those that only wait for slow clients. Lambda runs a thousand.
    pub(crate) running: usize,
    /// The invocations of one tenant, with those that only wait.
    pub(crate) running_by_tenant: usize,
    /// The events of one invocation.
    pub(crate) batch_events: usize,
    /// The bytes of one invocation. A single event may have more.
    pub(crate) batch_bytes: usize,
}

/// The queue has no room for the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

/// Events, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Amount {
    fn add(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.events -= 1;
        self.bytes -= bytes;
    }
}

/// Events of one tenant for one invocation of the function.
#[derive(Debug)]
pub(crate) struct DueEvents {
    pub(crate) queue: QueueKey,
    /// At least one.
    pub(crate) events: Vec<QueuedEvent>,
}

/// The events that wait in a tenant's queue.
#[derive(Clone, Debug)]
pub(crate) struct TenantBacklog {
    pub(crate) queue: QueueKey,
    pub(crate) waiting: Amount,
    /// The time since the oldest of them was accepted.
    pub(crate) oldest: Duration,
    /// True if invocations that wait for slow clients use up the tenant's share.
    pub(crate) is_held_up: bool,
}

#[derive(Debug, Default)]
struct TenantQueue {
    waiting: VecDeque<QueuedEvent>,
    waiting_bytes: usize,
    held: Amount,
    busy: usize,
    running: usize,
}

impl TenantQueue {
    /// The time for which the oldest event has waited: the front has waited longest.
    fn oldest(&self, now: Instant) -> Duration {
        self.waiting.front().map_or(Duration::ZERO, |event| now.saturating_duration_since(event.waiting_since))
    }

    fn is_due(&self, limits: &InvocationLimits) -> bool {
        !self.waiting.is_empty() && self.busy < limits.busy_by_tenant && self.running < limits.running_by_tenant
    }
}

/// The accepted events of all tenants.
#[derive(Debug)]
pub(crate) struct FairQueue {
    capacity: QueueCapacity,
    limits: InvocationLimits,
    tenants: HashMap<QueueKey, TenantQueue>,
    turns: VecDeque<QueueKey>,
    held: Amount,
    busy: usize,
    running: usize,
}

impl FairQueue {
    pub(crate) fn new(capacity: QueueCapacity, limits: InvocationLimits) -> Self {
        Self {
            capacity,
            limits,
            tenants: HashMap::new(),
            turns: VecDeque::new(),
            held: Amount::default(),
            busy: 0,
            running: 0,
        }
    }

    /// Accepts an event, if it fits, and returns the time for which the oldest event of its queue has waited. A continuation
    /// may use the whole capacity: it frees the capacity of its event.
    pub(crate) fn accept(&mut self, event: QueuedEvent, is_continuation: bool) -> Result<Duration, QueueFull> {
        let own = self.tenants.get(&event.queue).map(|tenant| tenant.held).unwrap_or_default();
        // The capacity that the others have to be able to hold.
        let spare = if is_continuation { Amount::default() } else { own };
        if self.held.events + 1 + spare.events > self.capacity.events
            || self.held.bytes + event.bytes() + spare.bytes > self.capacity.bytes
        {
            return Err(QueueFull);
        }
        self.held.add(event.bytes());
        let tenant = self.tenants.entry(event.queue.clone()).or_default();
        tenant.held.add(event.bytes());
        let behind = tenant.oldest(event.waiting_since);
        self.wait(event);
        Ok(behind)
    }

    /// Lets a held event wait for its next invocation.
    pub(crate) fn wait(&mut self, event: QueuedEvent) {
        let queue = event.queue.clone();
        self.change(&queue, |tenant| {
            tenant.waiting_bytes += event.bytes();
            tenant.waiting.push_back(event);
        });
    }

    /// Takes the events of the next invocation, if one may start.
    pub(crate) fn next(&mut self) -> Option<DueEvents> {
        if self.busy >= self.limits.busy || self.running >= self.limits.running {
            return None;
        }
        let queue = self.turns.pop_front()?;
        let limits = self.limits;
        let tenant = self.tenants.get_mut(&queue)?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        while let Some(event) = tenant.waiting.front() {
            // An event that has failed has an invocation of its own, so that no other event fails with it.
            let is_single =
                event.failed.is_some() || events.first().is_some_and(|first: &QueuedEvent| first.failed.is_some());
            let is_full = events.len() >= limits.batch_events || bytes + event.bytes() > limits.batch_bytes;
            if !events.is_empty() && (is_single || is_full) {
                break;
            }
            bytes += event.bytes();
            events.extend(tenant.waiting.pop_front());
        }
        tenant.waiting_bytes -= bytes;
        tenant.busy += 1;
        tenant.running += 1;
        self.busy += 1;
        self.running += 1;
        if tenant.is_due(&limits) {
            self.turns.push_back(queue.clone());
        }
        Some(DueEvents { queue, events })
    }

    /// An invocation has run for so long that it waits rather than works: it leaves its place to another.
    pub(crate) fn slowed(&mut self, queue: &QueueKey) {
        self.busy -= 1;
        self.change(queue, |tenant| tenant.busy -= 1);
    }

    /// The number of invocations that have left their places.
    pub(crate) fn without_place(&self) -> usize {
        self.running - self.busy
    }

    /// An invocation has ended. `slowed` tells whether it had left its place.
    pub(crate) fn ended(&mut self, queue: &QueueKey, slowed: bool) {
        let place = usize::from(!slowed);
        self.busy -= place;
        self.running -= 1;
        self.change(queue, |tenant| {
            tenant.busy -= place;
            tenant.running -= 1;
        });
    }

    /// Forgets a held event: it is delivered, or a dead letter.
    pub(crate) fn settle(&mut self, event: &QueuedEvent) {
        self.held.remove(event.bytes());
        self.change(&event.queue, |tenant| tenant.held.remove(event.bytes()));
    }

    /// The accepted events that are not settled.
    pub(crate) fn held(&self) -> Amount {
        self.held
    }

    /// The number of accepted events that are not settled, by tenant.
    pub(crate) fn held_by_tenant(&self) -> BTreeMap<QueueKey, usize> {
        self.tenants.iter().map(|(queue, tenant)| (queue.clone(), tenant.held.events)).filter(|(_, n)| *n > 0).collect()
    }

    /// The waiting events, by tenant.
    pub(crate) fn backlogs(&self, now: Instant) -> Vec<TenantBacklog> {
        let waiting = self.tenants.iter().filter(|(_, tenant)| !tenant.waiting.is_empty());
        let backlogs = waiting.map(|(queue, tenant)| TenantBacklog {
            queue: queue.clone(),
            waiting: Amount { events: tenant.waiting.len(), bytes: tenant.waiting_bytes },
            oldest: tenant.oldest(now),
            is_held_up: tenant.running >= self.limits.running_by_tenant,
        });
        backlogs.collect()
    }

    /// Changes a tenant's queue and keeps the invariant. A tenant that holds nothing is forgotten.
    fn change(&mut self, queue: &QueueKey, change: impl FnOnce(&mut TenantQueue)) {
        let Some(tenant) = self.tenants.get_mut(queue) else { return };
        let was_due = tenant.is_due(&self.limits);
        change(tenant);
        if tenant.is_due(&self.limits) && !was_due {
            self.turns.push_back(queue.clone());
        }
        if tenant.held == Amount::default() && tenant.running == 0 {
            self.tenants.remove(queue);
        }
    }
}

#[cfg(test)]
mod tests;
