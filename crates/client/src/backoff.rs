use std::time::Duration;

use crate::timing::StreamTiming;

/// The delays between attempts to connect: each is a random part of a ceiling that doubles with each failure.
#[derive(Debug)]
pub(crate) struct Backoff {
    shortest: Duration,
    longest: Duration,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(timing: &StreamTiming, random: fastrand::Rng) -> Self {
        Self { shortest: timing.shortest_delay, longest: timing.longest_delay, failures: 0, random }
    }

    /// Counts a failure. Returns the delay after it.
    pub(crate) fn next(&mut self) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        self.failures += 1;
        let ceiling = self.shortest.saturating_mul(factor).min(self.longest);
        self.part_of(ceiling)
    }

    /// The next failure counts as the first.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// A random part of a time.
    pub(crate) fn part_of(&mut self, time: Duration) -> Duration {
        time.mul_f64(self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_until_the_longest_delay() {
        let mut backoff = Backoff::new(&StreamTiming::DEFAULT, fastrand::Rng::with_seed(7));
        let mut longest = [Duration::ZERO; 12];
        for _ in 0..200 {
            for (failures, longest) in longest.iter_mut().enumerate() {
                let ceiling = Duration::from_millis(500 << failures.min(10)).min(Duration::from_secs(30));
                let delay = backoff.next();
                assert!(delay <= ceiling, "{delay:?} after {failures} failures");
                *longest = delay.max(*longest);
            }
            backoff.reset();
        }
        assert!(longest[0] > Duration::from_millis(400), "the whole range is used: {longest:?}");
        assert!(longest[11] > Duration::from_secs(28), "{longest:?}");
    }
}
