//! The messages that a client receives.

use entity_stream_protocol::EpochMillis;

use crate::past_table::Place;

#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// An event, with its position if it is in the history.
    Event { event: usize, place: Option<Place> },
    /// The answer to `subscribe`.
    Subscribed(Answer),
    /// The answer to `sync`.
    Synced { place: Place },
    /// `sync` of a connection that is not registered.
    NotConnected,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The request. An answer that comes twice answers no later request.
    pub(crate) request: usize,
    pub(crate) place: Place,
    pub(crate) session: u64,
    /// For each subscription; `None` for one that the request does not concern.
    pub(crate) verdicts: [Option<Verdict>; 2],
}

/// The promise for a subscription.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Every event that is published from now on.
    FromNow,
    /// Every event since this time.
    Since(EpochMillis),
    /// Nothing was missed.
    Recovered,
    NotRecovered,
}
