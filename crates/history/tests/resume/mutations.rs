//! The simulation notices mistakes: each of them loses an event within 10,000 schedules.

use crate::mutation::Mutation;
use crate::search::search;

const SCHEDULES: u64 = 10_000;

macro_rules! mistakes {
    ($($name:ident: $mutation:ident;)*) => {
        $(#[test]
        fn $name() {
            let seed = search(SCHEDULES, Some(Mutation::$mutation));
            println!("The schedule of seed {} loses an event.", seed.expect("a schedule loses an event"));
        })*
    };
}

mistakes! {
    an_overlap_of_one_second: ShortOverlap;
    an_audience_that_is_read_before_the_history_is_written: AudienceFirst;
    a_retry_that_keeps_its_first_position: FirstPosition;
    a_resumed_connection_with_a_new_hash: NewHash;
    a_stuck_connection_whose_closing_is_not_awaited: DeleteNotAwaited;
    deliveries_after_the_time_of_the_attempt: NoRenewal;
    a_renewal_that_is_too_late: LateRenewal;
    reads_of_the_audience_without_a_permit: ReadsWithoutPermit;
    a_continuation_that_is_not_written: ContinuationUnwritten;
    an_attempt_that_succeeds_without_a_write: UnwrittenSucceeds;
    an_event_that_is_remembered_before_it_is_delivered: RecentTooEarly;
    slices_that_are_kept_while_they_change: OpenSlices;
    a_history_that_is_read_before_the_interests_are_written: HistoryFirst;
    an_exchange_without_a_replay: ExchangeWithoutReplay;
    a_replay_that_begins_at_the_opening: FromOpening;
    a_move_to_another_hash_without_a_replay: MoveWithoutReplay;
    a_second_move_to_another_hash: SecondMove;
    a_position_that_counts_before_the_answer: EarlyCommit;
}
