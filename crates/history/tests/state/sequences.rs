use entity_stream_protocol::{EntityStates, FormerState, Revision};
use fastrand::Rng;

use crate::changes::RandomChange;
use crate::model::ModelEntity;
use crate::support::{TestStates, at, seeds};

/// A change that may be repeated after the next one.
struct ChangeBefore {
    change: RandomChange,
    version: u64,
    did_count: bool,
    /// The entity before it.
    before: Option<String>,
    /// The entity after it.
    after: Option<String>,
}

/// Changes one after the other, some of them repeated at once or after the next one: the state is the model's after each of them.
#[tokio::test]
async fn the_state_is_that_of_a_model_after_each_change() {
    let (mut repeated, mut unknown) = (0, 0);
    for seed in seeds(150) {
        let mut rng = Rng::with_seed(seed);
        let t = TestStates::create().await;
        let mut model = ModelEntity::default();
        let (mut first_version, mut former): (_, Option<ChangeBefore>) = (None, None);
        for number in 0..rng.usize(1..30) {
            let now = 10_000 + 100 * i64::try_from(number).unwrap() + rng.i64(0..200);
            let change = RandomChange::new(&mut rng, number, now);
            let event = change.event();
            let clock = at(now.unsigned_abs() + 1_000);
            let (before, counted) = (model.data(), model.counted);
            let (revision, states) = t.known(&event, clock).await;
            let is_late = model.apply(&change);
            let context = format!("seed {seed}, change {number}: {change:?}");
            assert_eq!((revision.is_late, revision.is_partial), (is_late, model.unknown.is_some()), "{context}");
            let first = *first_version.get_or_insert(revision.version - model.counted);
            assert_eq!(revision.version, first + model.counted, "{context}");
            assert_eq!(after(&states), model.data(), "{context}");
            assert_eq!(t.data("e", clock).await, model.data(), "{context}");
            match &states.before {
                FormerState::Data(data) => assert_eq!(Some(data.get()), before.as_deref(), "{context}"),
                FormerState::Absent => assert_eq!(before, None, "{context}"),
                FormerState::Unknown => panic!("{context}"),
            }
            // A repetition alters nothing, and says the same.
            if rng.bool() {
                let (again, states) = t.known(&event, clock).await;
                assert_eq!((again.version, again.is_late), (revision.version, is_late), "{context}");
                assert_eq!((after(&states), previous(&again)), (model.data(), previous(&revision)), "{context}");
                if let FormerState::Data(data) = &states.before {
                    assert_eq!(Some(data.get()), before.as_deref(), "{context}");
                }
            }
            let (did_count, model_after) = (model.counted > counted, model.data());
            if let Some(ChangeBefore { change: former, version, did_count, before, after: left }) =
                former.filter(|_| rng.bool())
            {
                let (again, states, present) = t.repeated(&former.event(), clock).await;
                // A view of the whole entity shows the present one. All others are judged by the entity after the change.
                if did_count {
                    let has_changed = model.counted > counted;
                    assert_eq!(after(&states), left, "{context}: {former:?}");
                    let now = present.map(|entity| entity.data.map(|data| data.get().to_owned()));
                    assert_eq!(now, has_changed.then(|| model.data()), "{context}: {former:?}");
                }
                match states.before {
                    // What it finds now, if it is not remembered.
                    _ if !did_count => {}
                    FormerState::Data(data) => {
                        assert_eq!(Some(data.get()), before.as_deref(), "{context}: {former:?}");
                    }
                    FormerState::Absent => assert_eq!(before, None, "{context}: {former:?}"),
                    FormerState::Unknown => unknown += 1,
                }
                repeated += 1;
                // A change that did not count is not remembered. It is late, and counts only if an attribute has come back since.
                if !did_count {
                    assert!(model.apply(&former), "{context}: {former:?}");
                }
                let expected = if did_count { version } else { first + model.counted };
                assert_eq!(again.version, expected, "{context}: {former:?}");
                assert_eq!(t.data("e", clock).await, model.data(), "{context}");
            }
            former = Some(ChangeBefore { change, version: revision.version, did_count, before, after: model_after });
        }
    }
    assert!(unknown < repeated / 2, "{unknown} of {repeated} former states are not known");
}

pub(crate) fn previous(revision: &Revision) -> Option<String> {
    revision.previous.as_ref().map(|previous| previous.get().to_owned())
}

pub(crate) fn after(states: &EntityStates) -> Option<String> {
    states.after.as_ref().map(|data| data.get().to_owned())
}
