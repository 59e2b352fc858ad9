//! Everything that the tasks of a schedule share.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use entity_stream_history::{CLOCK_SKEW, Epoch, Timing};
use entity_stream_protocol::EpochMillis;
use fastrand::Rng;

use crate::chance::Chance;
use crate::gateway::Gateway;
use crate::instances::{Broadcaster, Reader};
use crate::interests::Interests;
use crate::message::Message;
use crate::mutation::Mutation;
use crate::past_table::PastTable;
use crate::schedule::Schedule;
use crate::subscription::Published;
use crate::theme::Theme;

/// The time at which a schedule begins.
const START: i64 = 1_790_000_000_000;
/// The most milliseconds by which a clock deviates, so that two clocks differ by at most [`CLOCK_SKEW`].
const MOST_SKEW: i64 = CLOCK_SKEW.as_millis() as i64 / 2;

pub(crate) struct World {
    pub(crate) schedule: Schedule,
    pub(crate) chance: Chance,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) timing: Timing,
    /// Since when each event is in the history. Until then, functions of a former deployment write none.
    pub(crate) epoch: Epoch,
    /// The most events that a resume replays.
    pub(crate) most_replayed: usize,
    pub(crate) hash_salt: u64,
    pub(crate) theme: Theme,
    pub(crate) past: PastTable,
    pub(crate) interests: Interests,
    pub(crate) gateway: Gateway,
    /// The deviation of the clock that tells when a connection was opened.
    pub(crate) gateway_skew: i64,
    pub(crate) events: RefCell<Vec<Published>>,
    pub(crate) broadcasters: Vec<Broadcaster>,
    pub(crate) readers: Vec<Reader>,
    /// Events that are published later, on the bus, or being delivered.
    pub(crate) pending: Cell<usize>,
    /// Nothing is on its way to a client any more.
    pub(crate) is_quiet: Cell<bool>,
    /// The first violation other than a lost event.
    pub(crate) violation: RefCell<Option<String>>,
    trace: Option<RefCell<Vec<String>>>,
}

impl World {
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, is_traced: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let theme = Theme::random(&mut rng);
        let chance = Chance::new(rng.fork(), theme.trouble);
        let now = EpochMillis::new(START + rng.i64(0..600_000));
        let mut timing = Timing::SERVICE;
        if mutation == Some(Mutation::ShortOverlap) {
            timing.overlap = Duration::from_secs(1);
        }
        let minutes = if rng.u8(0..5) == 0 { 2 } else { 60 };
        let retention = Duration::from_secs(60 * minutes);
        let age = if rng.u8(0..10) == 0 { rng.i64(-400_000..0) } else { 7_200_000 };
        let since = EpochMillis::new(i64::try_from(now.millis()).unwrap() - age);
        let broadcasters = (0..3).map(|_| if theme.has_early_openings { -MOST_SKEW } else { skew(&mut rng) });
        let broadcasters = broadcasters.map(Broadcaster::new).collect();
        Self {
            schedule: Schedule::starting_at(now),
            chance,
            mutation,
            timing,
            epoch: Epoch { since, retention },
            most_replayed: if rng.u8(0..10) == 0 { 6 } else { 1000 },
            hash_salt: rng.u64(..),
            theme,
            past: PastTable::default(),
            interests: Interests::default(),
            gateway: Gateway::default(),
            gateway_skew: if theme.has_early_openings { MOST_SKEW } else { skew(&mut rng) },
            events: RefCell::default(),
            broadcasters,
            readers: (0..2).map(|_| Reader::new(skew(&mut rng))).collect(),
            pending: Cell::new(0),
            is_quiet: Cell::new(false),
            violation: RefCell::default(),
            trace: is_traced.then(RefCell::default),
        }
    }

    /// The real time.
    pub(crate) fn now(&self) -> EpochMillis {
        self.schedule.now()
    }

    /// The time that a clock with this deviation shows.
    pub(crate) fn clock(&self, skew: i64) -> EpochMillis {
        shifted(self.now(), skew)
    }

    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    pub(crate) fn violates(&self, text: String) {
        self.note(|| text.clone());
        self.violation.borrow_mut().get_or_insert(text);
    }

    /// Nothing is delivered to a connection that does not match.
    pub(crate) fn check_message(&self, connection: usize, message: &Message) {
        let Message::Event { event, .. } = message else { return };
        let Published { tenant, entity, .. } = self.events.borrow()[*event];
        if !self.gateway.may_receive(connection, tenant, entity) {
            self.violates(format!("event {event} goes to connection {connection}, which does not match"));
        }
    }

    /// Adds a line to the trace, if there is one.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            let millis = self.now().millis() - u64::try_from(START).unwrap();
            trace.borrow_mut().push(format!("{:>4}.{:03} {}", millis / 1000, millis % 1000, line()));
        }
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.trace.as_ref().map(|trace| trace.borrow().clone()).unwrap_or_default()
    }
}

/// The deviation of a clock in milliseconds.
fn skew(rng: &mut Rng) -> i64 {
    if rng.u8(0..3) > 0 { [-MOST_SKEW, MOST_SKEW][rng.usize(0..2)] } else { rng.i64(-MOST_SKEW..=MOST_SKEW) }
}

fn shifted(time: EpochMillis, by: i64) -> EpochMillis {
    EpochMillis::new(i64::try_from(time.millis()).unwrap() + by)
}
