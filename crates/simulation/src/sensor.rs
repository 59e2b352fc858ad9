use jiff::Timestamp;

use crate::attribute::{Attribute, unit};
use crate::chance::Chance;
use crate::map::around_centre;

/// A weather and air quality station on a lamp post, on a battery.
#[derive(Debug)]
pub(crate) struct Sensor {
    place: (f64, f64),
    climate: f64,
    temperature: f64,
    humidity: f64,
    /// The logarithm of the concentration of particles: the concentration is never negative and has bursts.
    log_pm25: f64,
    noise: f64,
    battery: f64,
}

impl Sensor {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let climate = chance.between(12.0, 18.0);
        Self {
            place: around_centre(2000.0, chance),
            climate,
            temperature: climate + chance.normal(),
            humidity: chance.between(45.0, 75.0),
            log_pm25: 2.3 + chance.normal() * 0.4,
            noise: chance.between(45.0, 65.0),
            battery: chance.between(20.0, 100.0),
        }
    }

    pub(crate) fn step(&mut self, seconds: f64, chance: &mut Chance) {
        self.climate = chance.drift(self.climate, 15.0, 86_400.0, 5.0, seconds);
        self.temperature = chance.drift(self.temperature, self.climate, 3600.0, 0.6, seconds).clamp(-25.0, 45.0);
        let humid = 100.0 - 2.5 * self.temperature;
        self.humidity = chance.drift(self.humidity, humid, 5400.0, 5.0, seconds).clamp(10.0, 100.0);
        self.log_pm25 = chance.drift(self.log_pm25, 2.3, 2700.0, 0.5, seconds);
        self.noise = chance.drift(self.noise, 55.0, 120.0, 5.0, seconds).clamp(30.0, 100.0);
        // A battery lasts a month and is then replaced.
        self.battery -= seconds / (30.0 * 864.0);
        if self.battery < 5.0 {
            self.battery = 100.0;
        }
    }

    pub(crate) fn attributes(&self, now: Timestamp) -> Vec<Attribute> {
        let pm25 = self.log_pm25.exp().min(500.0);
        vec![
            Attribute::measured("temperature", self.temperature, 1, unit::CELSIUS, now),
            Attribute::measured("humidity", self.humidity, 0, unit::PERCENT, now),
            Attribute::measured("pm25", pm25, 1, unit::MICROGRAMS_PER_CUBIC_METRE, now),
            Attribute::measured("noiseLevel", self.noise, 1, unit::DECIBEL, now),
            Attribute::measured("batteryLevel", self.battery, 0, unit::PERCENT, now),
            Attribute::location(self.place.0, self.place.1, None),
        ]
    }
}
