//! Tokio's clock is paused: it advances when all tasks wait.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::stream;
use proptest::prelude::*;
use tokio::time::sleep;

use super::*;

const DONE: Attempt = Attempt { delivered: true, rest: Rest::Nothing };
const REFUSED: Attempt = Attempt { delivered: false, rest: Rest::Refused };

/// Simulates and records attempts. A function defines the duration and the result of each.
struct Scripted<F> {
    script: F,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Each attempt: the recipient, and the time since the start.
    attempts: Vec<(usize, Duration)>,
    running: usize,
    most_running: usize,
    started: Option<Instant>,
}

impl<F: Fn(usize, usize) -> (Duration, Attempt) + Sync> Carrier<usize> for Scripted<F> {
    async fn attempt(&self, recipient: &mut usize) -> Attempt {
        let earlier = {
            let mut state = self.state.lock().unwrap();
            let started = *state.started.get_or_insert_with(Instant::now);
            let earlier = state.attempts.iter().filter(|(tried, _)| tried == recipient).count();
            state.attempts.push((*recipient, started.elapsed()));
            state.running += 1;
            state.most_running = state.most_running.max(state.running);
            earlier
        };
        let (time, attempt) = (self.script)(*recipient, earlier);
        sleep(time).await;
        self.state.lock().unwrap().running -= 1;
        attempt
    }
}

/// The result of a run.
struct Ran {
    settled: HashMap<usize, StopReason>,
    attempts: Vec<(usize, Duration)>,
    most_running: usize,
    took: Duration,
}

impl Ran {
    fn attempts_of(&self, recipient: usize) -> Vec<Duration> {
        self.attempts.iter().filter(|(tried, _)| *tried == recipient).map(|(_, at)| *at).collect()
    }
}

/// Dispatches the recipients `0..count`. `script` gets a recipient and the number of its earlier attempts.
async fn dispatch(
    count: usize,
    concurrency: usize,
    (stop, patience): (Duration, Duration),
    script: impl Fn(usize, usize) -> (Duration, Attempt) + Sync,
) -> Ran {
    let started = Instant::now();
    let dispatcher = Dispatcher { concurrency, deadline: Deadline::at(started + stop, patience) };
    let carrier = Scripted { script, state: Mutex::default() };
    let mut settled = HashMap::new();
    let settle = |recipient, reason| assert_eq!(settled.insert(recipient, reason), None, "{recipient} settled twice");
    dispatcher.run(stream::iter(0..count), &carrier, settle).await;
    let State { attempts, most_running, .. } = carrier.state.into_inner().unwrap();
    Ran { settled, attempts, most_running, took: started.elapsed() }
}

