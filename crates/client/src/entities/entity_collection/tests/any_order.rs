//! A broker, a service that merges its changes, a network that keeps no order, and a program that loads.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 3] = ["a", "b", "c"];
const ENTITIES: usize = 2;

type Attributes = BTreeMap<&'static str, u64>;

/// A change at the broker. Its time is the value of what it sets.
#[derive(Clone, Debug)]
struct Change {
    entity: usize,
    kind: &'static str,
    data: Attributes,
    changed: Vec<&'static str>,
    at: u64,
}

/// An entity as the service knows it: see `docs/protocol.md`, "How changes are merged".
#[derive(Debug)]
struct Known {
    is_there: bool,
    version: u64,
    /// The time of the newest change.
    newest: u64,
    /// The time of the last creation or deletion.
    replaced: u64,
    /// The time and the value of each attribute. `None` for one that was removed.
    attributes: BTreeMap<&'static str, (u64, Option<u64>)>,
}

impl Default for Known {
    fn default() -> Self {
        Self { is_there: true, version: 0, newest: 0, replaced: 0, attributes: BTreeMap::new() }
    }
}

impl Known {
    /// Merges a change, and returns the message about it.
    fn merge(&mut self, change: &Change, is_whole: bool) -> Value {
        let is_late = change.at < self.newest;
        let mut is_changed = !is_late;
        match (change.kind, is_late) {
            ("entityDeleted", true) if self.is_there && change.at >= self.replaced => {
                for (at, value) in self.attributes.values_mut().filter(|(at, _)| *at <= change.at) {
                    is_changed |= value.is_some();
                    (*at, *value) = (change.at, None);
                }
                is_changed |= self.replaced != change.at;
                self.replaced = change.at;
            }
            ("entityDeleted", true) => {}
            ("entityDeleted" | "entityCreated", false) => {
                self.attributes = change.data.iter().map(|(name, value)| (*name, (change.at, Some(*value)))).collect();
                (self.is_there, self.replaced) = (change.kind == "entityCreated", change.at);
            }
            _ if !self.is_there && is_late => {}
            _ => {
                self.is_there = true;
                for name in &change.changed {
                    let newest = match self.attributes.get(name) {
                        Some((at, Some(_))) => *at,
                        Some((at, None)) => self.replaced.max(*at),
                        None => self.replaced,
                    };
                    if change.at >= newest {
                        self.attributes.insert(name, (change.at, change.data.get(name).copied()));
                        is_changed = true;
                    }
                }
            }
        }
        self.newest = self.newest.max(change.at);
        self.version += u64::from(is_changed);
        let mut message = json!({ "type": change.kind, "id": change.at.to_string(), "version": self.version,
            "data": change.data, "changedAttributes": change.changed });
        if is_late {
            message["late"] = true.into();
        }
        if is_whole {
            let known = self.attributes.iter().filter_map(|(name, (_, value))| Some((*name, (*value)?)));
            (message["data"], message["partial"]) = (json!(known.collect::<Attributes>()), true.into());
        }
        message
    }
}

#[derive(Clone, Debug)]
enum Happening {
    /// An entity changes at the broker: an attribute is set, and perhaps another removed, or the entity is deleted.
    Changes { entity: usize, set: usize, removed: Option<usize>, is_end: bool },
    /// A change reaches the service. Its message is under way to the client.
    Reaches(prop::sample::Index),
    /// A message arrives. It may arrive again.
    Arrives(prop::sample::Index, bool),
    /// The program reads the broker, if it has been asked to.
    Reads,
    /// The program has read the broker.
    Loads,
    /// The connection is lost with all that is under way, and the next one cannot resume.
    IsLost,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let removed = prop::option::weighted(0.3, 0..NAMES.len());
    let change = (0..ENTITIES, 0..NAMES.len(), removed, prop::bool::weighted(0.2));
    let happening = prop_oneof![
        6 => change.prop_map(|(entity, set, removed, is_end)| Happening::Changes { entity, set, removed, is_end }),
        6 => any::<prop::sample::Index>().prop_map(Happening::Reaches),
        6 => (any::<prop::sample::Index>(), prop::bool::weighted(0.2)).prop_map(|(index, again)| Happening::Arrives(index, again)),
        2 => Just(Happening::Reads),
        2 => Just(Happening::Loads),
        1 => Just(Happening::IsLost),
    ];
    prop::collection::vec(happening, 0..80)
}

struct World {
    /// True if messages show the whole entity as the service knows it, which has never seen its creation.
    is_whole: bool,
    now: u64,
    broker: [Option<Attributes>; ENTITIES],
    service: [Known; ENTITIES],
    changes: Vec<Change>,
    messages: Vec<StreamItem>,
    collection: EntityCollection,
    is_asked: bool,
    read: Option<String>,
    /// The entities according to the changes that were handed out.
    described: BTreeSet<String>,
}

impl World {
    fn change(&mut self, entity: usize, set: usize, removed: Option<usize>, is_end: bool) {
        self.now += 1;
        let (at, is_end) = (self.now, is_end && !self.is_whole);
        let (kind, data, changed) = match (&mut self.broker[entity], is_end) {
            (None, true) => return,
            (Some(_), true) => ("entityDeleted", Attributes::new(), vec![]),
            (None, false) => ("entityCreated", Attributes::from([(NAMES[set], at)]), vec![NAMES[set]]),
            (Some(_), false) => {
                let removed = removed.map(|removed| NAMES[removed]).filter(|name| *name != NAMES[set]);
                let changed = [NAMES[set]].into_iter().chain(removed).collect();
                ("entityUpdated", Attributes::from([(NAMES[set], at)]), changed)
            }
        };
        let mut now = self.broker[entity].take().filter(|_| !is_end).unwrap_or_default();
        now.retain(|name, _| !changed.contains(name));
        now.extend(data.clone());
        self.broker[entity] = (!is_end).then_some(now);
        self.changes.push(Change { entity, kind, data, changed, at });
    }

