//! A limit of concurrent calls that adapts to throttling: additive increase, multiplicative decrease.
//!
//! Invariant: the free permits of the semaphore plus the running calls, minus the permits that are owed, equal the limit.
//! The limit is at least 1, so calls never stop altogether. Calls that take long are overdue and no longer count as running.
//! There are at most as many of them as the limit allows at first.
//!
//! A 429 has one of two causes: the account calls too often, or one client reads too slowly. A connection that answered 429
//! before is a slow client until it accepts a message, so its further 429s say nothing about the account.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity_stream_protocol::ConnectionId;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// The highest limit. One process cannot make use of more calls at once.
pub(crate) const MOST: usize = 10_000;
/// The share of the limit that remains after a cut.
const CUT: f64 = 0.7;
/// The shortest time between two cuts. 429s that follow a cut at once answer calls from before it.
const CUT_INTERVAL: Duration = Duration::from_millis(50);
/// The longest time between the 429s of two connections that count as one cause.
const ANOTHER_INTERVAL: Duration = Duration::from_secs(1);
/// The most slow clients that are remembered.
const SLOW_CLIENTS: usize = 4096;

/// Limits the calls that run at once. The limit starts at a fixed number. It falls when API Gateway answers 429 to several
/// connections, and it rises again while calls succeed.
#[derive(Debug)]
pub(crate) struct AdaptiveLimit {
    most: usize,
    free: Semaphore,
    hasher: RandomState,
    state: Mutex<LimitState>,
}

#[derive(Debug)]
struct LimitState {
    limit: f64,
    running: usize,
    /// Calls that take long.
    overdue: usize,
    /// The hashes of the connections whose last call was answered 429.
    slow: HashSet<u64>,
    /// Permits to withdraw when running calls end.
    owed: usize,
    cut_at: Option<Instant>,
    /// The hash of the connection whose call was answered 429 last though it was not slow, and the time.
    throttled: Option<(u64, Instant)>,
}

/// The right to make one call.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    limit: &'a AdaptiveLimit,
    is_overdue: AtomicBool,
}

impl AdaptiveLimit {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.clamp(1, MOST);
        let state = LimitState {
            limit: most as f64,
            running: 0,
            overdue: 0,
            slow: HashSet::new(),
            owed: 0,
            cut_at: None,
            throttled: None,
        };
        Self { most, free: Semaphore::new(most), hasher: RandomState::new(), state: Mutex::new(state) }
    }

    /// Waits until another call may start.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        // The semaphore is never closed, so `acquire` does not fail.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        self.state().running += 1;
        Turn { limit: self, is_overdue: AtomicBool::new(false) }
    }

    /// Frees the permit of a call that ran, or withdraws it.
    fn release(&self, state: &mut LimitState) {
        state.running -= 1;
        if state.owed > 0 {
            state.owed -= 1;
        } else {
            self.free.add_permits(1);
        }
    }

    /// Returns the limit as it is now.
    #[cfg(test)]
    fn limit(&self) -> usize {
        whole(self.state().limit)
    }

    fn state(&self) -> MutexGuard<'_, LimitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_limit(&self, state: &mut LimitState, limit: f64) {
        let (old, new) = (whole(state.limit), whole(limit));
        state.limit = limit;
        if new < old {
            let withdrawn = self.free.forget_permits(old - new);
            state.owed += old - new - withdrawn;
        } else {
            let paid = state.owed.min(new - old);
            state.owed -= paid;
            self.free.add_permits(new - old - paid);
        }
    }
}

