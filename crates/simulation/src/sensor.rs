use crate::chance::Chance;
use crate::map::{CENTRE, METRES_PER_DEGREE};
use crate::ngsi::{NgsiAttributes, number, point};

/// A weather and air quality station on a lamp post, on a battery.
#[derive(Debug)]
pub(crate) struct Sensor {
    longitude: f64,
    latitude: f64,
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
            longitude: CENTRE.0 + chance.normal() * 2000.0 / METRES_PER_DEGREE,
            latitude: CENTRE.1 + chance.normal() * 2000.0 / METRES_PER_DEGREE,
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

    pub(crate) fn attributes(&self) -> NgsiAttributes {
        vec![
            ("temperature", number(self.temperature, 1)),
            ("humidity", number(self.humidity, 0)),
            ("pm25", number(self.log_pm25.exp().min(500.0), 1)),
            ("noiseLevel", number(self.noise, 1)),
            ("batteryLevel", number(self.battery, 0)),
            ("location", point(self.longitude, self.latitude)),
        ]
    }
}
