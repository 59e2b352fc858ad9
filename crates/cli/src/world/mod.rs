//! A small city that behaves: what it publishes varies as the real thing does.

mod chance;
mod room;
mod sensor;
mod vehicle;

use chance::Chance;
use entity_stream_protocol::{ChangeType, EntityType, EntityTypes, Tenant};
use jiff::Timestamp;
use room::Room;
use sensor::Sensor;
use serde_json::{Map, Value, json};
use vehicle::Vehicle;

use crate::bus::{Detail, Entry};

/// One event in so many is the appearance of an entity, and as many its end.
const TURNOVER: u32 = 50;
/// No entity evolves by more than this at once, however long it was not looked at.
const LONGEST_STEP: f64 = 900.0;
/// Entities looked at before one is published of which nothing has changed: a van at a red light is passed over.
const PATIENCE: usize = 20;

/// An attribute's name and its value in NGSI form.
type Attributes = Vec<(&'static str, Value)>;

/// All there is in one tenant.
#[derive(Debug)]
pub(crate) struct World {
    tenant: String,
    chance: Chance,
    things: Vec<Thing>,
    /// How many of each kind there have ever been: ids are not used twice.
    born: [u32; Kind::COUNT],
    population: usize,
}

/// One entity.
#[derive(Debug)]
struct Thing {
    id: String,
    kind: Kind,
    shown: Attributes,
    seen: Timestamp,
}

#[derive(Debug)]
enum Kind {
    Room(Room),
    Sensor(Sensor),
    Vehicle(Vehicle),
}

impl Kind {
    const COUNT: usize = 3;
    const NAMES: [&'static str; Self::COUNT] = ["Room", "Sensor", "Vehicle"];

    fn new(index: usize, number: u32, chance: &mut Chance) -> Self {
        match index {
            0 => Self::Room(Room::new(number, chance)),
            1 => Self::Sensor(Sensor::new(chance)),
            _ => Self::Vehicle(Vehicle::new(chance)),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Room(_) => Self::NAMES[0],
            Self::Sensor(_) => Self::NAMES[1],
            Self::Vehicle(_) => Self::NAMES[2],
        }
    }

    fn step(&mut self, seconds: f64, chance: &mut Chance) {
        match self {
            Self::Room(room) => room.step(seconds, chance),
            Self::Sensor(sensor) => sensor.step(seconds, chance),
            Self::Vehicle(vehicle) => vehicle.step(seconds, chance),
        }
    }

    fn attributes(&self) -> Attributes {
        match self {
            Self::Room(room) => room.attributes(),
            Self::Sensor(sensor) => sensor.attributes(),
            Self::Vehicle(vehicle) => vehicle.attributes(),
        }
    }
}

impl World {
    /// A world of about `population` entities, which have been there for a while: none is announced as new.
    pub(crate) fn new(tenant: &Tenant, seed: u64, population: usize, now: Timestamp) -> Self {
        let mut world = Self {
            tenant: tenant.to_string(),
            chance: Chance::new(seed),
            things: Vec::with_capacity(population),
            born: [0; Kind::COUNT],
            population,
        };
        for index in 0..population {
            let thing = world.bear(index % Kind::COUNT, now);
            world.things.push(thing);
        }
        world
    }

    /// The next change: mostly of an entity that is there, now and then a new one, or the end of one.
    pub(crate) fn next(&mut self, now: Timestamp) -> anyhow::Result<Entry> {
        let change_type = match self.chance.below(TURNOVER) {
            0 if self.things.len() < self.population * 2 => ChangeType::EntityCreated,
            1 if self.things.len() > self.population / 2 => ChangeType::EntityDeleted,
            _ => ChangeType::EntityUpdated,
        };
        match change_type {
            ChangeType::EntityCreated => {
                let index = self.chance.index(Kind::COUNT);
                let thing = self.bear(index, now);
                let entry = self.entry(change_type, &thing, thing.shown.clone(), now);
                self.things.push(thing);
                entry
            }
            ChangeType::EntityDeleted => {
                let index = self.chance.index(self.things.len());
                let thing = self.things.swap_remove(index);
                self.entry(change_type, &thing, Vec::new(), now)
            }
            ChangeType::EntityUpdated => {
                let (index, changed) = self.evolve(now);
                self.entry(change_type, &self.things[index], changed, now)
            }
        }
    }

    /// Finds an entity of which something has changed since it was last seen.
    fn evolve(&mut self, now: Timestamp) -> (usize, Attributes) {
        let mut index = 0;
        for _ in 0..PATIENCE {
            index = self.chance.index(self.things.len());
            let changed = self.things[index].evolve(now, &mut self.chance);
            if !changed.is_empty() {
                return (index, changed);
            }
        }
        // All quiet: something is measured again, and found the same.
        (index, self.things[index].shown.iter().skip(1).take(1).cloned().collect())
    }

    fn bear(&mut self, index: usize, now: Timestamp) -> Thing {
        self.born[index] += 1;
        let number = self.born[index];
        let kind = Kind::new(index, number, &mut self.chance);
        let id = format!("urn:ngsi-ld:{}:{number:03}", kind.name());
        Thing { id, shown: kind.attributes(), kind, seen: now }
    }

    fn entry(&self, change: ChangeType, thing: &Thing, data: Attributes, now: Timestamp) -> anyhow::Result<Entry> {
        let names = || data.iter().map(|(name, _)| (*name).to_owned()).collect();
        let detail = Detail {
            change_type: change,
            tenant: &self.tenant,
            service_path: None,
            entity_id: &thing.id,
            entity_type: EntityTypes::One(EntityType::parse(thing.kind.name())?),
            changed_attributes: (change == ChangeType::EntityUpdated).then(names),
            data: data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
            timestamp: Some(&format!("{now:.3}")),
        };
        detail.entry()
    }
}

impl Thing {
    /// Lets time pass, and returns what has changed that shows after rounding.
    fn evolve(&mut self, now: Timestamp, chance: &mut Chance) -> Attributes {
        let seconds = now.duration_since(self.seen).as_secs_f64().clamp(0.0, LONGEST_STEP);
        self.seen = now;
        self.kind.step(seconds, chance);
        let fresh = self.kind.attributes();
        let changed: Attributes = fresh.iter().filter(|new| !self.shown.contains(new)).cloned().collect();
        self.shown = fresh;
        changed
    }
}

/// A number rounded to so many decimals, as an NGSI attribute.
fn number(value: f64, decimals: i32) -> Value {
    json!({ "type": "Number", "value": rounded(value, decimals) })
}

fn rounded(value: f64, decimals: i32) -> Value {
    let factor = 10_f64.powi(decimals);
    let value = (value * factor).round() / factor;
    // Whole numbers as such: 3 people, not 3.0.
    #[allow(clippy::cast_possible_truncation, reason = "no quantity here comes near 2^53")]
    if decimals == 0 { json!(value as i64) } else { json!(value) }
}

/// A point in GeoJSON's order, longitude first.
fn point(longitude: f64, latitude: f64) -> Value {
    json!({
        "type": "geo:json",
        "value": { "type": "Point", "coordinates": [rounded(longitude, 6), rounded(latitude, 6)] }
    })
}

#[cfg(test)]
mod tests;