impl Turn<'_> {
    /// Reports that the call was answered 429. The account calls too often, or this client reads too slowly. The limit falls
    /// only if connections are throttled that were not slow before.
    pub(crate) fn throttled(&self, connection: &ConnectionId) {
        self.throttled_at(self.limit.hasher.hash_one(connection), Instant::now());
    }

    fn throttled_at(&self, connection: u64, now: Instant) {
        let mut state = self.limit.state();
        if state.slow.len() >= SLOW_CLIENTS {
            state.slow.clear();
        }
        if !state.slow.insert(connection) {
            return;
        }
        let last = state.throttled.replace((connection, now));
        if last.is_none_or(|(last, at)| last == connection || now - at > ANOTHER_INTERVAL) {
            return;
        }
        if state.cut_at.is_some_and(|cut_at| now - cut_at < CUT_INTERVAL) {
            return;
        }
        state.cut_at = Some(now);
        let limit = (state.limit.min(state.running as f64) * CUT).max(1.0);
        self.limit.set_limit(&mut state, limit);
    }

    /// Reports that the call succeeded. The limit rises by one after as many such calls as the limit. An unused limit does
    /// not rise.
    pub(crate) fn succeeded(&self, connection: &ConnectionId) {
        self.succeeded_at(|| self.limit.hasher.hash_one(connection));
    }

    fn succeeded_at(&self, connection: impl FnOnce() -> u64) {
        let mut state = self.limit.state();
        if !state.slow.is_empty() {
            state.slow.remove(&connection());
        }
        let most = self.limit.most as f64;
        if state.limit < most && state.running >= whole(state.limit) {
            let limit = (state.limit + 1.0 / state.limit).min(most);
            self.limit.set_limit(&mut state, limit);
        }
    }

    /// Reports that the call takes long. Another call may then start, unless too many take long.
    pub(crate) fn is_overdue(&self) {
        let mut state = self.limit.state();
        if state.overdue < self.limit.most && !self.is_overdue.swap(true, Ordering::Relaxed) {
            state.overdue += 1;
            self.limit.release(&mut state);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.limit.state();
        if *self.is_overdue.get_mut() {
            state.overdue -= 1;
        } else {
            self.limit.release(&mut state);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10,000")]
fn whole(limit: f64) -> usize {
    limit as usize
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn turn(limit: &AdaptiveLimit) -> Option<Turn<'_>> {
        limit.turn().now_or_never()
    }

    /// Takes the turns that are free without a wait.
    fn turns(limit: &AdaptiveLimit, most: usize) -> Vec<Turn<'_>> {
        std::iter::from_fn(|| turn(limit)).take(most).collect()
    }

    #[test]
    fn different_connections_that_are_throttled_lower_the_limit_and_successes_raise_it() {
        let limit = AdaptiveLimit::new(MOST);
        let running = turns(&limit, 100);
        let now = Instant::now();
        for (connection, turn) in (0..).zip(&running) {
            turn.throttled_at(connection, now);
        }
        assert_eq!(limit.limit(), 70, "429s at the same time cut once");
        drop(running);
        let running = turns(&limit, 100);
        assert_eq!(running.len(), 70);
        for turn in &running {
            turn.succeeded_at(|| 0);
        }
        assert_eq!(limit.limit(), 70, "70 successes are not quite enough for one more");
        running[0].succeeded_at(|| 0);
        running[1].succeeded_at(|| 0);
        assert_eq!(limit.limit(), 71);
        drop(running);
        assert_eq!(turns(&limit, 100).len(), 71);
    }

    #[test]
    fn slow_clients_do_not_lower_the_limit() {
        let (limit, now) = (AdaptiveLimit::new(64), Instant::now());
        let running = turns(&limit, 64);
        running[0].throttled_at(7, now);
        running[1].throttled_at(8, now + CUT_INTERVAL + ANOTHER_INTERVAL);
        for call in 0..1000 {
            running[0].throttled_at(7 + u64::from(call) % 2, now + CUT_INTERVAL * call);
        }
        assert_eq!(limit.limit(), 64);
        // Connections that took the message before are throttled.
        let later = now + CUT_INTERVAL * 1001;
        for connection in [7, 8] {
            running[0].succeeded_at(|| connection);
            running[0].throttled_at(connection, later);
        }
        assert!(limit.limit() < 64);
    }

    #[test]
    fn calls_that_take_long_make_room_for_as_many_others() {
        let limit = AdaptiveLimit::new(10);
        let slow = turns(&limit, 10);
        assert!(turn(&limit).is_none());
        slow.iter().for_each(Turn::is_overdue);
        slow.iter().for_each(Turn::is_overdue);
        let others = turns(&limit, 100);
        assert_eq!(others.len(), 10);
        others.iter().for_each(Turn::is_overdue);
        assert!(turn(&limit).is_none(), "twenty calls at once are enough");
        drop(slow);
        others.iter().for_each(Turn::is_overdue);
        assert_eq!(turns(&limit, 100).len(), 10);
        drop(others);
        assert_eq!(turns(&limit, 100).len(), 10);
    }

    #[test]
    fn the_limit_stays_at_least_one() {
        let (limit, start) = (AdaptiveLimit::new(MOST), Instant::now());
        for cut in 0..100_u32 {
            turn(&limit).unwrap().throttled_at(cut.into(), start + CUT_INTERVAL * cut);
        }
        assert_eq!(limit.limit(), 1);
        assert_eq!(turns(&limit, 100).len(), 1);
    }

    #[test]
    fn an_unused_limit_does_not_rise() {
        let limit = AdaptiveLimit::new(MOST);
        let running = turns(&limit, 4);
        running[0].throttled_at(1, Instant::now());
        running[1].throttled_at(2, Instant::now());
        drop(running);
        assert_eq!(limit.limit(), 2);
        for _ in 0..100 {
            turn(&limit).unwrap().succeeded_at(|| 0);
        }
        assert_eq!(limit.limit(), 2);
    }

    #[test]
    fn the_limit_never_exceeds_its_maximum() {
        let limit = AdaptiveLimit::new(3);
        let running = turns(&limit, 10);
        assert_eq!(running.len(), 3);
        for turn in &running {
            turn.succeeded_at(|| 0);
        }
        drop(running);
        assert_eq!(turns(&limit, 10).len(), 3);
    }

    proptest! {
        #[test]
        fn the_free_turns_equal_the_limit(steps in prop::collection::vec((0..5u8, 0..8usize), 0..60)) {
            let (limit, mut now) = (AdaptiveLimit::new(MOST), Instant::now());
            let mut running = turns(&limit, 1);
            running[0].throttled_at(0, now);
            for (step, count) in steps {
                match step {
                    0 => running.extend(turns(&limit, count)),
                    1 => drop(running.drain(..count.min(running.len()))),
                    2 => running.iter().take(count).for_each(|turn| turn.succeeded_at(|| count as u64)),
                    3 => running.iter().take(count).for_each(Turn::is_overdue),
                    _ => {
                        now += CUT_INTERVAL;
                        running.iter().take(1).for_each(|turn| turn.throttled_at(count as u64, now));
                    }
                }
            }
            drop(running);
            prop_assert_eq!(turns(&limit, MOST).len(), limit.limit());
        }
    }
}
