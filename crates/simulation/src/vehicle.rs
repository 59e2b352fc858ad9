use jiff::Timestamp;

use crate::attribute::{Attribute, unit};
use crate::chance::Chance;
use crate::map::{CITY_RADIUS, place};

/// The longest step, in seconds. In a longer step, a vehicle would drive through the houses.
const STEP: f64 = 5.0;

/// A delivery van. It drives at the speed of its street, turns at corners, and stops at lights and at customers' doors.
#[derive(Debug)]
pub(crate) struct Vehicle {
    /// The id of the entity to whose fleet it belongs.
    depot: String,
    /// Metres east and north of the centre.
    east: f64,
    north: f64,
    /// Degrees clockwise from north.
    heading: f64,
    /// Kilometres per hour.
    speed: f64,
    limit: f64,
    /// Seconds until the vehicle moves on.
    standing: f64,
    /// Percent.
    fuel: f64,
}

impl Vehicle {
    pub(crate) fn new(depot: String, chance: &mut Chance) -> Self {
        Self {
            depot,
            east: chance.between(-3000.0, 3000.0),
            north: chance.between(-3000.0, 3000.0),
            heading: chance.between(0.0, 360.0),
            speed: chance.between(0.0, 50.0),
            limit: 50.0,
            standing: 0.0,
            fuel: chance.between(30.0, 100.0),
        }
    }

    pub(crate) fn step(&mut self, seconds: f64, chance: &mut Chance) {
        let mut left = seconds;
        while left > 0.0 {
            let part = left.min(STEP);
            self.drive(part, chance);
            left -= part;
        }
    }

    fn drive(&mut self, seconds: f64, chance: &mut Chance) {
        if self.standing > 0.0 {
            self.standing -= seconds;
            self.speed = 0.0;
            return;
        }
        if chance.happens(seconds, 90.0) {
            // Red lights, and one stop in four is a delivery.
            self.standing = if chance.below(4) == 0 { chance.between(60.0, 240.0) } else { chance.between(10.0, 60.0) };
        }
        if chance.happens(seconds, 60.0) {
            self.limit = [30.0, 50.0, 50.0, 70.0][chance.index(4)];
        }
        self.speed = chance.drift(self.speed, self.limit * 0.85, 6.0, 4.0, seconds).clamp(0.0, self.limit * 1.1);
        self.steer(seconds, chance);
        let metres = self.speed / 3.6 * seconds;
        let (sine, cosine) = self.heading.to_radians().sin_cos();
        self.east += metres * sine;
        self.north += metres * cosine;
        // Ten litres for a hundred kilometres, from a tank of fifty.
        self.fuel -= metres / 5000.0;
        if self.fuel < 8.0 {
            self.fuel = 100.0;
            self.standing = 180.0;
        }
    }

    fn steer(&mut self, seconds: f64, chance: &mut Chance) {
        if self.east.hypot(self.north) > CITY_RADIUS {
            self.heading = (-self.east).atan2(-self.north).to_degrees() + chance.normal() * 10.0;
        } else if chance.happens(seconds, 40.0) {
            // A corner.
            self.heading += if chance.below(2) == 0 { 90.0 } else { -90.0 } + chance.normal() * 5.0;
        } else {
            self.heading += chance.normal() * 2.0 * seconds.sqrt();
        }
        self.heading = self.heading.rem_euclid(360.0);
    }

    pub(crate) fn attributes(&self, now: Timestamp) -> Vec<Attribute> {
        let (longitude, latitude) = place(self.east, self.north);
        // 359.7 rounds to 0, not to 360.
        let heading = self.heading.round().rem_euclid(360.0);
        vec![
            Attribute::measured("speed", self.speed, 1, unit::KILOMETRES_PER_HOUR, now),
            Attribute::measured("heading", heading, 0, unit::DEGREE, now),
            Attribute::location(longitude, latitude, Some(now)),
            Attribute::measured("fuelLevel", self.fuel, 0, unit::PERCENT, now),
            Attribute::reference("depot", self.depot.clone()),
        ]
    }
}
