use proptest::prelude::*;

use super::*;

/// The inputs of a plan, which own the connection ids.
#[derive(Clone, Debug)]
struct Case {
    range: HashRange,
    read_up_to: Option<u64>,
    sightings: Vec<(u64, ConnectionId, Vec<usize>)>,
    split_at: Vec<Option<usize>>,
}

impl Case {
    fn plan(&self) -> Plan {
        let matching = self.sightings.iter();
        let matching = matching.map(|(hash, connection_id, events)| Sighting {
            hash: *hash,
            connection_id,
            events: events.as_slice().into(),
        });
        let pages = FirstPages { range: self.range, read_up_to: self.read_up_to, matching: matching.collect() };
        Plan::of_first_pages(&pages, &self.split_at)
    }

    /// `count` connections that match one event, with evenly distributed hashes.
    fn even(count: usize, split_at: usize, read_up_to: Option<u64>) -> Self {
        let hashes = HashRange::ALL.parts(count).map(HashRange::first);
        let sightings = hashes.enumerate().map(|(n, hash)| (hash, id(n), vec![0])).collect();
        Self { range: HashRange::ALL, read_up_to, sightings, split_at: vec![Some(split_at)] }
    }
}

fn id(n: usize) -> ConnectionId {
    ConnectionId::parse(format!("c{n}")).unwrap()
}

/// Asserts that `pieces` are disjoint and together are exactly `ranges`, which are ascending.
fn assert_partition(mut pieces: Vec<HashRange>, ranges: &[HashRange]) {
    pieces.sort_unstable();
    for pair in pieces.windows(2) {
        assert!(pair[0].last() < pair[1].first(), "a hash is in two pieces: {pieces:?}");
    }
    assert_eq!(HashRange::merge(pieces), HashRange::merge(ranges.to_vec()));
}

/// Returns the pieces of an event's range: those that the invocation serves and those that it hands on.
fn pieces(plan: &Plan, event: usize) -> Vec<HashRange> {
    let served = plan.read.iter().chain(&plan.unread).filter_map(|range| plan.served(event, *range));
    served.chain(plan.shares[event].beyond.iter().copied()).collect()
}

fn range() -> impl Strategy<Value = HashRange> {
    let wide = (any::<u64>(), any::<u64>()).prop_map(|(a, b)| HashRange::new(a.min(b), a.max(b)).unwrap());
    let narrow = (any::<u64>(), 0..300_u64)
        .prop_map(|(first, width)| HashRange::new(first, first.saturating_add(width)).unwrap());
    prop_oneof![Just(HashRange::ALL), wide, narrow]
}

fn within(range: HashRange) -> impl Strategy<Value = u64> {
    range.first()..=range.last()
}

fn case() -> impl Strategy<Value = Case> {
    (range(), 1..5_usize).prop_flat_map(|(range, events)| {
        let subset = prop::sample::subsequence((0..events).collect::<Vec<_>>(), 1..=events);
        let sighting = (within(range), (0..40_usize).prop_map(id), subset);
        let split_at = prop::collection::vec(prop::option::weighted(0.8, 1..30_usize), events);
        let sightings = prop::collection::vec(sighting, 0..120);
        (prop::option::of(within(range)), sightings, split_at).prop_map(move |(read_up_to, sightings, split_at)| Case {
            range,
            read_up_to,
            sightings,
            split_at,
        })
    })
}

