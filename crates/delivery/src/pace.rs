use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity_stream_protocol::{ConnectionId, stable_hash};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Most calls at once, unless whoever calls wants fewer: more than one process can make use of.
pub(crate) const MOST: usize = 10_000;
/// What is left of the calls at once after a 429.
const CUT: f64 = 0.7;
/// How long one cut stands for all 429s: those that follow at once answer calls from before it.
const CUT_INTERVAL: Duration = Duration::from_millis(50);

/// How long after one connection's 429 another's is taken to have the same reason.
const ANOTHER_INTERVAL: Duration = Duration::from_secs(1);

/// How many calls are under way at once: up to a fixed number until API Gateway answers 429, then fewer for everybody,
/// then gradually more again (additive increase, multiplicative decrease).
#[derive(Debug)]
pub(crate) struct Pace {
    most: usize,
    free: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: f64,
    under_way: usize,
    /// Permits that are to be withdrawn, but are under way.
    owed: usize,
    cut_at: Option<Instant>,
    /// Whose call was answered 429 last, and when.
    throttled: Option<(u64, Instant)>,
}

/// The right to make one call.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Pace);

impl Pace {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.clamp(1, MOST);
        let limit = most as f64;
        Self {
            most,
            free: Semaphore::new(most),
            state: Mutex::new(State { limit, under_way: 0, owed: 0, cut_at: None, throttled: None }),
        }
    }

    /// Waits until one more call may be made.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        // It is never closed, so there is always a permit to come.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        self.state().under_way += 1;
        Turn(self)
    }

    /// How many calls may be under way now.
    #[cfg(test)]
    fn limit(&self) -> usize {
        whole(self.state().limit)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_limit(&self, state: &mut State, limit: f64) {
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
    /// The call was answered 429, which says that the account calls too often, or that this one client does not take
    /// what it is sent. Everybody slows down if it happens to different connections.
    pub(crate) fn throttled(&self, connection: &ConnectionId) {
        self.throttled_at(stable_hash(connection.as_str().as_bytes()), Instant::now());
    }

    fn throttled_at(&self, connection: u64, now: Instant) {
        let mut state = self.0.state();
        let last = state.throttled.replace((connection, now));
        if last.is_none_or(|(last, at)| last == connection || now - at > ANOTHER_INTERVAL) {
            return;
        }
        if state.cut_at.is_some_and(|cut_at| now - cut_at < CUT_INTERVAL) {
            return;
        }
        state.cut_at = Some(now);
        let limit = (state.limit.min(state.under_way as f64) * CUT).max(1.0);
        self.0.set_limit(&mut state, limit);
    }

    /// The call went through: one more at once after as many of them as there are now. A limit that nobody uses up is
    /// not raised.
    pub(crate) fn delivered(&self) {
        let mut state = self.0.state();
        let most = self.0.most as f64;
        if state.limit < most && state.under_way >= whole(state.limit) {
            let limit = (state.limit + 1.0 / state.limit).min(most);
            self.0.set_limit(&mut state, limit);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way -= 1;
        if state.owed > 0 {
            state.owed -= 1;
        } else {
            self.0.free.add_permits(1);
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10,000")]
fn whole(limit: f64) -> usize {
    limit as usize
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn turn(pace: &Pace) -> Option<Turn<'_>> {
        pace.turn().now_or_never()
    }

    /// As many turns as are to be had without waiting.
    fn turns(pace: &Pace, most: usize) -> Vec<Turn<'_>> {
        std::iter::from_fn(|| turn(pace)).take(most).collect()
    }

    #[test]
    fn a_429_slows_everybody_down_and_what_goes_through_speeds_up_again() {
        let pace = Pace::new(MOST);
        let under_way = turns(&pace, 100);
        let now = Instant::now();
        for (connection, turn) in (0..).zip(&under_way) {
            turn.throttled_at(connection, now);
        }
        assert_eq!(pace.limit(), 70, "all at once are one reason to slow down");
        drop(under_way);
        let under_way = turns(&pace, 100);
        assert_eq!(under_way.len(), 70);
        for turn in &under_way {
            turn.delivered();
        }
        assert_eq!(pace.limit(), 70, "not quite one more after seventy");
        under_way[0].delivered();
        under_way[1].delivered();
        assert_eq!(pace.limit(), 71);
        drop(under_way);
        assert_eq!(turns(&pace, 100).len(), 71);
    }

    #[test]
    fn one_client_that_is_slow_slows_nobody_else_down() {
        let (pace, now) = (Pace::new(64), Instant::now());
        let under_way = turns(&pace, 64);
        for call in 0..1000 {
            under_way[0].throttled_at(7, now + CUT_INTERVAL * call);
        }
        under_way[0].throttled_at(8, now + CUT_INTERVAL * 1000 + ANOTHER_INTERVAL);
        assert_eq!(pace.limit(), 64);
        under_way[0].throttled_at(7, now + CUT_INTERVAL * 1001 + ANOTHER_INTERVAL);
        assert!(pace.limit() < 64);
    }

    #[test]
    fn it_never_stops_altogether() {
        let (pace, start) = (Pace::new(MOST), Instant::now());
        for cut in 0..100_u32 {
            turn(&pace).unwrap().throttled_at(cut.into(), start + CUT_INTERVAL * cut);
        }
        assert_eq!(pace.limit(), 1);
        assert_eq!(turns(&pace, 100).len(), 1);
    }

    #[test]
    fn a_limit_that_is_not_used_up_is_not_raised() {
        let pace = Pace::new(MOST);
        let under_way = turns(&pace, 4);
        under_way[0].throttled_at(1, Instant::now());
        under_way[1].throttled_at(2, Instant::now());
        drop(under_way);
        assert_eq!(pace.limit(), 2);
        for _ in 0..100 {
            turn(&pace).unwrap().delivered();
        }
        assert_eq!(pace.limit(), 2);
    }

    #[test]
    fn there_are_never_more_than_asked_for() {
        let pace = Pace::new(3);
        let under_way = turns(&pace, 10);
        assert_eq!(under_way.len(), 3);
        for turn in &under_way {
            turn.delivered();
        }
        drop(under_way);
        assert_eq!(turns(&pace, 10).len(), 3);
    }

    proptest! {
        #[test]
        fn the_turns_to_be_had_are_always_the_limit(steps in prop::collection::vec((0..4u8, 0..8usize), 0..60)) {
            let (pace, mut now) = (Pace::new(MOST), Instant::now());
            let mut under_way = turns(&pace, 1);
            under_way[0].throttled_at(0, now);
            for (step, count) in steps {
                match step {
                    0 => under_way.extend(turns(&pace, count)),
                    1 => drop(under_way.drain(..count.min(under_way.len()))),
                    2 => under_way.iter().take(count).for_each(Turn::delivered),
                    _ => {
                        now += CUT_INTERVAL;
                        under_way.iter().take(1).for_each(|turn| turn.throttled_at(count as u64, now));
                    }
                }
            }
            drop(under_way);
            prop_assert_eq!(turns(&pace, MOST).len(), pace.limit());
        }
    }
}
