//! Shares the time for filters among tenants.
//!
//! Invariant: at any time, at most one task of the instance evaluates filters of a tenant, and it does so for a millisecond
//! before other tasks may go on. However many events and filters a tenant has, another tenant therefore waits for about a
//! millisecond for each tenant that evaluates filters.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use entity_stream_protocol::Tenant;
use tokio::sync::MutexGuard;
use tokio::task::yield_now;

/// The time after which a task gives way. One filter can take longer, because its patterns are compiled for their first text.
const TURN: Duration = Duration::from_millis(1);

/// The turns of all tenants that evaluate filters.
#[derive(Debug, Default)]
pub(crate) struct FilterTurns(Mutex<HashMap<Tenant, Weak<tokio::sync::Mutex<()>>>>);

/// The queue of one tenant.
#[derive(Clone, Debug)]
pub(crate) struct TenantTurns(Arc<tokio::sync::Mutex<()>>);

/// The right to evaluate filters for a moment.
pub(crate) struct FilterTurn<'a> {
    _queue: MutexGuard<'a, ()>,
    began: Instant,
}

impl FilterTurns {
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
    /// Waits for the next turn. Tasks of the tenant take turns, and every other task of the instance may go on first.
    pub(crate) async fn next(&self) -> FilterTurn<'_> {
        yield_now().await;
        FilterTurn { _queue: self.0.lock().await, began: Instant::now() }
    }
}

impl FilterTurn<'_> {
    /// Returns whether it is time to give way.
    pub(crate) fn is_over(&self) -> bool {
        self.began.elapsed() >= TURN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tenant_has_one_turn_at_a_time_and_tenants_do_not_wait_for_each_other() {
        let turns = FilterTurns::default();
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

    #[test]
    fn tenants_without_work_are_forgotten() {
        let turns = FilterTurns::default();
        for tenant in 0..100 {
            turns.of(&Tenant::parse(&format!("t{tenant}")).unwrap());
        }
        assert!(turns.0.lock().unwrap().len() <= 1);
    }
}