const MINUTE: Duration = Duration::from_secs(60);

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[tokio::test(start_paused = true)]
async fn attempts_run_at_once_up_to_the_limit() {
    let ran = dispatch(100, 10, (MINUTE, MINUTE), |_, _| (millis(20), DONE)).await;
    assert_eq!((ran.most_running, ran.attempts.len()), (10, 100));
    assert!(ran.settled.len() == 100 && ran.settled.values().all(|reason| *reason == StopReason::Done));
    assert!(ran.took >= millis(200) && ran.took < millis(400), "{:?}", ran.took);
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_is_refused_is_tried_again_after_a_growing_wait() {
    let script = |_, earlier| (millis(0), if earlier < 4 { REFUSED } else { DONE });
    let ran = dispatch(1, 1, (MINUTE, MINUTE), script).await;
    assert_eq!(ran.settled[&0], StopReason::Done);
    let attempts = ran.attempts_of(0);
    assert_eq!(attempts.len(), 5);
    let waits: Vec<_> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, least) in waits.iter().zip([50, 100, 200, 400]) {
        assert!(*wait >= millis(least) && *wait <= millis(2 * least + 10), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn first_attempts_come_before_further_ones_and_waiting_takes_no_slot() {
    const COUNT: usize = 40;
    let is_stuck = |recipient: usize| recipient.is_multiple_of(2);
    let script = move |recipient, _| (millis(30), if is_stuck(recipient) { REFUSED } else { DONE });
    let ran = dispatch(COUNT, 2, (Duration::from_secs(10), MINUTE), script).await;
    let first: Vec<_> = ran.attempts.iter().take(COUNT).map(|(recipient, _)| *recipient).collect();
    assert_eq!(first, (0..COUNT).collect::<Vec<_>>(), "each is tried once before one is tried again");
    for recipient in 0..COUNT {
        let expected = if is_stuck(recipient) { StopReason::OutOfTime } else { StopReason::Done };
        assert_eq!(ran.settled[&recipient], expected);
        assert_eq!(ran.attempts_of(recipient).len() > 1, is_stuck(recipient));
    }
}

#[tokio::test(start_paused = true)]
async fn stragglers_are_given_up_when_nothing_is_delivered_for_as_long_as_patience_lasts() {
    let patience = Duration::from_secs(10);
    // The last delivery ends after 3 s.
    let script = |recipient, _| match recipient {
        0 => (millis(10), REFUSED),
        1 => (10 * MINUTE, DONE),
        _ => (Duration::from_secs(3), DONE),
    };
    let ran = dispatch(3, 64, (10 * MINUTE, patience), script).await;
    assert_eq!(
        [0, 1, 2].map(|recipient| ran.settled[&recipient]),
        [StopReason::Stuck, StopReason::Stuck, StopReason::Done]
    );
    assert_eq!(ran.took, Duration::from_secs(13), "whether they refuse or do not answer");
}

#[tokio::test(start_paused = true)]
async fn patience_begins_after_the_last_first_attempt() {
    // One slot: the others are first tried until second 3.6.
    let script = |recipient, _| match recipient {
        0 => (millis(10), REFUSED),
        _ => (millis(900), Attempt { delivered: false, rest: Rest::Nothing }),
    };
    let ran = dispatch(5, 1, (10 * MINUTE, Duration::from_secs(10)), script).await;
    assert_eq!(ran.settled[&0], StopReason::Stuck);
    assert!(ran.took >= millis(12_700), "{:?}", ran.took);
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_could_not_be_tried_for_long_enough_is_not_stuck() {
    let script = |recipient, _| (millis(10), if recipient == 0 { REFUSED } else { DONE });
    let ran = dispatch(2, 64, (Duration::from_secs(9), Duration::from_secs(10)), script).await;
    assert_eq!(ran.settled[&0], StopReason::OutOfTime);
    assert_eq!(ran.took, Duration::from_secs(9));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_ends_at_the_deadline_and_nothing_starts_after_it() {
    let ran = dispatch(10, 2, (MINUTE, millis(1)), |_, _| (10 * MINUTE, DONE)).await;
    assert_eq!(ran.took, MINUTE);
    assert_eq!(ran.attempts.len(), 4, "two at once, and two after the first are overdue");
    for recipient in 0..10 {
        let expected = if recipient < 4 { StopReason::Stuck } else { StopReason::OutOfTime };
        assert_eq!(ran.settled[&recipient], expected);
    }
}

#[tokio::test(start_paused = true)]
async fn recipients_that_do_not_answer_do_not_keep_the_others_waiting() {
    // As many as there are slots.
    let script = |recipient, _| (if recipient < 4 { 10 * MINUTE } else { millis(10) }, DONE);
    let ran = dispatch(100, 4, (MINUTE, Duration::from_secs(10)), script).await;
    assert!((4..100).all(|recipient| ran.settled[&recipient] == StopReason::Done));
    assert!((0..4).all(|recipient| ran.settled[&recipient] == StopReason::Stuck));
    let last = ran.attempts.iter().map(|(_, at)| *at).max().unwrap();
    assert!(last < millis(1_500), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_the_table_fails_for_is_not_tried_again() {
    let failed = Attempt { delivered: false, rest: Rest::Failed };
    let ran = dispatch(1, 1, (MINUTE, MINUTE), |_, _| (millis(10), failed)).await;
    assert_eq!((ran.settled[&0], ran.attempts.len()), (StopReason::Failed, 1));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_shortens_the_wait_again() {
    // Refused five times, then one of several events is delivered, then refused once more.
    let script = |_, earlier| match earlier {
        5 => (millis(0), Attempt { delivered: true, rest: Rest::Refused }),
        7 => (millis(0), DONE),
        _ => (millis(0), REFUSED),
    };
    let ran = dispatch(1, 1, (MINUTE, MINUTE), script).await;
    let attempts = ran.attempts_of(0);
    assert_eq!(attempts.len(), 8);
    assert!(attempts[5] - attempts[4] >= millis(800), "{attempts:?}");
    assert!(attempts[6] - attempts[5] <= millis(110), "{attempts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_recipient_is_settled_exactly_once(
        scripts in prop::collection::vec((0..2_000_u64, 0..8_usize), 0..40),
        concurrency in 1..8_usize,
        patience in 0..5_000_u64,
        stop in 0..20_000_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let count = scripts.len();
        // A recipient accepts after this many refusals; never, if they are seven.
        let script = |recipient: usize, earlier: usize| {
            let (time, refusals) = scripts[recipient];
            (millis(time), if refusals < 7 && earlier >= refusals { DONE } else { REFUSED })
        };
        let ran = runtime.block_on(dispatch(count, concurrency, (millis(stop), millis(patience)), script));
        prop_assert_eq!(ran.settled.len(), count);
        prop_assert!(ran.most_running <= 2 * concurrency);
        prop_assert!(ran.took <= millis(stop), "{:?}", ran.took);
    }
}
