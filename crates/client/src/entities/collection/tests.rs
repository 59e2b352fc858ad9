use std::collections::{BTreeMap, BTreeSet};

use entity_stream_protocol::{ServerMessage, Subscription};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::loaded_entity::LoadedEntity;
use super::*;

/// A message about the entity `urn:{entity}`.
fn message(kind: &str, entity: usize, version: Option<u64>, data: &Value) -> Value {
    let mut message = json!({ "type": kind, "id": "1", "tenant": "demo", "servicePath": "/",
        "entityId": format!("urn:{entity}"), "entityType": "Room", "data": data, "timestamp": "2026-01-02T03:04:05Z" });
    match version {
        Some(version) => message["version"] = version.into(),
        None => message["state"] = "unavailable".into(),
    }
    message
}

fn apply(collection: &mut Collection, message: &Value, now: Instant) -> Option<EntitiesChange> {
    let frame = message.to_string();
    collection.apply(ServerMessage::parse(&frame).unwrap().event().unwrap(), now)
}

fn data(collection: &Collection) -> Vec<String> {
    collection.iter().map(|entity| format!("{} {}", entity.id(), entity.data())).collect()
}

fn connected(now: Instant) -> Collection {
    let mut collection = Collection::default();
    collection.subscribed(now);
    collection.begin();
    collection
}

