//! The policy alone, with a clock of numbers.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const OVERDUE: Duration = Duration::from_secs(1);

/// A recipient: the time of each attempt in milliseconds, and the number of refusals before it accepts.
#[derive(Clone, Copy, Debug)]
struct Script {
    takes: u64,
    refusals: usize,
}

/// The result of a run.
struct Outcomes {
    settled: HashMap<usize, StopReason>,
    first: HashMap<usize, Instant>,
    /// The time of the last delivery, or of the last first attempt if that is later.
    progress: Instant,
    most_running: usize,
    most_at_once: usize,
    end: Instant,
    start: Instant,
}

/// An attempt under way.
struct UnderWay {
    tried: Tried<usize>,
    began: Instant,
    is_overdue: bool,
}

/// Runs a schedule in simulated time.
fn run(scripts: &[Script], concurrency: usize, stop: Duration, patience: Duration) -> Outcomes {
    let start = Instant::now();
    let (mut now, mut unread) = (start, 0..scripts.len());
    let mut schedule = DeliverySchedule::new(concurrency, Deadline::at(start + stop, patience), now);
    let mut under_way: Vec<UnderWay> = Vec::new();
    let mut made = vec![0; scripts.len()];
    let mut ran = Outcomes {
        settled: HashMap::new(),
        first: HashMap::new(),
        progress: start,
        most_running: 0,
        most_at_once: 0,
        end: start,
        start,
    };
    let delay = |attempts: usize| Duration::from_millis(50 << attempts.min(5));
    while !schedule.is_finished() && now < schedule.over_at() {
        while schedule.is_reading() && schedule.has_room() {
            match unread.next() {
                Some(recipient) => {
                    ran.first.insert(recipient, now);
                    under_way.push(UnderWay { tried: schedule.begin(recipient, now), began: now, is_overdue: false });
                }
                None => schedule.end_of_reading(now),
            }
            ran.progress = now;
        }
        while let Some(tried) = schedule.resume(now) {
            under_way.push(UnderWay { tried, began: now, is_overdue: false });
        }
        ran.most_running = ran.most_running.max(under_way.iter().filter(|each| !each.is_overdue).count());
        ran.most_at_once = ran.most_at_once.max(under_way.len());
        let ends = |each: &UnderWay| each.began + Duration::from_millis(scripts[each.tried.recipient].takes);
        let steps = under_way.iter().map(|each| match each.is_overdue {
            true => ends(each),
            false => ends(each).min(each.began + OVERDUE),
        });
        now = steps.chain([schedule.wakes_at()]).min().unwrap().max(now);
        let mut rest = Vec::new();
        for mut each in under_way {
            if ends(&each) > now {
                if !each.is_overdue && each.began + OVERDUE <= now {
                    schedule.attempt_is_overdue();
                    each.is_overdue = true;
                }
                rest.push(each);
                continue;
            }
            let recipient = each.tried.recipient;
            made[recipient] += 1;
            let accepts = made[recipient] > scripts[recipient].refusals;
            let attempt = Attempt { delivered: accepts, rest: if accepts { Rest::Nothing } else { Rest::Refused } };
            if accepts {
                ran.progress = now;
            }
            if let Some((recipient, reason)) =
                schedule.attempt_ended(each.tried, each.is_overdue, attempt, (now, delay))
            {
                assert_eq!(ran.settled.insert(recipient, reason), None);
            }
        }
        under_way = rest;
    }
    ran.end = now;
    for each in under_way {
        let refused = Attempt { delivered: false, rest: Rest::Refused };
        let settled = schedule.attempt_ended(each.tried, each.is_overdue, refused, (now, delay));
        ran.settled.extend(settled);
    }
    while let Some((recipient, reason)) = schedule.give_up_next(now) {
        assert_eq!(ran.settled.insert(recipient, reason), None);
    }
    ran
}

fn script() -> impl Strategy<Value = Script> {
    let refusals = prop_oneof![4 => Just(0_usize), 2 => 1..6_usize, 1 => Just(usize::MAX)];
    (prop_oneof![4 => 0..200_u64, 1 => 0..20_000_u64], refusals)
        .prop_map(|(takes, refusals)| Script { takes, refusals })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_policy_holds(
        scripts in prop::collection::vec(script(), 0..40),
        concurrency in 1..8_usize,
        stop in 0..60_000_u64,
        patience in 1..12_000_u64,
    ) {
        let (stop, patience) = (Duration::from_millis(stop), Duration::from_millis(patience));
        let ran = run(&scripts, concurrency, stop, patience);
        prop_assert!(ran.most_running <= concurrency && ran.most_at_once <= 2 * concurrency);
        prop_assert!(ran.end <= ran.start + stop);
        prop_assert!(ran.end <= ran.progress + patience || ran.end == ran.start + stop);
        for (recipient, script) in scripts.iter().enumerate() {
            let tried = ran.first.get(&recipient).map(|first| ran.end - *first);
            let settled = ran.settled.get(&recipient);
            prop_assert_eq!(settled.is_some(), tried.is_some(), "what was tried is settled");
            match settled {
                Some(StopReason::Done) => prop_assert!(script.refusals < usize::MAX),
                Some(StopReason::Stuck) => prop_assert!(tried >= Some(patience)),
                // Nothing else than the deadline ends a recipient early.
                Some(StopReason::OutOfTime) => {
                    prop_assert!(tried < Some(patience));
                    prop_assert_eq!(ran.end, ran.start + stop);
                }
                Some(StopReason::Failed) => prop_assert!(false),
                None => prop_assert_eq!(ran.end, ran.start + stop),
            }
        }
    }

    #[test]
    fn as_many_hanging_recipients_as_slots_delay_the_others_for_a_second(
        hanging in 0..8_usize, healthy in 0..100_usize, stop in 20_000..60_000_u64,
    ) {
        let mut scripts = vec![Script { takes: u64::from(u32::MAX), refusals: 0 }; hanging];
        scripts.extend(vec![Script { takes: 10, refusals: 0 }; healthy]);
        let ran = run(&scripts, 8, Duration::from_millis(stop), Duration::from_secs(10));
        for recipient in hanging..scripts.len() {
            prop_assert_eq!(ran.settled[&recipient], StopReason::Done);
            prop_assert!(ran.first[&recipient] <= ran.start + OVERDUE * 2);
        }
        for recipient in 0..hanging {
            prop_assert_eq!(ran.settled[&recipient], StopReason::Stuck);
        }
        prop_assert!(ran.end <= ran.start + Duration::from_secs(13));
    }
}
