//! The engine of the tables, which serves one request at a time.
//!
//! Invariant: at most one request is in the engine. The others wait in the order in which they came, and no thread waits with them:
//! on a machine with two cores, two threads that wait would stop everything else.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use dynoxide::{Database, DynoxideError, Result};
use tokio::sync::Semaphore;

use super::operations::Operation;

/// The number of waiting requests from which on the engine is congested: more of them would only wait longer.
const CONGESTED: usize = 32;

/// The engine.
pub(crate) struct Engine {
    database: Database,
    turns: Semaphore,
    waiting: AtomicUsize,
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn new(database: Database) -> Self {
        Self { database, turns: Semaphore::new(1), waiting: AtomicUsize::new(0) }
    }

    /// Runs an operation with a request in JSON, once it is its turn. Returns the response in JSON.
    pub(super) async fn run(&self, operation: &Operation, body: &str) -> Result<String> {
        let waits = Waits::new(&self.waiting);
        let turn = self.turns.acquire().await;
        drop(waits);
        let _turn = turn.map_err(|_| DynoxideError::InternalServerError("the tables are closed".to_owned()))?;
        operation.run(&self.database, body)
    }

    /// Refuses all requests from now on, once the one in the engine has ended.
    pub(super) async fn close(&self) {
        // It fails if it is closed already.
        let _turn = self.turns.acquire().await;
        self.turns.close();
    }

    /// True while many requests wait.
    pub(crate) fn is_congested(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= CONGESTED
    }

    #[cfg(test)]
    pub(super) async fn hold(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.turns.acquire().await.unwrap()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Deletes expired items, if the tables are not closed. The engine makes breaks for other requests by itself.
    pub(super) fn delete_expired(&self) -> Result<usize> {
        if self.turns.is_closed() { Ok(0) } else { self.database.sweep_ttl() }
    }
}

/// Counts a request that waits, also one that is given up.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dynamodb::operations;

    #[tokio::test]
    async fn requests_wait_for_their_turn_and_those_that_are_given_up_do_not_count() {
        let engine = Arc::new(Engine::new(Database::memory().unwrap()));
        let turn = engine.hold().await;
        let list = || {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { engine.run(operations::find("ListTables").unwrap(), "{}").await })
        };
        let requests: Vec<_> = (0..CONGESTED).map(|_| list()).collect();
        while !engine.is_congested() {
            tokio::task::yield_now().await;
        }
        let given_up = list();
        while engine.waiting() <= CONGESTED {
            tokio::task::yield_now().await;
        }
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
        assert_eq!(engine.waiting(), CONGESTED);
        drop(turn);
        for request in requests {
            assert_eq!(request.await.unwrap().unwrap(), r#"{"TableNames":[]}"#);
        }
        assert!(!engine.is_congested());
        assert_eq!(engine.waiting(), 0);
        engine.close().await;
        assert!(matches!(list().await.unwrap(), Err(DynoxideError::InternalServerError(_))));
    }
}
