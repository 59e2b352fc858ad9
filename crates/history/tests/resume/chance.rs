//! The random choices of a schedule. They use whole numbers only, so that a seed means the same on every machine.

use std::cell::RefCell;
use std::ops::Range;

use fastrand::Rng;

/// The end of a write to DynamoDB, in milliseconds after its begin.
pub(crate) struct WriteTimes {
    /// When the table has it; `None`: never.
    pub(crate) stored: Option<u64>,
    /// When the caller has the result.
    pub(crate) known: u64,
    /// The result.
    pub(crate) is_ok: bool,
}

pub(crate) struct Chance {
    rng: RefCell<Rng>,
    /// How often something goes wrong, in percent of the usual.
    trouble: u64,
}

impl Chance {
    pub(crate) fn new(rng: Rng, trouble: u64) -> Self {
        Self { rng: RefCell::new(rng), trouble }
    }

    pub(crate) fn below(&self, end: u64) -> u64 {
        self.rng.borrow_mut().u64(0..end.max(1))
    }

    pub(crate) fn within(&self, range: Range<u64>) -> u64 {
        self.rng.borrow_mut().u64(range)
    }

    pub(crate) fn any(&self) -> u64 {
        self.rng.borrow_mut().u64(..)
    }

    /// An event with a probability that does not depend on the trouble.
    pub(crate) fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Something that goes wrong so often of 1,000 times in the usual trouble.
    pub(crate) fn trouble(&self, of_thousand: u64) -> bool {
        self.below(100_000) < of_thousand * self.trouble
    }

    /// One of a few.
    pub(crate) fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.rng.borrow_mut().usize(0..choices.len())]
    }

    /// Some milliseconds, rarely more than a hundred.
    pub(crate) fn small(&self) -> u64 {
        let mut rng = self.rng.borrow_mut();
        let scale = rng.u32(1..8);
        rng.u64(0..1 << scale)
    }

    /// Mostly some milliseconds, sometimes up to this many.
    pub(crate) fn up_to(&self, most: u64) -> u64 {
        if self.trouble(100) { self.below(most) } else { self.small().min(most) }
    }

    /// A write with a time-out of so many milliseconds.
    pub(crate) fn write(&self, time_out: u64) -> WriteTimes {
        if !self.trouble(100) {
            let known = self.small();
            return WriteTimes { stored: Some(self.below(known + 1)), known, is_ok: true };
        }
        let during = self.below(time_out);
        match self.below(100) {
            // Slow.
            0..60 => WriteTimes { stored: Some(self.below(during + 1)), known: during, is_ok: true },
            // Refused.
            60..75 => WriteTimes { stored: None, known: during, is_ok: false },
            // Stored, but the answer is lost.
            75..90 => WriteTimes { stored: Some(during), known: time_out, is_ok: false },
            // Stored long after the time-out.
            _ => WriteTimes { stored: Some(time_out + self.below(40_000)), known: time_out, is_ok: false },
        }
    }
}
