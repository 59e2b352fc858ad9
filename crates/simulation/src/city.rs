use std::collections::BTreeMap;
use std::iter::repeat_n;

use entity_stream_protocol::{
    ChangeType, EntityChange, EntityTypes, InvalidEntityType, InvalidJson, Tenant, UndeliverableChange,
};
use entity_stream_publisher::{BusEntry, UnpublishableChange};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::chance::Chance;
use crate::data::data;
use crate::entity::{CityEntity, Kind};
use crate::form::EventForm;

/// One event in this many is the creation of an entity, and as many are deletions.
const TURNOVER: u32 = 50;
/// Entities tried before an entity without a change is published: a van at a red light is passed over.
const PATIENCE: usize = 20;
/// One entity in this many is a depot, and there is one depot at least.
const PER_DEPOT: usize = 12;

/// The entities of one tenant, whose attributes vary as those of real rooms, sensors, vehicles and depots do.
#[derive(Debug)]
pub struct City {
    source: &'static str,
    tenant: Tenant,
    form: EventForm,
    types: [EntityTypes; Kind::ALL.len()],
    chance: Chance,
    entities: Vec<CityEntity>,
    /// The number of entities of each kind so far: ids are not used twice.
    born: [u32; Kind::ALL.len()],
    population: usize,
}

/// An entity of a city as it is now.
#[derive(Debug, Serialize)]
pub struct CityState<'a> {
    /// The type or types of the entity.
    #[serde(rename = "type")]
    pub entity_type: &'a EntityTypes,
    /// All its attributes.
    pub data: Box<RawValue>,
}

impl City {
    /// A city of about `population` entities, which have existed for a while: none is announced as new. The events have
    /// this `source` and this form. The same seed, times, population and form give the same events.
    ///
    /// # Errors
    /// [`InvalidEntityType`] if the contract does not allow the name of a kind of entity.
    pub fn new(
        source: &'static str,
        tenant: &Tenant,
        form: EventForm,
        seed: u64,
        population: usize,
        now: Timestamp,
    ) -> Result<Self, InvalidEntityType> {
        let [room, sensor, vehicle, depot] = Kind::ALL.map(|kind| kind.types(form.format));
        let mut city = Self {
            source,
            tenant: tenant.clone(),
            form,
            types: [room?, sensor?, vehicle?, depot?],
            chance: Chance::new(seed),
            entities: Vec::with_capacity(population),
            born: [0; Kind::ALL.len()],
            population,
        };
        let depots = (population / PER_DEPOT).max(1);
        let others = Kind::TRANSIENT.into_iter().cycle().take(population.saturating_sub(depots));
        for kind in repeat_n(Kind::Depot, depots).chain(others) {
            let entity = city.create(kind, now);
            city.entities.push(entity);
        }
        Ok(city)
    }

    /// The next change: mostly an update, now and then a creation or a deletion.
    ///
    /// # Errors
    /// [`UnpublishableChange`] if the contract does not allow the change.
    pub fn next(&mut self, now: Timestamp) -> Result<BusEntry, UnpublishableChange> {
        match self.chance.below(TURNOVER) {
            0 if self.entities.len() < self.population * 2 => {
                let kind = Kind::TRANSIENT[self.chance.index(Kind::TRANSIENT.len())];
                let mut entity = self.create(kind, now);
                entity.is_published = true;
                let entry = self.entry(ChangeType::EntityCreated, &entity, &[], now);
                self.entities.push(entity);
                entry
            }
            1 if self.entities.len() > self.population / 2 => {
                let index = self.chance.index(self.entities.len());
                if self.entities[index].kind == Kind::Depot {
                    return self.update(now);
                }
                let entity = self.entities.swap_remove(index);
                self.entry(ChangeType::EntityDeleted, &entity, &[], now)
            }
            _ => self.update(now),
        }
    }

    /// The entities of which a change was published, as they are now: the type and the whole `data` of each, by its id.
    ///
    /// # Errors
    /// [`serde_json::Error`] if an attribute cannot be written.
    pub fn published(&self) -> serde_json::Result<BTreeMap<&str, CityState<'_>>> {
        let published = self.entities.iter().filter(|entity| entity.is_published);
        let state = |entity: &'_ CityEntity| data(self.form.format, entity.attributes().iter());
        published
            .map(|entity| {
                let entity_type = &self.types[entity.kind as usize];
                Ok((entity.id.as_str(), CityState { entity_type, data: state(entity)? }))
            })
            .collect()
    }

    fn update(&mut self, now: Timestamp) -> Result<BusEntry, UnpublishableChange> {
        let (index, changed) = self.evolve(now);
        self.entities[index].is_published = true;
        self.entry(ChangeType::EntityUpdated, &self.entities[index], &changed, now)
    }

    /// Finds an entity with a change since its last step, and the names of its attributes that changed.
    fn evolve(&mut self, now: Timestamp) -> (usize, Vec<&'static str>) {
        let mut index = 0;
        for _ in 0..PATIENCE {
            // Depots are never deleted, so there is an entity.
            index = self.chance.index(self.entities.len());
            let changed = self.entities[index].evolve(now, &mut self.chance);
            if !changed.is_empty() {
                return (index, changed);
            }
        }
        (index, self.entities[index].measure_again(now))
    }

    fn create(&mut self, kind: Kind, now: Timestamp) -> CityEntity {
        self.born[kind as usize] += 1;
        let depots = self.born[Kind::Depot as usize];
        CityEntity::new(kind, self.born[kind as usize], depots, now, &mut self.chance)
    }

    fn entry(
        &self,
        change_type: ChangeType,
        entity: &CityEntity,
        changed: &[&'static str],
        now: Timestamp,
    ) -> Result<BusEntry, UnpublishableChange> {
        let is_shown = |name: &&'static str| match change_type {
            ChangeType::EntityCreated => true,
            ChangeType::EntityUpdated => !self.form.partial || changed.contains(name),
            ChangeType::EntityDeleted => false,
        };
        let shown = entity.attributes().iter().filter(|attribute| is_shown(&attribute.name));
        let names = || changed.iter().map(|name| (*name).to_owned()).collect();
        let change = EntityChange {
            change_type,
            tenant: self.tenant.clone(),
            service_path: "/".to_owned(),
            entity_id: entity.id.clone(),
            entity_types: self.types[entity.kind as usize].clone(),
            changed_attributes: (change_type == ChangeType::EntityUpdated).then(names),
            data: data(self.form.format, shown).map_err(|error| UndeliverableChange::from(InvalidJson::from(error)))?,
            context: None,
            timestamp: Some(format!("{now:.3}")),
        };
        BusEntry::change(self.source, change.to_json())
    }
}

#[cfg(test)]
mod tests;
