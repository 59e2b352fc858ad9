use entity_stream_protocol::{EntityType, EntityTypes, InvalidEntityType};
use jiff::Timestamp;

use crate::attribute::Attribute;
use crate::chance::Chance;
use crate::depot::Depot;
use crate::form::NgsiFormat;
use crate::room::Room;
use crate::sensor::Sensor;
use crate::vehicle::Vehicle;

/// The longest step of an entity, in seconds, however long ago its last step was.
const LONGEST_STEP: f64 = 900.0;

/// A kind of entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Room,
    Sensor,
    Vehicle,
    Depot,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Room, Self::Sensor, Self::Vehicle, Self::Depot];
    /// The kinds whose entities come and go. Depots stay, because vehicles refer to them.
    pub(crate) const TRANSIENT: [Self; 3] = [Self::Room, Self::Sensor, Self::Vehicle];

    /// The id of the entity of this kind with this number, which counts from 1.
    pub(crate) fn id(self, number: u32) -> String {
        format!("urn:ngsi-ld:{}:{number:03}", self.names()[0])
    }

    /// The type or types that an entity of this kind has in this format. Only NGSI-LD knows entities with several types.
    pub(crate) fn types(self, format: NgsiFormat) -> Result<EntityTypes, InvalidEntityType> {
        match (format, self.names()) {
            (NgsiFormat::NgsiLd, several @ [_, _, ..]) => {
                several.iter().map(|name| EntityType::parse(*name)).collect::<Result<_, _>>().map(EntityTypes::Many)
            }
            (_, names) => EntityType::parse(names[0]).map(EntityTypes::One),
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Room => &["Room"],
            Self::Sensor => &["Sensor"],
            Self::Vehicle => &["Vehicle"],
            Self::Depot => &["Depot", "Building"],
        }
    }
}

/// One entity of the city.
///
/// `shown` changes in [`CityEntity::evolve`] and [`CityEntity::measure_again`] only, and both return the names of the attributes
/// that they changed. So the whole entity is always the first one with all changed attributes merged into it.
#[derive(Debug)]
pub(crate) struct CityEntity {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// True once a change of the entity was published.
    pub(crate) is_published: bool,
    behaviour: Behaviour,
    shown: Vec<Attribute>,
    seen: Timestamp,
}

#[derive(Debug)]
enum Behaviour {
    Room(Room),
    Sensor(Sensor),
    Vehicle(Vehicle),
    Depot(Depot),
}

impl CityEntity {
    /// The entity of this kind with this number. A vehicle belongs to one of the depots, which have the numbers from 1 to
    /// `depots`.
    pub(crate) fn new(kind: Kind, number: u32, depots: u32, now: Timestamp, chance: &mut Chance) -> Self {
        let behaviour = match kind {
            Kind::Room => Behaviour::Room(Room::new(number, chance)),
            Kind::Sensor => Behaviour::Sensor(Sensor::new(chance)),
            Kind::Vehicle => Behaviour::Vehicle(Vehicle::new(Kind::Depot.id(1 + chance.below(depots)), chance)),
            Kind::Depot => Behaviour::Depot(Depot::new(number, chance)),
        };
        let shown = behaviour.attributes(now);
        Self { id: kind.id(number), kind, is_published: false, behaviour, shown, seen: now }
    }

    /// The attributes as they were last published.
    pub(crate) fn attributes(&self) -> &[Attribute] {
        &self.shown
    }

    /// Lets time pass, and returns the names of the attributes whose rounded values changed. The others keep the time of
    /// their measurement, as with devices that report changes only.
    pub(crate) fn evolve(&mut self, now: Timestamp, chance: &mut Chance) -> Vec<&'static str> {
        let seconds = now.duration_since(self.seen).as_secs_f64().clamp(0.0, LONGEST_STEP);
        self.seen = now;
        self.behaviour.step(seconds, chance);
        let mut changed = Vec::new();
        // The attributes of a kind are always the same ones in the same order.
        for (shown, fresh) in self.shown.iter_mut().zip(self.behaviour.attributes(now)) {
            if shown.value != fresh.value {
                changed.push(fresh.name);
                *shown = fresh;
            }
        }
        changed
    }

    /// Repeats a measurement whose value has not changed, and returns the name of its attribute.
    pub(crate) fn measure_again(&mut self, now: Timestamp) -> Vec<&'static str> {
        let measured = self.shown.iter_mut().find(|attribute| attribute.observed.is_some());
        let repeated = measured.map(|attribute| {
            attribute.observed = Some(now);
            attribute.name
        });
        repeated.into_iter().collect()
    }
}

impl Behaviour {
    fn step(&mut self, seconds: f64, chance: &mut Chance) {
        match self {
            Self::Room(room) => room.step(seconds, chance),
            Self::Sensor(sensor) => sensor.step(seconds, chance),
            Self::Vehicle(vehicle) => vehicle.step(seconds, chance),
            Self::Depot(depot) => depot.step(seconds, chance),
        }
    }

    fn attributes(&self, now: Timestamp) -> Vec<Attribute> {
        match self {
            Self::Room(room) => room.attributes(now),
            Self::Sensor(sensor) => sensor.attributes(now),
            Self::Vehicle(vehicle) => vehicle.attributes(now),
            Self::Depot(depot) => depot.attributes(now),
        }
    }
}
