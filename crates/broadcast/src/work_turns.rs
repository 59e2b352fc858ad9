//! Shares the processor among tenants.
//!
//! Invariant: a tenant has at most one turn at a time, and everything else in the instance may go on before its next turn. In
//! a turn it evaluates filters for a millisecond, or writes one message. However many events, filters and views a tenant has,
//! another tenant therefore waits for about one turn of each tenant that has work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use entity_stream_protocol::Tenant;
use tokio::sync::MutexGuard;
use tokio::task::yield_now;

/// The time after which a task gives way. One filter can take longer, because its patterns are compiled for their first text.
const TURN: Duration = Duration::from_millis(1);

/// The turns of all tenants that have work.
#[derive(Debug, Default)]
pub(crate) struct WorkTurns(Mutex<HashMap<Tenant, Weak<tokio::sync::Mutex<()>>>>);

/// The queue of one tenant.
#[derive(Clone, Debug)]
pub(crate) struct TenantTurns(Arc<tokio::sync::Mutex<()>>);

/// The right to work for a moment.
pub(crate) struct WorkTurn<'a> {
    _queue: MutexGuard<'a, ()>,
    began: Instant,
}

impl WorkTurns {
    /// Returns the queue of a tenant. Tasks of the same tenant share it.
    pub(crate) fn of(&self, tenant: &Tenant) -> TenantTurns {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = tenants.get(tenant).and_then(Weak::upgrade) {
            return TenantTurns(turns);
        }
        tenants.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::default();
        tenants.insert(tenant.clone(), Arc::downgrade(&turns));
        TenantTurns(turns)
    }
}

impl TenantTurns {
    /// Waits for the next turn. Everything else in the instance may go on first.
    pub(crate) async fn next(&self) -> WorkTurn<'_> {
        let queue = self.0.lock().await;
        // The place in the queue is held meanwhile. One task reads all partitions and makes all deliveries of an invocation. If
        // they gave way before they queue, all that are ready would have their turns one after the other.
        yield_now().await;
        WorkTurn { _queue: queue, began: Instant::now() }
    }
}

impl WorkTurn<'_> {
    /// Returns whether it is time to give way.
    pub(crate) fn is_over(&self) -> bool {
        self.began.elapsed() >= TURN
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_tenant_has_one_turn_at_a_time_and_tenants_do_not_wait_for_each_other() {
        let turns = WorkTurns::default();
        let [demo, other] = ["demo", "other"].map(|name| Tenant::parse(name).unwrap());
        let (first, second) = (turns.of(&demo), turns.of(&demo));
        let turn = first.next().await;
        let others = turns.of(&other);
        drop(others.next().await);
        let mut waiting = Box::pin(second.next());
        for _ in 0..10 {
            assert!(futures_util::poll!(&mut waiting).is_pending());
        }
        drop(turn);
        waiting.await;
    }

    /// One task reads all partitions of a batch, and serves the batches of all tenants of an invocation.
    #[tokio::test]
    async fn another_tenant_goes_on_after_each_turn_also_within_one_task() {
        let turns = WorkTurns::default();
        let demo = turns.of(&Tenant::parse("demo").unwrap());
        let taken = Cell::new(0);
        let partition = async || {
            for _ in 0..10 {
                let turn = demo.next().await;
                taken.set(taken.get() + 1);
                drop(turn);
            }
        };
        let partitions = join_all((0..60).map(|_| partition()));
        let other = async {
            let mut most = 0;
            while taken.get() < 600 {
                let before = taken.get();
                yield_now().await;
                most = most.max(taken.get() - before);
            }
            most
        };
        let (_, most) = tokio::join!(partitions, other);
        // `join!` polls the two in alternating order.
        assert!(most <= 2, "{most} turns before the other tenant went on");
    }

    #[test]
    fn tenants_without_work_are_forgotten() {
        let turns = WorkTurns::default();
        for tenant in 0..100 {
            turns.of(&Tenant::parse(&format!("t{tenant}")).unwrap());
        }
        assert!(turns.0.lock().unwrap().len() <= 1);
    }
}
