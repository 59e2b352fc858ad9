use std::time::Duration;

/// The most by which two clocks of the service differ. AWS keeps the clocks of its machines within milliseconds.
pub const CLOCK_SKEW: Duration = Duration::from_secs(2);

/// The times that the argument of this crate rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The longest time from the position of an attempt to its last delivery. An attempt that lasts longer writes its events
    /// anew.
    pub attempt: Duration,
    /// The longest time of a write to the history.
    pub write: Duration,
    /// The part of the history that a resume reads before its position.
    pub overlap: Duration,
}

impl Timing {
    /// The times of the service: 10 s, 2 s and 15 s.
    pub const SERVICE: Self =
        Self { attempt: Duration::from_secs(10), write: Duration::from_secs(2), overlap: Duration::from_secs(15) };

    /// The longest time from a position of an attempt to its next one: when the next one is in the table, no client can have a
    /// position whose overlap does not reach back to the former one.
    pub(crate) fn renewal(self) -> Duration {
        self.overlap.saturating_sub(self.write + CLOCK_SKEW)
    }
}

const _: () = {
    let Timing { attempt, write, overlap } = Timing::SERVICE;
    let needed = attempt.as_secs() + write.as_secs() + CLOCK_SKEW.as_secs();
    assert!(overlap.as_secs() >= needed, "what is older than the overlap was delivered, or has a later position");
};
