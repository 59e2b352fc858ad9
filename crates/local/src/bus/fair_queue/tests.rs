use std::collections::HashSet;

use entity_stream_protocol::Tenant;
use proptest::prelude::*;

use super::*;
use crate::bus::queued_event::FailedInvocation;

const LIMITS: InvocationLimits =
    InvocationLimits { busy: 4, busy_by_tenant: 2, running: 7, running_by_tenant: 3, batch_events: 3, batch_bytes: 20 };
const CAPACITY: QueueCapacity = QueueCapacity { events: 24, bytes: 200 };

/// An event that is told from others by its time.
fn event(tenant: u8, bytes: usize, number: u64) -> QueuedEvent {
    QueuedEvent {
        queue: (tenant > 0).then(|| Tenant::parse(&format!("t{tenant}")).unwrap()),
        payload: vec![b'x'; bytes].into(),
        waiting_since: start() + Duration::from_secs(number),
        failed: None,
    }
}

fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn number(event: &QueuedEvent) -> u64 {
    (event.waiting_since - start()).as_secs()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Accept { tenant: u8, bytes: usize, is_continuation: bool },
    Next,
    Slow { which: usize },
    End { which: usize, fails: bool },
    Retry { which: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let accept = (0..4_u8, 1..30_usize, prop::bool::weighted(0.1))
        .prop_map(|(tenant, bytes, is_continuation)| Step::Accept { tenant, bytes, is_continuation });
    let step = prop_oneof![
        6 => accept,
        4 => Just(Step::Next),
        1 => any::<usize>().prop_map(|which| Step::Slow { which }),
        3 => (any::<usize>(), prop::bool::weighted(0.2)).prop_map(|(which, fails)| Step::End { which, fails }),
        1 => any::<usize>().prop_map(|which| Step::Retry { which }),
    ];
    prop::collection::vec(step, 0..200)
}

/// A queue with the invocations and retries around it.
struct Driven {
    queue: FairQueue,
    running: Vec<(DueEvents, bool)>,
    sleeping: Vec<QueuedEvent>,
    /// The events accepted and not settled, and the last one that left for the first time, by tenant.
    open: HashSet<u64>,
    left: HashMap<QueueKey, u64>,
    accepted: u64,
}

impl Driven {
    fn new() -> Self {
        Self {
            queue: FairQueue::new(CAPACITY, LIMITS),
            running: Vec::new(),
            sleeping: Vec::new(),
            open: HashSet::new(),
            left: HashMap::new(),
            accepted: 0,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Accept { tenant, bytes, is_continuation } => {
                let event = event(tenant, bytes, self.accepted);
                let own = self.queue.tenants.get(&event.queue).map(|tenant| tenant.held).unwrap_or_default();
                let held = self.queue.held();
                let accepted = self.queue.accept(event, is_continuation);
                let has_room = |own, held, size, capacity: usize| own + held + size <= capacity;
                let fits = has_room(own.events, held.events, 1, CAPACITY.events)
                    && has_room(own.bytes, held.bytes, bytes, CAPACITY.bytes);
                assert!(accepted.is_ok() || !fits, "a tenant may hold as much as is free");
                assert!(accepted.is_err() || fits || is_continuation, "a tenant may hold no more than is free");
                if accepted.is_ok() {
                    self.open.insert(self.accepted);
                }
                self.accepted += 1;
            }
            Step::Next => {
                let may_start = self.queue.busy < LIMITS.busy && self.queue.running < LIMITS.running;
                let is_due = !self.queue.turns.is_empty();
                let due = self.queue.next();
                assert_eq!(due.is_some(), may_start && is_due, "no place stays empty while an event is due");
                if let Some(due) = due {
                    self.check(&due);
                    self.running.push((due, false));
                }
            }
            Step::Slow { which } if !self.running.is_empty() => {
                let which = which % self.running.len();
                let (due, slowed) = &mut self.running[which];
                if !*slowed {
                    *slowed = true;
                    self.queue.slowed(&due.queue);
                }
            }
            Step::End { which, fails } if !self.running.is_empty() => {
                let (due, slowed) = self.running.swap_remove(which % self.running.len());
                for mut event in due.events {
                    if fails {
                        event.failed = Some(FailedInvocation { request_id: "r".to_owned(), attempts: 1 });
                        self.sleeping.push(event);
                    } else {
                        assert!(self.open.remove(&number(&event)), "an event is settled once");
                        self.queue.settle(&event);
                    }
                }
                self.queue.ended(&due.queue, slowed);
            }
            Step::Retry { which } if !self.sleeping.is_empty() => {
                let event = self.sleeping.swap_remove(which % self.sleeping.len());
                self.queue.wait(event);
            }
            _ => {}
        }
        self.check_queue();
    }

    fn check(&mut self, due: &DueEvents) {
        let bytes: usize = due.events.iter().map(QueuedEvent::bytes).sum();
        assert!((1..=LIMITS.batch_events).contains(&due.events.len()));
        assert!(due.events.len() == 1 || bytes <= LIMITS.batch_bytes);
        for event in &due.events {
            assert_eq!(event.queue, due.queue);
            assert!(event.failed.is_none() || due.events.len() == 1, "an event that failed is alone");
            if event.failed.is_none() {
                let before = self.left.insert(due.queue.clone(), number(event));
                assert!(before.is_none_or(|before| before < number(event)), "first in, first out");
            }
        }
    }

    fn check_queue(&self) {
        let queue = &self.queue;
        assert!(queue.busy <= LIMITS.busy && queue.running <= LIMITS.running);
        assert!(queue.held.events <= CAPACITY.events && queue.held.bytes <= CAPACITY.bytes);
        assert_eq!(queue.held.events, self.open.len());
        let (mut busy, mut running, mut held) = (0, 0, Amount::default());
        for (key, tenant) in &queue.tenants {
            assert!(tenant.busy <= LIMITS.busy_by_tenant && tenant.running <= LIMITS.running_by_tenant);
            let turns = queue.turns.iter().filter(|turn| *turn == key).count();
            assert_eq!(turns, usize::from(tenant.is_due(&LIMITS)), "{key:?}");
            assert_eq!(tenant.waiting_bytes, tenant.waiting.iter().map(QueuedEvent::bytes).sum::<usize>());
            busy += tenant.busy;
            running += tenant.running;
            held.events += tenant.held.events;
            held.bytes += tenant.held.bytes;
        }
        assert_eq!((busy, running, held), (queue.busy, queue.running, queue.held));
        assert!(queue.turns.iter().all(|turn| queue.tenants.contains_key(turn)));
    }
}

proptest! {
    #[test]
    fn every_event_leaves_in_its_turn_within_the_limits(steps in steps()) {
        let mut driven = Driven::new();
        steps.into_iter().for_each(|step| driven.take(step));
        // All that is left is delivered, and nothing of it stays behind.
        while !driven.open.is_empty() {
            driven.take(Step::Retry { which: 0 });
            driven.take(Step::Next);
            driven.take(Step::End { which: 0, fails: false });
        }
        while !driven.running.is_empty() {
            driven.take(Step::End { which: 0, fails: false });
        }
        prop_assert!(driven.queue.tenants.is_empty() && driven.queue.turns.is_empty());
    }

    #[test]
    fn tenants_take_turns(counts in prop::collection::vec(0..40_u64, 1..6)) {
        let capacity = QueueCapacity { events: 1000, bytes: 1000 };
        let mut queue = FairQueue::new(capacity, LIMITS);
        for (tenant, count) in (0..).zip(&counts) {
            (0..*count).for_each(|number| assert!(queue.accept(event(tenant, 1, number), false).is_ok()));
        }
        let mut served: Vec<QueueKey> = Vec::new();
        while let Some(due) = queue.next() {
            // While a tenant has waiting events, no other tenant is served twice.
            for waiting in queue.tenants.iter().filter(|(_, tenant)| !tenant.waiting.is_empty()).map(|(key, _)| key) {
                let since: Vec<_> = served.iter().rev().take_while(|key| *key != waiting).collect();
                let others: HashSet<_> = since.iter().collect();
                prop_assert!(*waiting == due.queue || others.len() == since.len(), "{:?}", served);
            }
            due.events.iter().for_each(|event| queue.settle(event));
            queue.ended(&due.queue, false);
            served.push(due.queue);
        }
        let batches: u64 = counts.iter().map(|count| count.div_ceil(3)).sum();
        prop_assert_eq!(served.len() as u64, batches);
    }
}

#[test]
fn a_full_queue_of_one_tenant_leaves_room_for_the_others() {
    let capacity = QueueCapacity { events: 100, bytes: 10_000 };
    let mut queue = FairQueue::new(capacity, LIMITS);
    let mut fill = |tenant| (0..).take_while(|number| queue.accept(event(tenant, 1, *number), false).is_ok()).count();
    assert_eq!([fill(1), fill(2), fill(3), fill(1)], [50, 25, 13, 0]);
    assert_eq!(queue.accept(event(1, 1, 0), false), Err(QueueFull));
    assert!(queue.accept(event(1, 1, 0), true).is_ok(), "a continuation frees what its event holds");
}

#[test]
fn bytes_count_as_well_as_events() {
    let mut queue = FairQueue::new(QueueCapacity { events: 100, bytes: 100 }, LIMITS);
    assert_eq!(queue.accept(event(1, 101, 0), false), Err(QueueFull));
    assert_eq!(queue.accept(event(1, 60, 0), false), Ok(Duration::ZERO));
    assert_eq!(queue.accept(event(1, 1, 1), false), Err(QueueFull));
    assert_eq!(queue.accept(event(2, 40, 2), false), Ok(Duration::ZERO));
    assert_eq!(queue.held(), Amount { events: 2, bytes: 100 });
}
