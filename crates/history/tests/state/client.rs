use std::collections::HashMap;

use fastrand::Rng;

use crate::changes::RandomChange;
use crate::sequences::after;
use crate::support::{TestStates, at};

/// A client that keeps the whole entity and drops smaller versions ends with the last state, in whatever order the
/// messages come, and however often.
#[tokio::test]
async fn a_client_that_drops_smaller_versions_ends_with_the_state() {
    for seed in 0..60 {
        let mut rng = Rng::with_seed(seed);
        let t = TestStates::create().await;
        let mut messages = Vec::new();
        let mut last = at(0);
        for number in 0..rng.usize(1..20) {
            let now = 10_000 + 100 * i64::try_from(number).unwrap();
            last = at(now.unsigned_abs() + 1_000);
            let (revision, states) = t.known(&RandomChange::new(&mut rng, number, now).event(), last).await;
            messages.push((revision.version, after(&states)));
            if rng.u8(0..4) == 0 {
                messages.push((revision.version, after(&states)));
            }
        }
        let end = t.data("e", last).await;
        for _ in 0..20 {
            rng.shuffle(&mut messages);
            let mut client: HashMap<&str, (u64, Option<String>)> = HashMap::new();
            for (version, data) in &messages {
                let known = client.entry("e").or_default();
                if *version >= known.0 {
                    *known = (*version, data.clone());
                }
            }
            assert_eq!(client["e"].1, end, "seed {seed}");
        }
    }
}
