use entity_stream_protocol::{
    ChangeType, EntityChange, EntityType, EntityTypes, InvalidEntityType, InvalidJson, Tenant, UndeliverableChange,
};
use entity_stream_publisher::{BusEntry, UnpublishableChange};
use jiff::Timestamp;
use serde_json::Map;
use serde_json::value::to_raw_value;

use crate::chance::Chance;
use crate::ngsi::NgsiAttributes;
use crate::room::Room;
use crate::sensor::Sensor;
use crate::vehicle::Vehicle;

/// One event in this many is the creation of an entity, and as many are deletions.
const TURNOVER: u32 = 50;
/// The longest step of an entity, in seconds, however long ago its last step was.
const LONGEST_STEP: f64 = 900.0;
/// Entities tried before an entity without a change is published: a van at a red light is passed over.
const PATIENCE: usize = 20;

/// The entities of one tenant, whose attributes vary as those of real rooms, sensors and vehicles do.
#[derive(Debug)]
pub struct City {
    source: &'static str,
    tenant: Tenant,
    types: [EntityType; Kind::COUNT],
    chance: Chance,
    things: Vec<Thing>,
    /// The number of entities of each kind so far: ids are not used twice.
    born: [u32; Kind::COUNT],
    population: usize,
}

/// One entity.
#[derive(Debug)]
struct Thing {
    id: String,
    kind: Kind,
    shown: NgsiAttributes,
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

    fn index(&self) -> usize {
        match self {
            Self::Room(_) => 0,
            Self::Sensor(_) => 1,
            Self::Vehicle(_) => 2,
        }
    }

    fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }

    fn step(&mut self, seconds: f64, chance: &mut Chance) {
        match self {
            Self::Room(room) => room.step(seconds, chance),
            Self::Sensor(sensor) => sensor.step(seconds, chance),
            Self::Vehicle(vehicle) => vehicle.step(seconds, chance),
        }
    }

    fn attributes(&self) -> NgsiAttributes {
        match self {
            Self::Room(room) => room.attributes(),
            Self::Sensor(sensor) => sensor.attributes(),
            Self::Vehicle(vehicle) => vehicle.attributes(),
        }
    }
}

impl City {
    /// A city of about `population` entities, which have existed for a while: none is announced as new. The events have
    /// this `source`. The same seed, times and population give the same changes.
    ///
    /// # Errors
    /// [`InvalidEntityType`] if the contract does not allow the name of a kind of entity.
    pub fn new(
        source: &'static str,
        tenant: &Tenant,
        seed: u64,
        population: usize,
        now: Timestamp,
    ) -> Result<Self, InvalidEntityType> {
        let [room, sensor, vehicle] = Kind::NAMES;
        let mut city = Self {
            source,
            tenant: tenant.clone(),
            types: [EntityType::parse(room)?, EntityType::parse(sensor)?, EntityType::parse(vehicle)?],
            chance: Chance::new(seed),
            things: Vec::with_capacity(population),
            born: [0; Kind::COUNT],
            population,
        };
        for index in 0..population {
            let thing = city.create(index % Kind::COUNT, now);
            city.things.push(thing);
        }
        Ok(city)
    }

    /// The next change: mostly an update, now and then a creation or a deletion.
    ///
    /// # Errors
    /// [`UnpublishableChange`] if the contract does not allow the change.
    pub fn next(&mut self, now: Timestamp) -> Result<BusEntry, UnpublishableChange> {
        let change_type = match self.chance.below(TURNOVER) {
            0 if self.things.len() < self.population * 2 => ChangeType::EntityCreated,
            1 if self.things.len() > self.population / 2 => ChangeType::EntityDeleted,
            _ => ChangeType::EntityUpdated,
        };
        match change_type {
            ChangeType::EntityCreated => {
                let index = self.chance.index(Kind::COUNT);
                let thing = self.create(index, now);
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

    /// Finds an entity with a change since its last step.
    fn evolve(&mut self, now: Timestamp) -> (usize, NgsiAttributes) {
        let mut index = 0;
        for _ in 0..PATIENCE {
            index = self.chance.index(self.things.len());
            let changed = self.things[index].evolve(now, &mut self.chance);
            if !changed.is_empty() {
                return (index, changed);
            }
        }
        // No entity has changed: a measurement is repeated with the same value.
        (index, self.things[index].shown.iter().skip(1).take(1).cloned().collect())
    }

    fn create(&mut self, index: usize, now: Timestamp) -> Thing {
        self.born[index] += 1;
        let number = self.born[index];
        let kind = Kind::new(index, number, &mut self.chance);
        let id = format!("urn:ngsi-ld:{}:{number:03}", kind.name());
        Thing { id, shown: kind.attributes(), kind, seen: now }
    }

    fn entry(
        &self,
        change_type: ChangeType,
        thing: &Thing,
        data: NgsiAttributes,
        now: Timestamp,
    ) -> Result<BusEntry, UnpublishableChange> {
        let names = || data.iter().map(|(name, _)| (*name).to_owned()).collect();
        let change = EntityChange {
            change_type,
            tenant: self.tenant.clone(),
            service_path: "/".to_owned(),
            entity_id: thing.id.clone(),
            entity_types: EntityTypes::One(self.types[thing.kind.index()].clone()),
            changed_attributes: (change_type == ChangeType::EntityUpdated).then(names),
            data: to_raw_value(&data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
                .map_err(|error| UndeliverableChange::from(InvalidJson::from(error)))?,
            timestamp: Some(format!("{now:.3}")),
        };
        BusEntry::change(self.source, change.to_json())
    }
}

impl Thing {
    /// Lets time pass, and returns the attributes that changed after rounding.
    fn evolve(&mut self, now: Timestamp, chance: &mut Chance) -> NgsiAttributes {
        let seconds = now.duration_since(self.seen).as_secs_f64().clamp(0.0, LONGEST_STEP);
        self.seen = now;
        self.kind.step(seconds, chance);
        let fresh = self.kind.attributes();
        let changed: NgsiAttributes = fresh.iter().filter(|new| !self.shown.contains(new)).cloned().collect();
        self.shown = fresh;
        changed
    }
}

#[cfg(test)]
mod tests;
