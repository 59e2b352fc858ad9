use std::collections::BTreeMap;

use entity_stream_history::Applied;
use fastrand::Rng;
use futures_util::future::join_all;

use crate::changes::RandomChange;
use crate::model::ModelEntity;
use crate::support::{TestStates, at};

/// Changes of one entity at the same time in three instances, some of them twice. Eight, because no item remembers more: the versions tell the order in which they were applied, and the model
/// in that order has the same states.
#[tokio::test]
async fn concurrent_changes_are_applied_one_after_the_other() {
    for seed in 0..40 {
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
            loop {
                // Lambda repeats an attempt that fails.
                match instances[number % 3].apply(&change.event(), clock, clock).await {
                    Ok(Applied::Known { revision, .. }) => return (revision, *change),
                    Ok(Applied::TooLarge) => panic!("the entity is too large"),
                    Err(_) => {}
                }
            }
        }));
        let applied = applied.await;
        // The first result of a version is the state after it; a repetition shows the present state.
        let mut by_version: BTreeMap<u64, Vec<&RandomChange>> = BTreeMap::new();
        for (revision, change) in &applied {
            let of_version = by_version.entry(revision.version).or_default();
            if of_version.iter().all(|each| each.id != change.id) {
                of_version.push(change);
            }
        }
        let mut model = ModelEntity::default();
        let mut done: Vec<&str> = Vec::new();
        for of_version in by_version.values() {
            let fresh: Vec<_> = of_version.iter().filter(|change| !done.contains(&change.id.as_str())).collect();
            // One of them counted. The others came after it, and changed nothing.
            let next = fresh.iter().find_map(|first| {
                let mut trial = model.clone();
                trial.apply(first);
                let counted = trial.counted;
                let others = fresh.iter().filter(|other| other.id != first.id);
                others.for_each(|other| {
                    trial.apply(other);
                });
                (counted == model.counted + 1 && trial.counted == counted).then_some((trial, first.id.as_str()))
            });
            let (after, first) = next.unwrap_or_else(|| panic!("seed {seed}: {of_version:?}"));
            model = after;
            // One that did not count can count when it is repeated: if a late deletion has removed a newer value.
            done.push(first);
        }
        assert_eq!(t.data("e", clock).await, model.data(), "seed {seed}");
        let versions: Vec<_> = by_version.keys().collect();
        assert!(versions.windows(2).all(|pair| pair[0] + 1 == *pair[1]), "seed {seed}: {versions:?}");
    }
}
