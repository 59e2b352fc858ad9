//! Invokes the broadcast function asynchronously, as Lambda does for EventBridge: the publisher does not wait, a failure is
//! tried twice more, and then the event is a dead letter.
//! Source: "Understanding retry behavior in Lambda", AWS Lambda Developer Guide.
//!
//! Events that wait are invoked together, as newer event buses do. If an invocation of several events fails, each of them is
//! retried alone, so each has its own number of attempts and its own dead letter. The retries keep the id of the invocation,
//! by which the function in this process recognises the events that it has delivered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, BacklogLog, Flow};
use super::dead_letters::{DeadLetter, DeadLetters};
use super::fair_queue::{DueEvents, FairQueue, InvocationLimits, QueueFull};
use super::queued_event::{FailedInvocation, QueueKey, QueuedEvent, is_continuation, queue_of};
use crate::config::Config;
use crate::dynamodb::{DynamoDb, Engine};
use crate::functions::{Function, InvokeError, Invoker};
use crate::journal::Journal;

const LIMITS: InvocationLimits = InvocationLimits {
    busy: 8,
    busy_by_tenant: 4,
    running: 256,
    running_by_tenant: 32,
    batch_events: 32,
    batch_bytes: 512 * 1024,
};
/// The time after which an invocation counts as one that waits for slow clients, unless the tables are congested.
const SLOW: Duration = Duration::from_millis(250);
/// The time after which it may count as one all the same.
const VERY_SLOW: Duration = Duration::from_secs(2);
/// The age of a tenant's oldest waiting event from which on the tenant's publishers are kept waiting.
const AT_EASE: Duration = Duration::from_secs(1);
/// The longest that a publisher is kept waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The time between two looks at the backlog.
const LOOK: Duration = Duration::from_secs(1);

/// The event bus and its one rule.
#[derive(Clone, Debug)]
pub(crate) struct Bus(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    functions: Arc<Invoker>,
    dead_letters: DeadLetters,
    queue: Mutex<FairQueue>,
    flow: Mutex<Flow>,
    timeout: Duration,
    retry_delays: Box<[Duration]>,
    stopped: CancellationToken,
    /// The number of events that are not settled, including those that wait for a retry.
    under_way: watch::Sender<usize>,
    /// True while the system stops: it accepts no further events.
    draining: AtomicBool,
    /// The tables, which all invocations wait for.
    tables: Arc<Engine>,
    /// Tells the next start how many events were lost, if this process is killed.
    journal: Option<Journal>,
}

impl Bus {
    /// Starts a task that watches the backlog.
    pub(crate) fn start(functions: Arc<Invoker>, config: &Config, dynamodb: &DynamoDb) -> Self {
        let bus = Self(Arc::new(Shared {
            functions,
            dead_letters: DeadLetters::default(),
            queue: Mutex::new(FairQueue::new(config.queue, LIMITS)),
            flow: Mutex::default(),
            timeout: config.times.broadcast_timeout,
            retry_delays: config.times.retry_delays.clone().into(),
            stopped: CancellationToken::new(),
            under_way: watch::Sender::new(0),
            draining: AtomicBool::new(false),
            tables: Arc::clone(dynamodb.engine()),
            journal: dynamodb.journal(),
        }));
        tokio::spawn(watch_backlog(Arc::downgrade(&bus.0)));
        bus
    }

    pub(crate) fn dead_letters(&self) -> &DeadLetters {
        &self.0.dead_letters
    }

    /// Stops all invocations. Events that wait are lost with the process, as the bus is.
    pub(crate) fn stop(&self) {
        self.0.stopped.cancel();
    }

