use std::collections::BTreeMap;

use entity_stream_history::Applied;
use fastrand::Rng;
use futures_util::future::join_all;

use crate::changes::RandomChange;
use crate::model::ModelEntity;
use crate::support::{TestStates, at, seeds};

/// Changes of one entity at the same time in three instances, some of them twice. The versions tell the order in which they were
/// applied, and the model in that order has the same state. There are eight, because no item remembers more.
///
/// On a slow engine, the answer to a write can come too late. Its version is then not known: the repetition has a later one.
#[tokio::test]
async fn concurrent_changes_are_applied_one_after_the_other() {
    for seed in seeds(40) {
        let mut rng = Rng::with_seed(seed);
        let t = TestStates::create().await;
        let clock = at(20_000);
        let changes: Vec<_> = (0..8)
            .map(|number| {
                let now = 10_000 + rng.i64(0..900);
                RandomChange::new(&mut rng, number, now)
            })
            .collect();
        let mut attempts: Vec<&RandomChange> = changes.iter().chain(changes.iter().filter(|_| rng.bool())).collect();
        rng.shuffle(&mut attempts);
        let instances = [t.another_instance(), t.another_instance(), t.another_instance()];
        let applied = join_all(attempts.iter().enumerate().map(async |(number, change)| {
            let mut failed = false;
            loop {
                // Lambda repeats an attempt that fails.
                match instances[number % 3].apply(&change.event(), clock, clock).await {
                    Ok(Applied::Known { revision, .. }) => return (revision, *change, failed),
                    Ok(Applied::TooLarge { .. }) => panic!("the entity is too large"),
                    Err(_) => failed = true,
                }
            }
        }));
        let applied = applied.await;
        let last = applied.iter().map(|(revision, ..)| revision.version).max().unwrap();
        // The first result of a version is the state after it; a repetition shows the present state.
        let mut by_version: BTreeMap<u64, Vec<&RandomChange>> =
            (clock.millis() + 1..=last).map(|version| (version, Vec::new())).collect();
        for (revision, change, _) in &applied {
            let of_version = by_version.get_mut(&revision.version).expect("the first change has the first version");
            if of_version.iter().all(|each| each.id != change.id) {
                of_version.push(change);
            }
        }
        let groups: Vec<_> = by_version.values().map(Vec::as_slice).collect();
        let unanswered: Vec<_> = applied.iter().filter(|(.., failed)| *failed).map(|(_, change, _)| *change).collect();
        let model = in_order(&ModelEntity::default(), &[], &groups, &unanswered);
        let model = model.unwrap_or_else(|| panic!("seed {seed}: no order explains {by_version:#?} {unanswered:#?}"));
        assert_eq!(t.data("e", clock).await, model.data(), "seed {seed}");
    }
}

/// The model after changes that are known by their versions. One change of each version counted, which can be an unanswered one.
/// The others came after it, and changed nothing. Those that have counted before are repetitions.
fn in_order(
    model: &ModelEntity,
    counted: &[&str],
    versions: &[&[&RandomChange]],
    unanswered: &[&RandomChange],
) -> Option<ModelEntity> {
    let Some((version, later)) = versions.split_first() else { return Some(model.clone()) };
    let is_fresh = |change: &&&RandomChange| !counted.contains(&change.id.as_str());
    let fresh: Vec<_> = version.iter().filter(is_fresh).collect();
    // Two changes may set the same, so that either can be the one that counted. One that did not can count when it is repeated: if
    // a late deletion has removed a newer value.
    fresh.iter().copied().chain(unanswered.iter().filter(is_fresh)).find_map(|first| {
        let mut trial = model.clone();
        trial.apply(first);
        let after = trial.counted;
        let others = fresh.iter().filter(|other| other.id != first.id);
        others.for_each(|other| {
            trial.apply(other);
        });
        let is_possible = after == model.counted + 1 && trial.counted == after;
        is_possible.then(|| in_order(&trial, &[counted, &[&first.id]].concat(), later, unanswered)).flatten()
    })
}
