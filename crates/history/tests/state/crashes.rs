use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use entity_stream_history::{Applied, StateTable};
use entity_stream_protocol::FormerState;
use entity_stream_testing::{aws_config, dynamodb_url};
use fastrand::Rng;

use crate::changes::RandomChange;
use crate::model::ModelEntity;
use crate::sequences::{after, previous};
use crate::support::{TestStates, at, seeds};

/// The time after which Lambda repeats an attempt.
const REPEATED_AFTER: u64 = 60_000;

/// Ends an attempt at one of its requests: before the request is sent, or after the table has answered it.
#[derive(Clone, Debug)]
struct Crash {
    /// The number of requests before it.
    left: Arc<AtomicI64>,
    is_sent: bool,
}

impl Crash {
    fn step(&self) -> Result<(), BoxError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 { Err("a crash".into()) } else { Ok(()) }
    }
}

impl Intercept for Crash {
    fn name(&self) -> &'static str {
        "Crash"
    }

    fn modify_before_transmit(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.is_sent { Ok(()) } else { self.step() }
    }

    fn modify_before_deserialization(
        &self,
        _: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.is_sent { self.step() } else { Ok(()) }
    }
}

/// The same table, as an instance sees it that crashes at a step.
fn crashing(t: &TestStates, crash: Crash) -> StateTable {
    let config = Builder::from(&aws_config(dynamodb_url())).retry_config(RetryConfig::disabled()).interceptor(crash);
    let day = Duration::from_secs(24 * 60 * 60);
    StateTable::new(Client::from_conf(config.build()), t.name.clone(), 7 * day, Duration::from_secs(3600))
}

/// Each change crashes at its first step, is repeated and crashes at the second, and so on until it ends. It has then happened
/// once.
#[tokio::test]
async fn a_change_that_crashes_at_each_step_happens_once() {
    let mut crashes = 0;
    for seed in seeds(60) {
        let mut rng = Rng::with_seed(seed);
        let t = TestStates::create().await;
        let mut model = ModelEntity::default();
        let (mut first_version, mut newest) = (None, None);
        for number in 0..rng.usize(1..12) {
            let now = 10_000 + 100 * i64::try_from(number).unwrap() + rng.i64(0..200);
            let change = RandomChange::new(&mut rng, number, now);
            let (event, before) = (change.event(), model.data());
            let arrival = at(now.unsigned_abs() + 1_000);
            let context = format!("seed {seed}, change {number}: {change:?}");
            // Lambda repeats an event after a minute. Nobody recognises it then, if the crash came before the write. One that is
            // not newer than all others may count as a repetition, if the item has forgotten some, so those are repeated at once.
            let is_newest = newest < Some(change.at) || (newest == Some(change.at) && number < 8);
            newest = newest.max(Some(change.at));
            let wait = if is_newest && rng.bool() { REPEATED_AFTER } else { 0 };
            let mut step = 0;
            let (revision, states) = loop {
                let crash = Crash { left: Arc::new(AtomicI64::new(step)), is_sent: rng.bool() };
                let clock = if step > 0 { arrival.plus(Duration::from_millis(wait)) } else { arrival };
                match crashing(&t, crash).apply(&event, arrival, clock).await {
                    Ok(Applied::Known { revision, states, .. }) => break (revision, states),
                    Ok(Applied::TooLarge { .. }) => panic!("{context}"),
                    Err(_) => (step, crashes) = (step + 1, crashes + 1),
                }
                assert!(step < 10, "{context}");
            };
            let is_late = model.apply(&change);
            assert_eq!(revision.is_late, is_late, "{context}");
            let first = *first_version.get_or_insert(revision.version - model.counted);
            assert_eq!(revision.version, first + model.counted, "{context}");
            assert_eq!(after(&states), model.data(), "{context}");
            assert_eq!(t.data("e", arrival).await, model.data(), "{context}");
            match &states.before {
                FormerState::Data(data) => assert_eq!(Some(data.get()), before.as_deref(), "{context}"),
                FormerState::Absent => assert_eq!(before, None, "{context}"),
                // The item has forgotten some changes, and this one could be among them.
                FormerState::Unknown => assert!(wait > 0 && number >= 8, "{context}"),
            }
            // A change that did not count is no repetition, and has no former values.
            let (again, _) = t.known(&event, arrival).await;
            assert_eq!((again.version, previous(&again)), (revision.version, previous(&revision)), "{context}");
        }
    }
    assert!(crashes > 50, "{crashes}");
}
