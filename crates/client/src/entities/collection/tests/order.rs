//! Events and snapshots that arrive in any order.

use super::*;

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
    fn hear(&mut self, change: Option<EntitiesChange>) -> Result<(), TestCaseError> {
        match change {
            Some(EntitiesChange::Added(entity)) => prop_assert!(self.described.insert(show(&entity))),
            Some(EntitiesChange::Updated { before, after }) => {
                prop_assert!(self.described.remove(&show(&before)));
                prop_assert!(self.described.insert(show(&after)));
            }
            Some(EntitiesChange::Removed(entity)) => prop_assert!(self.described.remove(&show(&entity))),
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
        self.collection.connected(self.now);
        self.collection.set_in_force(true);
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
                prop_assert!(self.described.remove(&show(&entity)));
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
