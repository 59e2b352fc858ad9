use jiff::Timestamp;

use crate::attribute::{Attribute, unit};
use crate::chance::Chance;
use crate::map::around_centre;

/// The districts of the depots, in Japanese and English. Further depots have a number.
const DISTRICTS: [(&str, &str); 6] = [
    ("伏見", "Fushimi"),
    ("山科", "Yamashina"),
    ("西院", "Saiin"),
    ("嵯峨", "Saga"),
    ("北山", "Kitayama"),
    ("桂", "Katsura"),
];
/// The power of the building itself, and of one dock that is in use, in kilowatts.
const BASE_POWER: f64 = 15.0;
const DOCK_POWER: f64 = 6.0;

/// The depot of a fleet: vans load parcels at its docks.
#[derive(Debug)]
pub(crate) struct Depot {
    name: (String, String),
    place: (f64, f64),
    docks: u32,
    in_use: u32,
    /// Kilowatts.
    power: f64,
}

impl Depot {
    pub(crate) fn new(number: u32, chance: &mut Chance) -> Self {
        let index = number.saturating_sub(1) as usize;
        let (ja, en) = DISTRICTS[index % DISTRICTS.len()];
        let name = match index / DISTRICTS.len() {
            0 => (format!("{ja}配送センター"), format!("{en} Depot")),
            round => (format!("{ja}第{}配送センター", round + 1), format!("{en} Depot {}", round + 1)),
        };
        let docks = 4 + chance.below(13);
        let in_use = chance.below(docks + 1);
        Self { name, place: around_centre(1500.0, chance), docks, in_use, power: power_of(in_use) }
    }

    pub(crate) fn step(&mut self, seconds: f64, chance: &mut Chance) {
        if chance.happens(seconds, 60.0) {
            // A van arrives or leaves.
            self.in_use = if chance.below(2) == 0 { self.in_use + 1 } else { self.in_use.saturating_sub(1) };
            self.in_use = self.in_use.min(self.docks);
        }
        let wanted = power_of(self.in_use);
        self.power = chance.drift(self.power, wanted, 30.0, 0.8, seconds).clamp(0.0, 2.0 * power_of(self.docks));
    }

    pub(crate) fn attributes(&self, now: Timestamp) -> Vec<Attribute> {
        let (ja, en) = &self.name;
        vec![
            Attribute::called(ja, en),
            Attribute::location(self.place.0, self.place.1, None),
            Attribute::counted("availableDocks", self.docks - self.in_use, now),
            Attribute::measured("power", self.power, 1, unit::KILOWATT, now),
        ]
    }
}

/// The power of a depot with this many docks in use, in kilowatts.
fn power_of(docks: u32) -> f64 {
    BASE_POWER + f64::from(docks) * DOCK_POWER
}