    /// Delivers the accepted events for a while, and accepts only their continuations. Then names the rest in the log.
    pub(crate) async fn drain(&self, limit: Duration) -> bool {
        self.0.draining.store(true, Ordering::Relaxed);
        let events = self.queue().held().events;
        if events > 0 {
            tracing::info!(events, "stopping: delivering the accepted events for at most {limit:?}");
        }
        if timeout(limit, self.settled()).await.is_ok() {
            return true;
        }
        let rest = self.queue().held_by_tenant();
        let name = |queue: &QueueKey| queue.as_ref().map_or_else(|| "(no tenant)".to_owned(), ToString::to_string);
        let tenants: Vec<String> = rest.iter().map(|(queue, events)| format!("{}: {events}", name(queue))).collect();
        tracing::warn!(
            events = rest.values().sum::<usize>(),
            tenants = tenants.join(", "),
            "stopped before these accepted events were delivered: they are lost"
        );
        false
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Waits until no event is under way: everything published so far has reached its audience, or is a dead letter.
    pub(crate) async fn settled(&self) {
        // It fails only without a sender, and this is one.
        let _ = self.0.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Accepts an event for the function, if there is room for it. Returns the time that the publisher should be kept
    /// waiting: accepting events needs the machine that delivers them, and leaves it little if all publishers hurry.
    pub(crate) fn accept(&self, source: &str, detail: &str, event: String) -> Result<Duration, QueueFull> {
        let (queue, is_continuation) = (queue_of(source, detail), is_continuation(source));
        let event = QueuedEvent { queue, payload: event.into(), waiting_since: Instant::now(), failed: None };
        let accepted = {
            let mut queue = self.queue();
            let accepted = queue.accept(event, is_continuation);
            self.note(&queue);
            accepted
        };
        self.flow().accepted(accepted.is_ok());
        self.invoke();
        let wait = accepted?.saturating_sub(AT_EASE).min(LONGEST_WAIT);
        Ok(if is_continuation { Duration::ZERO } else { wait })
    }

    /// The events that wait, and why.
    pub(crate) fn backlog(&self) -> Backlog {
        let now = Instant::now();
        let flow = self.flow().clone();
        Backlog::new(&self.queue(), &flow, now)
    }

    /// Starts the invocations that may start.
    fn invoke(&self) {
        while let Some(due) = self.next() {
            self.spawn(self.clone().run(due));
        }
    }

    fn next(&self) -> Option<DueEvents> {
        self.queue().next()
    }

    async fn run(self, due: DueEvents) {
        let DueEvents { queue, events } = due;
        let request_id = match &events[..] {
            [QueuedEvent { failed: Some(failed), .. }] => failed.request_id.clone(),
            _ => uuid::Uuid::new_v4().to_string(),
        };
        let mut invocation = std::pin::pin!(self.0.functions.invoke_as(
            &request_id,
            Function::Broadcast,
            payload(&events),
            self.0.timeout
        ));
        let (mut slowed, began) = (false, Instant::now());
        let result = loop {
            tokio::select! {
                result = &mut invocation => break result,
                () = sleep(SLOW), if !slowed => if self.leaves_place(began.elapsed()) {
                    slowed = true;
                    self.queue().slowed(&queue);
                    self.invoke();
                }
            }
        };
        match result {
            Ok(_) => events.iter().for_each(|event| self.settle(event)),
            Err(error) => events.into_iter().for_each(|event| self.fail(event, &error, &request_id)),
        }
        self.queue().ended(&queue, slowed);
        self.invoke();
    }

    fn leaves_place(&self, elapsed: Duration) -> bool {
        leaves_place(elapsed, self.0.tables.is_congested(), self.queue().without_place())
    }

    /// Retries an event after a while, or makes it a dead letter.
    fn fail(&self, mut event: QueuedEvent, error: &InvokeError, request_id: &str) {
        let attempts = event.failed.as_ref().map_or(0, |failed| failed.attempts) + 1;
        let Some(delay) = self.0.retry_delays.get(attempts - 1).copied() else {
            self.0.dead_letters.push(DeadLetter {
                event: String::from_utf8_lossy(&event.payload).into_owned(),
                error_code: error.code().to_owned(),
                error_message: error.message(),
                attempts,
            });
            self.settle(&event);
            return;
        };
        tracing::warn!(%error, attempts, retry_in = ?delay, "broadcast failed");
        event.failed = Some(FailedInvocation { request_id: request_id.to_owned(), attempts });
        let bus = self.clone();
        self.spawn(async move {
            sleep(delay).await;
            event.waiting_since = Instant::now();
            bus.queue().wait(event);
            bus.invoke();
        });
    }

    fn settle(&self, event: &QueuedEvent) {
        self.flow().settled();
        let mut queue = self.queue();
        queue.settle(event);
        self.note(&queue);
    }

    /// Tells the tasks that wait for the events, and the journal, how many are under way.
    fn note(&self, queue: &FairQueue) {
        let events = queue.held().events;
        self.0.under_way.send_replace(events);
        if let Some(journal) = &self.0.journal {
            journal.record(events);
        }
    }

    /// Runs a task until the bus stops.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.0.stopped.clone();
        tokio::spawn(async move { stopped.run_until_cancelled_owned(work).await });
    }

    fn queue(&self) -> MutexGuard<'_, FairQueue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.0.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an invocation that is slow leaves its place to another. More invocations help no one while all wait for the tables. But
/// slow clients of one tenant must not hold up another: then only as many leave their places as there are places.
fn leaves_place(elapsed: Duration, is_congested: bool, without_place: usize) -> bool {
    !is_congested || (elapsed >= VERY_SLOW && without_place < LIMITS.busy)
}

/// Looks at the backlog as long as the bus exists.
async fn watch_backlog(bus: Weak<Shared>) {
    let (mut looks, mut log) = (interval(LOOK), BacklogLog::default());
    loop {
        looks.tick().await;
        let Some(bus) = bus.upgrade().map(Bus) else { return };
        let now = Instant::now();
        bus.flow().sample(now);
        log.write(&bus.backlog(), now);
    }
}

/// The payload of an invocation: the event, or an array of events.
fn payload(events: &[QueuedEvent]) -> Bytes {
    if let [event] = events {
        return event.payload.clone();
    }
    let mut payload = BytesMut::with_capacity(events.iter().map(|event| event.bytes() + 1).sum::<usize>() + 1);
    for (index, event) in events.iter().enumerate() {
        payload.put_u8(if index == 0 { b'[' } else { b',' });
        payload.put_slice(&event.payload);
    }
    payload.put_u8(b']');
    payload.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn congested_tables_get_at_most_twice_the_usual_invocations() {
        let very_slow = [SLOW, VERY_SLOW].map(|elapsed| leaves_place(elapsed, true, 0));
        assert_eq!(very_slow, [false, true]);
        assert!(leaves_place(SLOW, false, LIMITS.running), "slow clients alone do not count");
        assert!(leaves_place(VERY_SLOW, true, LIMITS.busy - 1) && !leaves_place(VERY_SLOW, true, LIMITS.busy));
    }
}
