//! The promise holds in every schedule.

use std::env;

use crate::search::{report, search};
use crate::simulate::simulate;

/// The variable with the number of schedules. `.ci/long` sets it.
const SCHEDULES: &str = "ENTITY_STREAM_RESUME_SCHEDULES";
/// The variable with the one seed to run.
const SEED: &str = "ENTITY_STREAM_RESUME_SEED";
const USUAL: u64 = 100_000;

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn no_client_loses_an_event() {
    if let Some(seed) = search(variable(SCHEDULES).unwrap_or(USUAL), None) {
        report(seed);
    }
}

#[test]
fn one_seed() {
    let Some(seed) = variable(SEED) else { return };
    match simulate(seed, None, true) {
        Ok(steps) => println!("The schedule of seed {seed} keeps the promise in {steps} steps."),
        Err(_) => report(seed),
    }
}

#[test]
fn a_seed_determines_a_schedule() {
    for seed in 0..100 {
        let steps = || simulate(seed, None, false).ok();
        assert_eq!(steps(), steps(), "seed {seed}");
    }
}
