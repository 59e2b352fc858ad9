use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use entity_stream_clock::Clock;
use entity_stream_protocol::Tenant;
use entity_stream_publisher::{Batch, InFlight, PublishError};
use jiff::SignedDuration;
use tokio::time::{Instant, sleep_until};

use crate::arguments::duration;
use crate::bus::{BusOptions, ChangeTimes, Line, Lines, TargetBus};
use crate::interrupt::Interrupt;
use crate::logs;
use crate::progress::Progress;
use crate::recording::{Pace, RecordedChange, ReplayEntry, ReplayOptions, ReplaySpeed, Unreplayable};
use crate::terminal::{self, counted, grouped};

/// The time that the bus has to accept a batch.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(20);

/// A longer pause is announced, because the command would seem to hang.
const WORTH_TELLING: Duration = Duration::from_secs(60);

/// Publish the events of a recording again, at the pace at which they arrived
///
/// Publishes the changes of a file of `entity-stream record`. The time between two events is that between their arrivals, divided
/// by --speed, and at most --max-pause. The changes of an entity keep their order. Each change gets the time of its replay as
/// timestamp, unless --keep-timestamps is given. Skips events that are no changes, such as those of snapshots, and events whose
/// data is missing. Ctrl-C ends the replay with the number of published events and the exit code 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream replay city.ndjson
  entity-stream replay city.ndjson --speed 10 --tenant test
  entity-stream replay city.ndjson --max-pause 10s
  entity-stream replay city.ndjson --speed max --target local
  gunzip -c city.ndjson.gz | entity-stream replay -")]
pub(crate) struct Args {
    /// The file, or `-` for standard input
    file: PathBuf,
    /// Publish for this tenant [default: the tenant of each event]
    #[arg(long, value_name = "TENANT")]
    tenant: Option<Tenant>,
    /// The pace: 2 is twice as fast, 0.5 half as fast, and max without pauses
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value = "1")]
    speed: ReplaySpeed,
    /// Shorten longer pauses to this time, such as those between the parts of a file that --append wrote
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_pause: Option<Duration>,
    /// Keep the timestamps of the events. The entity state ignores a change that is older than the state
    #[arg(long)]
    keep_timestamps: bool,
    #[command(flatten)]
    bus: BusOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let mut interrupt = Interrupt::install()?;
    let target = args.bus.bus()?;
    let mut lines = Lines::open(&args.file)?;
    let publisher = target.publisher().await?;
    let mut replay = RecordingReplay {
        in_flight: InFlight::new(publisher, NonZeroUsize::MIN, PUBLISH_TIMEOUT),
        progress: Progress::new(lines.bytes),
        batch: Batch::default(),
        entities: HashSet::new(),
        skipped: 0,
        target,
    };
    let options = ReplayOptions { tenant: args.tenant, keeps_timestamps: args.keep_timestamps };
    let mut pace = Pace::new(args.speed, args.max_pause);
    let mut ended = tokio::select! {
        result = replay.run(&mut lines, &mut pace, &options) => result,
        () = interrupt.received() => Err(anyhow!("interrupted")),
    };
    replay.progress.clear();
    // A batch that is under way counts too.
    ended = ended.and(replay.settle().await);
    if replay.skipped > 0 {
        let skipped = counted(replay.skipped, "event");
        terminal::note(format!(
            "{skipped} skipped: snapshots, events that left a filter, and events without their data"
        ));
    }
    let progress = replay.progress;
    if let Err(error) = ended {
        return Err(error.context(format!("stopped after {}", progress.summary())));
    }
    terminal::note(format!("{}, {}", progress.summary(), progress.rate()));
    let (rejected, all) = (progress.total_rejected(), progress.total_rejected() + progress.total_published());
    ensure!(rejected == 0, "{} of {} rejected", grouped(rejected), counted(all, "event"));
    Ok(())
}

/// A replay under way.
struct RecordingReplay {
    in_flight: InFlight<ReplayEntry>,
    progress: Progress,
    batch: Batch<ReplayEntry>,
    /// The entities of the batch. The bus keeps no order within a batch, so it has one event of each.
    entities: HashSet<(Tenant, String, String)>,
    skipped: u64,
    target: TargetBus,
}

impl RecordingReplay {
    async fn run(&mut self, lines: &mut Lines, pace: &mut Pace, options: &ReplayOptions) -> anyhow::Result<()> {
        let mut times = ChangeTimes::new(Clock::system());
        while let Some(Line { number, end, text }) = lines.next().await {
            let change =
                text.map_err(Unreplayable::Invalid).and_then(|text| RecordedChange::from_line(&text, number, options));
            let change = match change {
                Ok(change) => change,
                Err(Unreplayable::Skipped) => {
                    self.skipped += 1;
                    continue;
                }
                Err(Unreplayable::Invalid(error)) => {
                    self.progress.rejected(&format!("line {number}: {error:#}"));
                    continue;
                }
            };
            let due = pace.due(change.received_at);
            let pause = due.saturating_duration_since(Instant::now());
            if !pause.is_zero() {
                self.flush().await?;
                if pause > WORTH_TELLING {
                    let time =
                        SignedDuration::from_secs(i64::try_from(pause.as_millis().div_ceil(1000)).unwrap_or(i64::MAX));
                    self.progress.note(&format!("waiting {time:#} for line {number}; --max-pause shortens pauses"));
                }
                sleep_until(due).await;
            }
            let entry = match change.entry(&mut times) {
                Ok(entry) => entry,
                Err(error) => {
                    self.progress.rejected(&format!("line {number}: {error:#}"));
                    continue;
                }
            };
            if !self.entities.insert(entry.entity.clone()) {
                self.flush().await?;
                self.entities.insert(entry.entity.clone());
            }
            let entity = entry.entity.clone();
            if let Some(full) = self.batch.push_or_replace(entry) {
                let next = std::mem::replace(&mut self.batch, full);
                self.flush().await?;
                self.batch = next;
                self.entities.insert(entity);
            }
            self.progress.draw(end);
        }
        self.flush().await
    }

    /// Publishes the batch, and waits until the bus has it.
    async fn flush(&mut self) -> anyhow::Result<()> {
        self.entities.clear();
        let settled = self.in_flight.send(std::mem::take(&mut self.batch)).await;
        self.report(settled)?;
        self.settle().await
    }

    async fn settle(&mut self) -> anyhow::Result<()> {
        let mut ended = Ok(());
        while !self.in_flight.is_idle() {
            let settled = self.in_flight.next().await;
            ended = ended.and(self.report(settled));
        }
        ended
    }

    fn report(&mut self, settled: entity_stream_publisher::Settled<ReplayEntry>) -> anyhow::Result<()> {
        let mut failed = None;
        for (entry, result) in settled {
            match result {
                Ok(_) => self.progress.published(),
                Err(PublishError::Request(error)) => failed = Some(error),
                Err(error) => self.progress.rejected(&format!("line {}: {error}", entry.line)),
            }
        }
        failed.map_or(Ok(()), |error| Err(self.target.failed(&error)))
    }
}
