use xxhash_rust::xxh3::xxh3_64;

/// The last events that an item remembers.
pub(crate) const RECENT: usize = 8;

const LATE: u64 = 1;
const FOUND_NOTHING: u64 = 2;
const FLAGS: u64 = LATE | FOUND_NOTHING;

/// Recognises an event that was applied before: a hash of its id, whether it was late, and whether it found no entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventMark(u64);

impl EventMark {
    /// The mark of an event that is not late and found its entity.
    pub(crate) fn of(event_id: &str) -> Self {
        Self(xxh3_64(event_id.as_bytes()) & !FLAGS)
    }

    pub(crate) fn with(self, is_late: bool, found_nothing: bool) -> Self {
        let flag = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
        Self(self.0 | flag(is_late, LATE) | flag(found_nothing, FOUND_NOTHING))
    }

    pub(crate) fn is_late(self) -> bool {
        self.0 & LATE != 0
    }

    pub(crate) fn found_nothing(self) -> bool {
        self.0 & FOUND_NOTHING != 0
    }

    /// Returns whether both are of the same event.
    pub(crate) fn is_same_event(self, other: Self) -> bool {
        self.0 & !FLAGS == other.0 & !FLAGS
    }

    pub(crate) fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(u64::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// The part that stands in each attribute: 32 bits.
    pub(crate) fn short(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or_default()
    }
}
