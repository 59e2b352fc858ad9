/// The dice of a city.
#[derive(Debug)]
pub(crate) struct Chance(fastrand::Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A whole number from 0 to `end - 1`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0.u32(0..end)
    }

    /// An index into a list of this length, which is not empty.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.0.usize(0..length)
    }

    /// A number between `low` and `high`, evenly distributed.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.0.f64() * (high - low)
    }

    /// Decides randomly if an event that happens once in `every` seconds on average happens within `seconds`.
    pub(crate) fn happens(&mut self, seconds: f64, every: f64) -> bool {
        self.0.f64() < 1.0 - (-seconds / every).exp()
    }

    /// A normally distributed number around 0 with a standard deviation of 1 (Box and Muller's transform).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.0.f64()).cos()
    }

    /// The next value of a quantity, `seconds` later. The quantity is drawn towards `target`, two thirds of the way in
    /// `inertia` seconds, and strays from it by `spread`: an Ornstein-Uhlenbeck process, exact for steps of any length.
    pub(crate) fn drift(&mut self, value: f64, target: f64, inertia: f64, spread: f64, seconds: f64) -> f64 {
        let kept = (-seconds / inertia).exp();
        target + (value - target) * kept + spread * (1.0 - kept * kept).sqrt() * self.normal()
    }
}