    fn reach(&mut self, index: usize) {
        let change = self.changes.remove(index);
        let message = self.service[change.entity].merge(&change, self.is_whole);
        self.messages.push(StreamItem::Event(received(change.entity, &message)));
    }

    fn arrive(&mut self, index: usize, again: bool) -> Result<(), TestCaseError> {
        let items = self.collection.take(&self.messages[index]);
        if !again {
            self.messages.remove(index);
        }
        self.hear(items)
    }

    fn hear(&mut self, items: Vec<EntitiesItem>) -> Result<(), TestCaseError> {
        let show = |entity: &Entity| format!("{} {} {:?}", entity.id(), entity.data(), entity.version());
        for item in items {
            match item {
                EntitiesItem::Added(entity) => prop_assert!(self.described.insert(show(&entity))),
                EntitiesItem::Updated { before, after } => {
                    prop_assert!(self.described.remove(&show(&before)) && self.described.insert(show(&after)));
                }
                EntitiesItem::Removed(entity) => prop_assert!(self.described.remove(&show(&entity))),
                EntitiesItem::LoadNeeded => {
                    prop_assert!(!std::mem::replace(&mut self.is_asked, true), "once until it is loaded");
                }
                EntitiesItem::Complete => prop_assert!(!self.is_asked),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        let shown: Vec<_> = self.collection.iter().map(|entity| show(entity)).collect();
        prop_assert_eq!(self.described.iter().cloned().collect::<Vec<_>>(), shown);
        prop_assert_eq!(self.collection.is_complete(), !self.is_asked);
        Ok(())
    }

    fn read(&mut self) {
        let there = self.broker.iter().enumerate().filter_map(|(entity, data)| Some((entity, data.as_ref()?)));
        let there = there.map(|(entity, data)| {
            let mut loaded = json!(data);
            (loaded["id"], loaded["type"]) = (json!(format!("urn:{entity}")), json!("Room"));
            loaded
        });
        self.read = self.is_asked.then(|| Value::Array(there.collect()).to_string());
    }

    fn load(&mut self) -> Result<(), TestCaseError> {
        let Some(read) = self.read.take() else { return Ok(()) };
        self.is_asked = false;
        let loaded = LoadedEntity::from_array(&read, "/").unwrap();
        let items = self.collection.load(&"demo".parse().unwrap(), loaded);
        self.hear(items)
    }

    fn lose(&mut self) -> Result<(), TestCaseError> {
        self.messages.clear();
        self.read = None;
        self.collection.take(&disconnected());
        self.collection.take(&StreamItem::Connected);
        self.collection.take(&in_force());
        self.is_asked = false;
        let items =
            self.collection.take(&StreamItem::NotRecovered { reason: NotRecovered::Expired, missed_since: None });
        self.hear(items)
    }
}

proptest! {
    /// In whatever order changes reach the service and messages the client: once all are there and the program has loaded what it
    /// was asked for, the collection has what the broker has.
    #[test]
    fn the_order_makes_no_difference_to_a_loaded_collection(happenings in happenings(), is_whole: bool) {
        let view = View::default().with_state(is_whole, false);
        let mut world = World {
            is_whole,
            now: 0,
            // One entity is older than the service.
            broker: [Some(NAMES.iter().map(|name| (*name, 0)).collect()), is_whole.then(Attributes::new)],
            service: Default::default(),
            changes: Vec::new(),
            messages: Vec::new(),
            collection: EntityCollection::loaded(Subscription { view, ..rooms() }),
            is_asked: false,
            read: None,
            described: BTreeSet::new(),
        };
        world.collection.take(&StreamItem::Connected);
        let items = world.collection.take(&in_force());
        world.hear(items)?;
        for happening in happenings {
            match happening {
                Happening::Changes { entity, set, removed, is_end } => world.change(entity, set, removed, is_end),
                Happening::Reaches(index) if !world.changes.is_empty() => world.reach(index.index(world.changes.len())),
                Happening::Arrives(index, again) if !world.messages.is_empty() => {
                    world.arrive(index.index(world.messages.len()), again)?;
                }
                Happening::Reaches(_) | Happening::Arrives(..) => {}
                Happening::Reads => world.read(),
                Happening::Loads => world.load()?,
                Happening::IsLost => world.lose()?,
            }
        }
        while !world.changes.is_empty() {
            world.reach(world.changes.len() - 1);
        }
        while !world.messages.is_empty() {
            world.arrive(world.messages.len() - 1, false)?;
        }
        world.load()?;
        while world.is_asked {
            world.read();
            world.load()?;
        }
        let shown: Vec<(&str, Value)> = world.collection.iter()
            .map(|entity| (entity.id(), serde_json::from_str(entity.data().get()).unwrap()))
            .collect();
        let there = world.broker.iter().enumerate().filter_map(|(entity, data)| Some((entity, json!(data.as_ref()?))));
        let expected: Vec<_> = there.map(|(entity, data)| (["urn:0", "urn:1"][entity], data)).collect();
        prop_assert_eq!(shown, expected);
    }
}
