//! Collections that the program loads, at any moment.

use super::*;

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
                prop_assert!(before.is_none_or(|before| described.remove(&show(&before))));
                prop_assert!(after.is_none_or(|after| described.insert(show(&after))));
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
        collection.connected(now);
        collection.set_in_force(true);
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