#[test]
fn an_older_version_changes_nothing_also_after_the_end() {
    let now = Instant::now();
    let mut collection = connected(now);
    let mut apply = |kind, version, data: Value| apply(&mut collection, &message(kind, 1, Some(version), &data), now);
    assert!(matches!(apply("entityUpdated", 5, json!({ "a": 5 })), Some(EntitiesChange::Added(_))));
    assert!(apply("entityUpdated", 4, json!({ "a": 4 })).is_none());
    assert!(apply("entitySnapshot", 3, json!({ "a": 3 })).is_none());
    assert!(apply("entityDeleted", 4, json!({})).is_none());
    let Some(EntitiesChange::Updated { before, after }) = apply("entityUpdated", 6, json!({ "a": 6 })) else {
        panic!()
    };
    assert_eq!((before.data().get(), after.data().get(), after.version()), (r#"{"a":5}"#, r#"{"a":6}"#, Some(6)));
    assert!(matches!(apply("entityLeft", 8, json!({})), Some(EntitiesChange::Removed(_))));
    assert!(apply("entitySnapshot", 7, json!({ "a": 7 })).is_none(), "it left");
    assert!(apply("entityUpdated", 8, json!({ "a": 8 })).is_none());
    assert!(matches!(apply("entityUpdated", 9, json!({ "a": 9 })), Some(EntitiesChange::Added(_))));
    assert_eq!(data(&collection), [r#"urn:1 {"a":9}"#]);
}

#[test]
fn an_end_that_comes_first_is_remembered_for_15_minutes_online() {
    let (start, minute) = (Instant::now(), Duration::from_secs(60));
    let mut collection = connected(start);
    assert!(apply(&mut collection, &message("entityDeleted", 1, Some(7), &json!({})), start).is_none());
    let late = message("entityUpdated", 1, Some(6), &json!({ "a": 6 }));
    assert!(apply(&mut collection, &late, start + 10 * minute).is_none());
    collection.disconnected(start + 10 * minute);
    collection.subscribed(start + 100 * minute);
    assert!(apply(&mut collection, &late, start + 104 * minute).is_none());
    assert!(matches!(apply(&mut collection, &late, start + 106 * minute), Some(EntitiesChange::Added(_))));
}

#[test]
fn what_a_snapshot_lacks_is_removed_unless_it_has_changed_meanwhile() {
    let now = Instant::now();
    let mut collection = connected(now);
    for entity in 1..=4 {
        apply(&mut collection, &message("entitySnapshot", entity, Some(1), &json!({})), now);
    }
    assert!(!collection.is_complete());
    assert!(collection.snapshot_complete(now).is_empty() && collection.is_complete());
    collection.disconnected(now);
    assert!(!collection.is_complete());
    collection.subscribed(now);
    collection.begin();
    // The first is unchanged, the second changes meanwhile, the third comes again as a repeat, and the fourth is lacking.
    assert!(apply(&mut collection, &message("entitySnapshot", 1, Some(1), &json!({})), now).is_none());
    assert!(apply(&mut collection, &message("entityUpdated", 2, Some(2), &json!({})), now).is_some());
    assert!(apply(&mut collection, &message("entityUpdated", 3, Some(1), &json!({})), now).is_none());
    let removed: Vec<_> = collection.snapshot_complete(now).into_iter().map(|change| format!("{change:?}")).collect();
    assert_eq!(removed.len(), 2, "{removed:?}");
    assert_eq!(data(&collection), ["urn:1 {}", "urn:2 {}"]);
    assert!(apply(&mut collection, &message("entityUpdated", 4, Some(1), &json!({})), now).is_none(), "it is gone");
}

#[test]
fn partial_data_is_merged() {
    let now = Instant::now();
    let mut collection = connected(now);
    apply(&mut collection, &message("entitySnapshot", 1, Some(5), &json!({ "a": 1, "b": 2 })), now);
    let mut change = message("entityUpdated", 1, None, &json!({ "c": 3, "a": 4 }));
    change["changedAttributes"] = json!(["a", "b", "c"]);
    let Some(EntitiesChange::Updated { after, .. }) = apply(&mut collection, &change, now) else { panic!() };
    assert_eq!((after.data().get(), after.version()), (r#"{"a":4,"c":3}"#, Some(5)));
    assert_eq!(after.attribute("c").map(RawValue::get), Some("3"));
    assert!(after.attribute("b").is_none() && !after.is_partial());

    // The data of a change that is too large is not known.
    let mut large = message("entityUpdated", 1, Some(6), &json!({}));
    (large["truncated"], large["dataBytes"]) = (json!(true), json!(200_000));
    let Some(EntitiesChange::Updated { after, .. }) = apply(&mut collection, &large, now) else { panic!() };
    assert!(after.is_partial() && after.version() == Some(6) && after.data().get() == r#"{"a":4,"c":3}"#);
    let whole = message("entityUpdated", 1, Some(7), &json!({ "a": 7 }));
    let Some(EntitiesChange::Updated { after, .. }) = apply(&mut collection, &whole, now) else { panic!() };
    assert!(!after.is_partial() && after.data().get() == r#"{"a":7}"#);

    // An entity without a version ends, and only its creation brings it back.
    assert!(apply(&mut collection, &message("entityDeleted", 1, None, &json!({})), now).is_some());
    assert!(apply(&mut collection, &message("entityUpdated", 1, None, &json!({ "a": 8 })), now).is_none());
    let created = message("entityCreated", 1, None, &json!({ "a": 9 }));
    let Some(EntitiesChange::Added(entity)) = apply(&mut collection, &created, now) else { panic!() };
    assert_eq!((entity.version(), entity.is_partial()), (Some(7), false));
    let unknown = message("entityUpdated", 2, None, &json!({ "a": 1 }));
    let Some(EntitiesChange::Added(entity)) = apply(&mut collection, &unknown, now) else { panic!() };
    assert!(entity.is_partial() && entity.version().is_none());
}

#[test]
fn an_entity_is_its_id_and_its_service_path() {
    let now = Instant::now();
    let mut collection = connected(now);
    for path in ["/b", "/a"] {
        let mut message = message("entityUpdated", 1, Some(1), &json!({ "path": path }));
        message["servicePath"] = path.into();
        assert!(matches!(apply(&mut collection, &message, now), Some(EntitiesChange::Added(_))));
    }
    let paths: Vec<_> = collection.iter().map(|entity| entity.service_path()).collect();
    assert_eq!(paths, ["/a", "/b"]);
}

const ENTITIES: usize = 3;

/// The state of an entity at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Gone,
    Matching,
    NotMatching,
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    /// An entity changes. The connection is sent an event, if it concerns the client.
    Changes(usize, Is),
    /// An event that is under way arrives: any of them, because the network keeps no order. It may arrive again.
    Arrives(prop::sample::Index, bool),
    /// The server reads the next entity of the snapshot, and sends it.
    Read,
    /// The next message of the snapshot, or its end, arrives.
    SnapshotArrives,
    /// The connection is lost with all that is under way, and the client opens the next one. True if the server can replay.
    Lost(bool),
    /// An entity changes while there is no connection.
    LostAndChanges(usize, Is, bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let is = prop_oneof![1 => Just(Is::Gone), 3 => Just(Is::Matching), 1 => Just(Is::NotMatching)];
    let happening = prop_oneof![
        6 => (0..ENTITIES, is.clone()).prop_map(|(entity, is)| Happening::Changes(entity, is)),
        8 => (any::<prop::sample::Index>(), prop::bool::weighted(0.2)).prop_map(|(index, again)| Happening::Arrives(index, again)),
        4 => Just(Happening::Read),
        4 => Just(Happening::SnapshotArrives),
        1 => any::<bool>().prop_map(Happening::Lost),
        1 => (0..ENTITIES, is, any::<bool>())
            .prop_map(|(entity, is, recovers)| Happening::LostAndChanges(entity, is, recovers)),
    ];
    prop::collection::vec(happening, 0..80)
}

/// A server with entities, the network, and a client.
struct World {
    now: Instant,
    /// The state and the version of each entity.
    entities: [(Is, u64); ENTITIES],
    /// The versions when the stream last was complete: a replay begins there.
    committed: Option<[u64; ENTITIES]>,
    /// The events that are under way.
    events: Vec<Value>,
    /// The messages of the snapshot that are under way, in their order.
    snapshot: Vec<Value>,
    /// The entity that the snapshot reads next. `None` if there is no snapshot.
    next: Option<usize>,
    collection: Collection,
    /// The set that the handed-out changes describe.
    described: BTreeSet<String>,
}

impl World {
    fn show(entity: &Entity) -> String {
        format!("{} {}", entity.id(), entity.data())
    }

    fn hear(&mut self, change: Option<EntitiesChange>) -> Result<(), TestCaseError> {
        match change {
            Some(EntitiesChange::Added(entity)) => prop_assert!(self.described.insert(Self::show(&entity))),
            Some(EntitiesChange::Updated { before, after }) => {
                prop_assert!(self.described.remove(&Self::show(&before)));
                prop_assert!(self.described.insert(Self::show(&after)));
            }
            Some(EntitiesChange::Removed(entity)) => prop_assert!(self.described.remove(&Self::show(&entity))),
            None => {}
        }
        prop_assert_eq!(self.described.iter().cloned().collect::<Vec<_>>(), data(&self.collection));
        Ok(())
    }

    fn now(&self, entity: usize, kind_of_change: &str) -> Value {
        let (is, version) = self.entities[entity];
        match is {
            Is::Matching => message(kind_of_change, entity, Some(version), &json!({ "version": version })),
            Is::NotMatching => message("entityLeft", entity, Some(version), &json!({})),
            Is::Gone => message("entityDeleted", entity, Some(version), &json!({})),
        }
    }

    fn change(&mut self, entity: usize, is: Is, is_connected: bool) {
        let (was, version) = self.entities[entity];
        if was == Is::Gone && is == Is::Gone {
            return;
        }
        self.entities[entity] = (is, version + 1);
        let concerns = was == Is::Matching || is != Is::NotMatching;
        if is_connected && concerns {
            self.events.push(self.now(entity, if was == Is::Gone { "entityCreated" } else { "entityUpdated" }));
        }
    }

    fn connect(&mut self, recovers: bool) -> Result<(), TestCaseError> {
        self.collection.subscribed(self.now);
        self.collection.begin();
        match self.committed.filter(|_| recovers) {
            Some(committed) => {
                self.next = None;
                for (entity, committed) in committed.into_iter().enumerate() {
                    if self.entities[entity].1 > committed {
                        let replayed = self.now(entity, "entityUpdated");
                        self.take(&replayed)?;
                    }
                }
                self.collection.recovered();
                self.commit();
            }
            None => self.next = Some(0),
        }
        Ok(())
    }

    fn take(&mut self, message: &Value) -> Result<(), TestCaseError> {
        let change = apply(&mut self.collection, message, self.now);
        self.hear(change)
    }

    fn lose(&mut self) {
        self.events.clear();
        self.snapshot.clear();
        self.collection.disconnected(self.now);
    }

    /// The client has a position as soon as it is complete. Events that are under way at that moment come after it.
    fn commit(&mut self) {
        let mut versions = self.entities.map(|(_, version)| version);
        for event in &self.events {
            let entity: usize = event["entityId"].as_str().unwrap()[4..].parse().unwrap();
            versions[entity] = versions[entity].min(event["version"].as_u64().unwrap() - 1);
        }
        self.committed = Some(versions);
    }

    fn read(&mut self) {
        if let Some(entity) = self.next.filter(|entity| *entity < ENTITIES) {
            if self.entities[entity].0 == Is::Matching {
                self.snapshot.push(self.now(entity, "entitySnapshot"));
                self.snapshot.last_mut().unwrap()["type"] = "entitySnapshot".into();
            }
            self.next = Some(entity + 1);
        }
    }

    fn snapshot_arrives(&mut self) -> Result<(), TestCaseError> {
        if !self.snapshot.is_empty() {
            let message = self.snapshot.remove(0);
            return self.take(&message);
        }
        if self.next == Some(ENTITIES) {
            self.next = None;
            for change in self.collection.snapshot_complete(self.now) {
                // One change after the other leads to the set, which has all of them already.
                let EntitiesChange::Removed(entity) = change else { panic!("{change:?}") };
                prop_assert!(self.described.remove(&Self::show(&entity)));
            }
            self.commit();
        }
        self.hear(None)
    }
}

proptest! {
    /// In whatever order events, repeats and the messages of a snapshot arrive, and whenever the connection is lost: once all is
    /// there, the collection has what the server has, and the changes have described it.
    #[test]
    fn the_order_of_arrival_makes_no_difference(happenings in happenings()) {
        let mut world = World {
            now: Instant::now(),
            entities: [(Is::Gone, 0); ENTITIES],
            committed: None,
            events: Vec::new(),
            snapshot: Vec::new(),
            next: None,
            collection: Collection::default(),
            described: BTreeSet::new(),
        };
        world.connect(false)?;
        for happening in happenings {
            world.now += Duration::from_millis(10);
            match happening {
                Happening::Changes(entity, is) => world.change(entity, is, true),
                Happening::Arrives(index, again) => if !world.events.is_empty() {
                    let index = index.index(world.events.len());
                    let message = if again { world.events[index].clone() } else { world.events.remove(index) };
                    world.take(&message)?;
                },
                Happening::Read => world.read(),
                Happening::SnapshotArrives => world.snapshot_arrives()?,
                Happening::Lost(recovers) => {
                    world.lose();
                    world.connect(recovers)?;
                }
                Happening::LostAndChanges(entity, is, recovers) => {
                    world.lose();
                    world.change(entity, is, false);
                    world.connect(recovers)?;
                }
            }
        }
        while world.next.is_some() {
            world.read();
            world.snapshot_arrives()?;
        }
        while let Some(message) = world.events.pop() {
            world.take(&message)?;
        }
        let matching = world.entities.iter().enumerate().filter(|(_, (is, _))| *is == Is::Matching);
        let expected: Vec<_> =
            matching.map(|(entity, (_, version))| format!(r#"urn:{entity} {{"version":{version}}}"#)).collect();
        prop_assert_eq!(data(&world.collection), expected);
        prop_assert!(world.collection.is_complete());
    }
}

proptest! {
    /// A broker is read at any moment after the beginning, and its answer arrives at any later one.
    #[test]
    fn a_load_loses_nothing_and_brings_back_nothing(
        changes in prop::collection::vec((0..ENTITIES, any::<bool>()), 0..40),
        begins in 0..40usize,
        read_after in 0..10usize,
        arrives_after in 0..10usize,
        lag in 0..4usize,
    ) {
        let (now, tenant) = (Instant::now(), "demo".parse().unwrap());
        let mut collection = connected(now);
        let (mut entities, mut described) = ([(false, 0u64); ENTITIES], BTreeSet::new());
        let (mut events, mut answer): (Vec<Value>, Option<String>) = (Vec::new(), None);
        let mut hear = |collection: &Collection, changes: Vec<EntitiesChange>| {
            for change in changes {
                let (before, after) = match change {
                    EntitiesChange::Added(after) => (None, Some(after)),
                    EntitiesChange::Updated { before, after } => (Some(before), Some(after)),
                    EntitiesChange::Removed(before) => (Some(before), None),
                };
                prop_assert!(before.is_none_or(|before| described.remove(&World::show(&before))));
                prop_assert!(after.is_none_or(|after| described.insert(World::show(&after))));
            }
            prop_assert_eq!(described.iter().cloned().collect::<Vec<_>>(), data(collection));
            Ok(())
        };
        let last = changes.len().max(begins + read_after + arrives_after) + 1;
        for step in 0..last {
            if step == begins {
                collection.begin_load();
            }
            if step == begins + read_after {
                let there = entities.iter().enumerate().filter(|(_, (is_there, _))| *is_there);
                let there = there.map(|(entity, (_, version))| {
                    json!({ "id": format!("urn:{entity}"), "type": "Room", "version": version })
                });
                answer = Some(Value::Array(there.collect()).to_string());
            }
            if step == begins + read_after + arrives_after
                && let Some(answer) = answer.take()
            {
                let loaded = LoadedEntity::from_array(&answer, "/").unwrap();
                let changes = collection.load(loaded.into_iter().map(|loaded| Entity::loaded(&tenant, loaded)), now);
                hear(&collection, changes)?;
                prop_assert!(collection.is_complete());
            }
            if let Some((entity, is_there)) = changes.get(step).copied()
                && (is_there || entities[entity].0)
            {
                let version = entities[entity].1 + 1;
                entities[entity] = (is_there, version);
                let kind = if is_there { "entityUpdated" } else { "entityDeleted" };
                events.push(message(kind, entity, Some(version), &json!({ "version": version })));
            }
            while events.len() > if step + 1 == last { 0 } else { lag } {
                let change = apply(&mut collection, &events.remove(0), now);
                hear(&collection, change.into_iter().collect())?;
            }
        }
        let there = entities.iter().enumerate().filter(|(_, (is_there, _))| *is_there);
        let expected: Vec<_> =
            there.map(|(entity, (_, version))| format!(r#"urn:{entity} {{"version":{version}}}"#)).collect();
        prop_assert_eq!(data(&collection), expected);
    }

    /// The changes of an update lead from the one set to the other.
    #[test]
    fn the_changes_to_another_collection_make_it(
        one in prop::collection::vec((0..ENTITIES, 1..4u64), 0..6),
        other in prop::collection::vec((0..ENTITIES, 1..4u64), 0..6),
    ) {
        let now = Instant::now();
        let [before, after] = [one, other].map(|entities| {
            let mut collection = connected(now);
            for (entity, version) in entities {
                apply(&mut collection, &message("entityUpdated", entity, Some(version), &json!({ "v": version })), now);
            }
            collection
        });
        let mut shown: BTreeSet<_> = data(&before).into_iter().collect();
        for change in before.changes_to(&after) {
            match change {
                EntitiesChange::Added(entity) => prop_assert!(shown.insert(World::show(&entity))),
                EntitiesChange::Updated { before, after } => {
                    prop_assert!(shown.remove(&World::show(&before)) && shown.insert(World::show(&after)));
                }
                EntitiesChange::Removed(entity) => prop_assert!(shown.remove(&World::show(&entity))),
            }
        }
        prop_assert_eq!(shown.into_iter().collect::<Vec<_>>(), data(&after));
    }
}

proptest! {
    /// The same with events that have only the attributes that were published, as a server sends them to a view without
    /// `wholeEntity`.
    #[test]
    fn a_load_is_merged_with_the_parts_that_came_meanwhile(
        changes in prop::collection::vec((0..2usize, 0..5usize), 0..40),
        begins in 0..20usize,
        read_after in 0..8usize,
        arrives_after in 0..8usize,
        lag in 0..3usize,
        has_versions: bool,
    ) {
        const NAMES: [&str; 2] = ["a", "b"];
        let (now, tenant) = (Instant::now(), "demo".parse().unwrap());
        let mut collection = Collection::loaded(LoadedView::of(&Subscription::default()));
        collection.subscribed(now);
        let mut entities: [Option<BTreeMap<&str, usize>>; 2] = [None, None];
        let (mut versions, mut events, mut answer) = ([0u64; 2], Vec::<Value>::new(), None::<String>);
        let last = changes.len().max(begins + read_after + arrives_after) + 1;
        for step in 0..last {
            if step == begins {
                collection.begin_load();
            }
            if step == begins + read_after {
                let there = entities.iter().enumerate().filter_map(|(entity, data)| Some((entity, data.as_ref()?)));
                let there = there.map(|(entity, data)| {
                    let mut loaded = json!(data);
                    (loaded["id"], loaded["type"]) = (json!(format!("urn:{entity}")), json!("Room"));
                    loaded
                });
                answer = Some(Value::Array(there.collect()).to_string());
            }
            if step == begins + read_after + arrives_after
                && let Some(answer) = answer.take()
            {
                let loaded = LoadedEntity::from_array(&answer, "/").unwrap();
                collection.load(loaded.into_iter().map(|loaded| Entity::loaded(&tenant, loaded)), now);
            }
            // The kinds of change: sets the one attribute or the other, removes the second, deletes.
            if let Some((entity, kind)) = changes.get(step).copied() {
                let was_there = entities[entity].is_some();
                let (kind, data, changed) = match kind {
                    4 if !was_there => continue,
                    4 => ("entityDeleted", json!({}), json!([])),
                    _ if !was_there => ("entityCreated", json!({ "a": step }), json!(["a"])),
                    3 => ("entityUpdated", json!({ "a": step }), json!(["a", "b"])),
                    other => ("entityUpdated", json!({ NAMES[other % 2]: step }), json!([NAMES[other % 2]])),
                };
                versions[entity] += 1;
                entities[entity] = match kind {
                    "entityDeleted" => None,
                    "entityCreated" => Some(BTreeMap::from([("a", step)])),
                    _ => entities[entity].take().map(|mut known| {
                        known.retain(|name, _| !changed.as_array().unwrap().contains(&json!(name)));
                        known.extend(NAMES.iter().filter(|name| data.get(**name).is_some()).map(|name| (*name, step)));
                        known
                    }),
                };
                let mut event = message(kind, entity, has_versions.then_some(versions[entity]), &data);
                event["changedAttributes"] = changed;
                events.push(event);
            }
            while events.len() > if step + 1 == last { 0 } else { lag } {
                apply(&mut collection, &events.remove(0), now);
            }
        }
        let shown: Vec<(String, Value)> = collection
            .iter()
            .map(|entity| (entity.id().to_owned(), serde_json::from_str(entity.data().get()).unwrap()))
            .collect();
        let there = entities.iter().enumerate().filter_map(|(entity, data)| Some((entity, data.as_ref()?)));
        let expected: Vec<_> = there.map(|(entity, data)| (format!("urn:{entity}"), json!(data))).collect();
        prop_assert_eq!(shown, expected);
    }
}
