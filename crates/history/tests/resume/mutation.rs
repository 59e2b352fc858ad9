//! Mistakes that the simulation has to notice.

/// A mistake in a driver or in the timing. The machines of the crate stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A resume reads only 1 s of the history before its position.
    ShortOverlap,
    /// The audience is read before the event is written.
    AudienceFirst,
    /// A retry writes the event at the position of the first attempt.
    FirstPosition,
    /// A resumed connection does not take the hash of its session.
    NewHash,
    /// A stuck connection is forgotten, and its `DELETE` is not waited for.
    DeleteNotAwaited,
    /// Deliveries go on after the time of the attempt.
    NoRenewal,
    /// An attempt that wrote its events anew too late succeeds.
    LateRenewal,
    /// Only deliveries ask for a permit, and not the reads of the audience.
    ReadsWithoutPermit,
    /// A continuation delivers without an item of its own.
    ContinuationUnwritten,
    /// An attempt that could not write succeeds.
    UnwrittenSucceeds,
    /// An instance remembers an event before the event is delivered.
    RecentTooEarly,
    /// The cache takes slices of the history that can still change.
    OpenSlices,
    /// The history is read before the interests are written.
    HistoryFirst,
    /// An exchange of a subscription replays nothing.
    ExchangeWithoutReplay,
    /// The replays of an exchange and of a move begin at the opening of the connection, though clocks differ and writes take
    /// time.
    FromOpening,
    /// A connection that takes the place of another replays nothing for its other subscriptions.
    MoveWithoutReplay,
    /// A connection that resumed in one session moves to another.
    SecondMove,
    /// Clients commit a position before their subscription is answered.
    EarlyCommit,
}
