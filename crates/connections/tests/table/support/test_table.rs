use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::{Connection, Interest, Table, stable_hash};
use entity_stream_protocol::{EntityType, EpochMillis, Format, IdPattern, Tenant};

use super::{config, entity_type, now, tenant};

pub(crate) type Item = HashMap<String, AttributeValue>;
type Key = (String, String);

/// A table that no other test knows, and a client that sees its raw items.
pub(crate) struct TestTable {
    pub(crate) table: Table,
    pub(crate) client: Client,
}

impl TestTable {
    pub(crate) async fn create() -> Self {
        let this = Self::named_only();
        this.table.create_if_missing().await.unwrap();
        this
    }

    /// A random name of a table that does not exist yet.
    pub(crate) fn named_only() -> Self {
        let client = Client::from_conf(config().build());
        let table = Table::new(client.clone(), format!("test-{:032x}", fastrand::u128(..)));
        Self { table, client }
    }

    /// The same table through a client with other settings.
    pub(crate) fn through(&self, config: aws_sdk_dynamodb::config::Builder) -> Table {
        Table::new(Client::from_conf(config.build()), self.table.name())
    }

    pub(crate) async fn register(&self, connections: impl IntoIterator<Item = &Connection>) {
        for connection in connections {
            self.table.register(connection).await.unwrap();
        }
    }

    pub(crate) async fn put(&self, item: Item) {
        self.client.put_item().table_name(self.table.name()).set_item(Some(item)).send().await.unwrap();
    }

    /// Every item there is.
    pub(crate) async fn items(&self) -> BTreeMap<Key, Item> {
        let scan = self.client.scan().table_name(self.table.name()).consistent_read(true);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<Item>, _>>().await.unwrap();
        items.into_iter().map(|item| ((string(&item, "pk"), string(&item, "sk")), item)).collect()
    }

    pub(crate) async fn assert_empty(&self, context: &str) {
        self.assert_holds([], context).await;
    }

    /// Holds the raw items against the layout that `architecture.md` documents, written down here a second time: there
    /// are exactly those of these connections, and they say what they should. Types that a connection keeps while it wants
    /// every type are taken from its item.
    pub(crate) async fn assert_holds<'a>(&self, wanted: impl IntoIterator<Item = &'a Connection>, context: &str) {
        let items = self.items().await;
        let mut keys = BTreeSet::new();
        for connection in wanted {
            let found = self.table.find(&connection.id, connection.connected_at).await.unwrap();
            assert_eq!(found.as_ref(), Some(connection), "{context}: what find returns");
            let key = (format!("C#{}", connection.id), "C".to_owned());
            let stored = items.get(&key).unwrap_or_else(|| panic!("{context}: no item {key:?}"));
            let kept = stored.get("kept").map_or_else(Vec::new, texts);
            let hash = stored.get("groupHash").map(|hash| hash.as_s().unwrap().clone());
            assert_eq!(hash.is_some(), connection.group.is_some(), "{context}: the hash of the group");
            let every = connection.filter.as_ref().is_some_and(|filter| filter.entity_types().is_empty());
            assert!(every || kept.is_empty(), "{context}: {key:?} keeps {kept:?}");
            keys.insert(key);
            for key in interest_keys(connection, &kept, hash) {
                if let Some(item) = items.get(&key) {
                    assert_interest(connection, item, &format!("{context}: {key:?}"));
                }
                keys.insert(key);
            }
        }
        // Groups and slots have items of their own, which are tested elsewhere.
        let there: BTreeSet<Key> = items.into_keys().filter(|(_, sk)| sk != "G" && sk != "S").collect();
        let missing: Vec<_> = keys.difference(&there).collect();
        let extra: Vec<_> = there.difference(&keys).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{context}: missing {missing:#?}, too many {extra:#?}");
    }

    /// The types that a connection keeps while it wants every type, sorted.
    pub(crate) async fn kept(&self, name: &str) -> Vec<String> {
        let items = self.items().await;
        let mut kept = items[&(format!("C#{name}"), "C".to_owned())].get("kept").map_or_else(Vec::new, texts);
        kept.sort();
        kept
    }

    /// The interests that an event of these types finds in the tenant `demo`.
    pub(crate) async fn interests(&self, types: &[&str]) -> Vec<Interest> {
        let types: Vec<_> = types.iter().map(|name| entity_type(name)).collect();
        self.interests_at(&tenant("demo"), &types, now()).await
    }

    /// Those of each partition once, though several types are to be read twice.
    pub(crate) async fn interests_at(&self, tenant: &Tenant, types: &[EntityType], now: EpochMillis) -> Vec<Interest> {
        let mut interests = Vec::new();
        for mut pages in self.table.interests(tenant, types, now).into_iter().take(2).flatten() {
            while let Some(page) = pages.next().await.unwrap() {
                interests.extend(page.interests);
            }
        }
        interests
    }
}

/// The connections of interests, sorted; one that is met twice is there twice.
pub(crate) fn ids(interests: &[Interest]) -> Vec<&str> {
    let mut ids: Vec<_> = interests.iter().map(|interest| interest.connection_id.as_str()).collect();
    ids.sort_unstable();
    ids
}

fn interest_keys(connection: &Connection, kept: &[String], group_hash: Option<String>) -> Vec<Key> {
    let types: Vec<String> = match &connection.filter {
        None => Vec::new(),
        Some(filter) if filter.entity_types().is_empty() => vec!["*".to_owned()],
        Some(filter) => filter.entity_types().iter().map(|name| escaped(name.as_str())).collect(),
    };
    let hash = group_hash.unwrap_or_else(|| format!("{:016x}", stable_hash(connection.id.as_str().as_bytes())));
    let sort_key = format!("{hash}#{}", connection.id);
    let kept = kept.iter().map(|name| escaped(name));
    types.into_iter().chain(kept).map(|name| (format!("T#{}#{name}", connection.tenant), sort_key.clone())).collect()
}

fn escaped(entity_type: &str) -> String {
    let escape = |c| match c {
        '%' | '#' | '*' => format!("%{:02X}", u32::from(c)),
        _ => c.to_string(),
    };
    entity_type.chars().map(escape).collect()
}

fn assert_interest(connection: &Connection, item: &Item, context: &str) {
    let text = |text: &str| Some(AttributeValue::S(text.to_owned()));
    let number = |value: u64| Some(AttributeValue::N(value.to_string()));
    let pattern = connection.filter.as_ref().and_then(|filter| filter.id_pattern()).map(IdPattern::as_str);
    let wanted = [
        ("connectionId", None),
        ("connectedAt", number(connection.connected_at.millis())),
        ("expiresAt", number(connection.connected_at.millis() / 1000 + 2 * 60 * 60)),
        ("format", (connection.format != Format::Json).then(|| text(connection.format.as_str())).flatten()),
        ("group", connection.group.as_ref().and_then(|group| text(group.as_str()))),
        ("idPattern", pattern.and_then(text)),
        ("authorisedUntil", connection.authorisation.until().and_then(|until| number(until.millis()))),
    ];
    for (name, value) in wanted {
        assert_eq!(item.get(name), value.as_ref(), "{context}: {name}");
    }
}

fn texts(list: &AttributeValue) -> Vec<String> {
    list.as_l().unwrap().iter().map(|value| value.as_s().unwrap().clone()).collect()
}

fn string(item: &Item, name: &str) -> String {
    item[name].as_s().unwrap().clone()
}
