use jiff::Timestamp;

use crate::attribute::{Attribute, unit};
use crate::chance::Chance;
use crate::map::around_centre;

/// The kinds of room, in Japanese and English.
const NAMES: [(&str, &str); 4] =
    [("会議室", "Meeting room"), ("研修室", "Training room"), ("応接室", "Reception room"), ("講堂", "Hall")];

/// A room for meetings: people come and go, warm it and use up its air; heating and ventilation work against them.
#[derive(Debug)]
pub(crate) struct Room {
    name: (String, String),
    place: (f64, f64),
    seats: u32,
    setpoint: f64,
    occupancy: u32,
    temperature: f64,
    humidity: f64,
    co2: f64,
}

impl Room {
    pub(crate) fn new(number: u32, chance: &mut Chance) -> Self {
        let (ja, en) = NAMES[chance.index(NAMES.len())];
        let seats = 4 + chance.below(27);
        let occupancy = chance.below(seats + 1);
        let setpoint = chance.between(20.5, 22.5);
        Self {
            name: (format!("{ja} {number}"), format!("{en} {number}")),
            place: around_centre(1000.0, chance),
            seats,
            setpoint,
            occupancy,
            temperature: setpoint + chance.normal() * 0.5,
            humidity: chance.between(35.0, 50.0),
            co2: chance.between(450.0, 900.0),
        }
    }

    pub(crate) fn step(&mut self, seconds: f64, chance: &mut Chance) {
        if chance.happens(seconds, 2400.0) {
            // A meeting begins or ends.
            self.occupancy = if self.occupancy > self.seats / 3 { 0 } else { chance.below(self.seats + 1) };
        } else if chance.happens(seconds, 180.0) {
            let arrives = chance.below(2) == 0;
            self.occupancy = if arrives { self.occupancy + 1 } else { self.occupancy.saturating_sub(1) };
        }
        self.occupancy = self.occupancy.min(self.seats);
        let people = f64::from(self.occupancy);
        let fullness = people / f64::from(self.seats);
        self.temperature = chance.drift(self.temperature, self.setpoint + 2.5 * fullness, 1800.0, 0.3, seconds);
        self.temperature = self.temperature.clamp(15.0, 32.0);
        self.humidity = chance.drift(self.humidity, 40.0 + 12.0 * fullness, 2400.0, 3.0, seconds).clamp(15.0, 85.0);
        self.co2 = chance.drift(self.co2, 430.0 + 900.0 * fullness, 900.0, 25.0, seconds).clamp(400.0, 2500.0);
    }

    pub(crate) fn attributes(&self, now: Timestamp) -> Vec<Attribute> {
        let (ja, en) = &self.name;
        vec![
            Attribute::called(ja, en),
            Attribute::measured("temperature", self.temperature, 1, unit::CELSIUS, now),
            Attribute::measured("humidity", self.humidity, 0, unit::PERCENT, now),
            Attribute::measured("co2", self.co2, 0, unit::PARTS_PER_MILLION, now),
            Attribute::counted("occupancy", self.occupancy, now),
            Attribute::location(self.place.0, self.place.1, None),
        ]
    }
}
