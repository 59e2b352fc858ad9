//! A resume after an absence, by its length and by the rate of events of the tenant: the time to read the history and to choose,
//! and the read units; in a new instance of the function, and in one that has read the same part before.

use std::time::{Duration, Instant};

use entity_stream_clock::Clock;
use entity_stream_history::{HistoryError, HistoryReader};
use entity_stream_protocol::limits::HISTORY_BYTES;
use entity_stream_protocol::{ChangeFacts, Filter, Selection, Tenant};

use crate::setting::{ROOM_IN, TENANT, fill, history, local};

pub(crate) async fn measure() {
    println!("\na resume that wants one event in {ROOM_IN}; events have about 450 bytes");
    println!("absence   events/s   read in all   matching   new instance          again");
    for (absence, per_second) in
        [10, 60, 1_800].into_iter().flat_map(|absence| [10, 100, 1_000].map(|rate| (absence, rate)))
    {
        let local = local("60").await;
        let table = history(&local);
        let (now, time) = (Clock::system().now(), Duration::from_secs(absence) + table.timing().overlap);
        // Data beyond 16 MB is not read in any case.
        let written = time.min(Duration::from_secs((60_000_u64).div_ceil(per_second as u64)));
        fill(&table, now.minus(written), written, per_second).await;
        let reader = HistoryReader::new(table);
        let selection = Selection::new(Filter::new(["Room"], None).unwrap());
        let tenant = Tenant::parse(TENANT).unwrap();
        let read = async || {
            let started = Instant::now();
            let past = reader.read(&tenant, now.minus(time), now, HISTORY_BYTES).await;
            let past = past.map(|past| {
                let matching =
                    past.events.iter().filter(|past| selection.matches(&ChangeFacts::new(past.event.change()))).count();
                (past.events.len(), matching, past.read_capacity)
            });
            (past, started.elapsed())
        };
        let (first, second) = (read().await, read().await);
        let describe = |(past, time): &(Result<(usize, usize, f64), HistoryError>, Duration)| match past {
            Ok((_, _, units)) => format!("{:>6.1} ms {units:>7.1} units", millis(*time)),
            Err(HistoryError::TooMuch) => format!("{:>6.1} ms      too_many", millis(*time)),
            Err(error) => panic!("{error}"),
        };
        let (events, matching) = first.0.as_ref().map_or((0, 0), |(events, matching, _)| (*events, *matching));
        println!(
            "{absence:>5} s   {per_second:>8}   {events:>11}   {matching:>8}   {}   {}",
            describe(&first),
            describe(&second)
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
