use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use crate::changes::{Kind, RandomChange};
use crate::support::{TestStates, at, seeds, stamp};

/// An update that sets or removes attributes, or a deletion. `a` is measured some time before, and never before a former value.
fn change(rng: &mut Rng, number: usize) -> RandomChange {
    let time = i64::try_from(1_000 + 100 * number).unwrap();
    let kind = if rng.u8(0..5) == 0 { Kind::Deleted } else { Kind::Updated };
    let mut data = BTreeMap::from([("c".to_owned(), (number.to_string(), None))]);
    // Brokers send a value again that has not changed.
    if rng.bool() {
        let measured = 900 + 200 * u64::try_from(number / 4).unwrap();
        let json = format!(r#"{{"value":{},"observedAt":"{}"}}"#, u8::from(rng.u8(0..4) == 0), stamp(measured));
        data.insert("a".to_owned(), (json, Some(measured.cast_signed())));
    }
    if rng.bool() {
        data.insert("b".to_owned(), (rng.u8(0..2).to_string(), None));
    }
    let changed = rng.bool().then(|| BTreeSet::from(["a", "b", "c"].map(str::to_owned)));
    RandomChange { id: format!("e{number}"), kind, at: time, data, changed }
}

/// Updates, removals and deletions of different times: the state is the same for every order of arrival.
#[tokio::test]
async fn the_order_of_arrival_makes_no_difference() {
    for seed in seeds(60) {
        let mut rng = Rng::with_seed(seed);
        let changes: Vec<_> = (0..rng.usize(2..6)).map(|number| change(&mut rng, number)).collect();
        let mut order: Vec<_> = changes.iter().collect();
        let mut expected = None;
        for _ in 0..6 {
            let t = TestStates::create().await;
            for change in &order {
                t.known(&change.event(), at(3_000)).await;
            }
            let data = t.data("e", at(3_000)).await;
            let expected = expected.get_or_insert_with(|| data.clone());
            assert_eq!(&data, expected, "seed {seed}: {order:#?}");
            rng.shuffle(&mut order);
        }
    }
}