proptest! {
    #[test]
    fn each_hash_of_the_range_is_in_exactly_one_share(case in case()) {
        let plan = case.plan();
        for event in 0..case.split_at.len() {
            assert_partition(pieces(&plan, event), &[case.range]);
        }
    }

    #[test]
    fn the_first_pages_hold_each_hash_that_is_not_read_again(case in case()) {
        let plan = case.plan();
        if let (Some(read), Some(end)) = (plan.read, case.read_up_to) {
            prop_assert!(read.last() < end, "{read} was read up to {end:x}");
        }
        prop_assert!(plan.unread.len() <= SLICES);
        prop_assert!(case.read_up_to.is_some() || plan.unread.is_empty());
    }

    #[test]
    fn an_event_is_served_at_a_hash_if_the_hash_is_in_its_share(case in case(), samples in prop::collection::vec(any::<prop::sample::Index>(), 8)) {
        let plan = case.plan();
        for (event, sample) in (0..case.split_at.len()).flat_map(|event| samples.iter().map(move |sample| (event, sample))) {
            let beyond = &plan.shares[event].beyond;
            let hash = match beyond.get(sample.index(beyond.len() + 1)) {
                Some(part) => part.first(),
                None => case.range.first(),
            };
            prop_assert_eq!(plan.serves(event, hash), !beyond.iter().any(|part| part.contains(hash)));
        }
    }

    #[test]
    fn an_event_that_cannot_be_handed_on_is_served_whole(case in case()) {
        let plan = case.plan();
        for (share, split_at) in plan.shares.iter().zip(&case.split_at) {
            if split_at.is_none() {
                prop_assert_eq!((share.last, share.beyond.len()), (case.range.last(), 0));
            }
        }
    }

    #[test]
    fn a_connection_that_occurs_twice_counts_once(case in case()) {
        let mut twice = case.clone();
        twice.sightings.extend(case.sightings.clone());
        prop_assert_eq!(twice.plan(), case.plan());
    }

    #[test]
    fn interests_that_were_perhaps_read_in_part_do_not_count(case in case(), events in 1..5_usize) {
        let Some(end) = case.read_up_to else { return Ok(()) };
        let mut more = case.clone();
        let all: Vec<_> = (0..events.min(case.split_at.len())).collect();
        more.sightings.extend((100..200).map(|n| (end, id(n), all.clone())));
        prop_assert_eq!(more.plan(), case.plan());
    }

    #[test]
    fn no_invocation_serves_more_than_the_limit(count in 1..3_000_usize, split_at in 1..1_000_usize) {
        let case = Case::even(count, split_at, None);
        let plan = case.plan();
        let holds = |range: HashRange| case.sightings.iter().filter(|(hash, ..)| range.contains(*hash)).count();
        let [share] = &plan.shares[..] else { panic!("one event has one share") };
        // Rounding can move one connection across a border.
        let own = holds(HashRange::new(0, share.last).unwrap());
        prop_assert!(own <= split_at + 1, "{own} of {count} at once, instead of {split_at}");
        prop_assert_eq!(share.beyond.is_empty(), count <= split_at);
        prop_assert!(share.beyond.len() <= PARTS);
        if share.beyond.len() < PARTS {
            for part in &share.beyond {
                prop_assert!(holds(*part) <= split_at + 1, "{} of {count} in {part}, instead of {split_at}", holds(*part));
            }
        }
    }

    #[test]
    fn a_sample_of_low_hashes_makes_few_parts(seen in 1..3_000_usize, split_at in 1..6_000_usize) {
        let sightings = (0..seen).map(|n| (n as u64, id(n), vec![0])).collect();
        let read_up_to = Some(seen as u64);
        let case = Case { range: HashRange::ALL, read_up_to, sightings, split_at: vec![Some(split_at)] };
        let parts = case.plan().shares[0].beyond.len();
        prop_assert!(parts <= (16 * seen).div_ceil(split_at), "{parts} parts for {seen} connections");
    }

    #[test]
    fn the_ranges_of_a_continuation_are_all_served(ranges in prop::collection::vec(range(), 0..20), events in 1..5_usize) {
        let ranges = HashRange::merge(ranges);
        let plan = Plan::of_ranges(&ranges, events);
        for event in 0..events {
            assert_partition(pieces(&plan, event), &ranges);
            prop_assert!(ranges.iter().all(|range| plan.serves(event, range.first()) && plan.serves(event, range.last())));
        }
    }
}

#[test]
fn an_audience_of_just_the_limit_is_not_split() {
    assert!(Case::even(100, 100, None).plan().shares[0].beyond.is_empty());
    assert_eq!(Case::even(101, 100, None).plan().shares[0].beyond.len(), 1);
    assert_eq!(Case::even(300, 100, None).plan().shares[0].beyond.len(), 2);
}

#[test]
fn the_part_that_was_read_tells_the_size_of_the_whole() {
    // A tenth was read. It held 1,000 connections, so the whole range holds about 10,000.
    let tenth = HashRange::ALL.at_share(0.1);
    let plan = Case::even(10_000, 6_000, Some(tenth)).plan();
    assert_eq!(plan.shares[0].beyond.len(), 1);
    let share = HashRange::ALL.share_below(plan.shares[0].last);
    assert!((0.59..0.61).contains(&share), "{share}");
    // Five tenths are left to read, in slices of at most nine tenths of the part that was read.
    assert_eq!(plan.unread.len(), 6);
}

#[test]
fn events_with_different_audiences_have_different_shares() {
    let mut case = Case::even(100, 10, None);
    for (_, _, events) in &mut case.sightings {
        events.push(1);
    }
    for (_, _, events) in case.sightings.iter_mut().take(5) {
        events.push(2);
    }
    case.split_at = vec![Some(10), None, Some(10)];
    let plan = case.plan();
    assert_eq!(plan.shares.iter().map(|share| share.beyond.len()).collect::<Vec<_>>(), [9, 0, 0]);
    // The invocation reads as far as the event with the longest share.
    assert_eq!(plan.read, Some(HashRange::ALL));
    assert!(!plan.serves(0, u64::MAX) && plan.serves(1, u64::MAX) && plan.serves(2, u64::MAX));
}

#[test]
fn first_pages_of_one_huge_group_are_assumed_to_cover_a_little() {
    let case = Case {
        range: HashRange::ALL,
        read_up_to: Some(0),
        sightings: vec![(0, id(0), vec![0])],
        split_at: vec![Some(10)],
    };
    let plan = case.plan();
    assert_eq!((plan.read, plan.unread.len()), (None, SLICES));
    assert_partition(pieces(&plan, 0), &[HashRange::ALL]);
}
