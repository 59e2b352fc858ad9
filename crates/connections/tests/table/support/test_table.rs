use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::{Authorisation, Connection, Interest, Table};
use entity_stream_protocol::{EntityType, EpochMillis, Tenant};

use super::layout;
use super::{config, entity_type, now, tenant};

pub(crate) type Item = HashMap<String, AttributeValue>;
pub(crate) type Key = (String, String);

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

    /// Holds the raw items against the layout, which `layout` writes down a second time: there are exactly those of these
    /// connections, and each has the expected content.
    pub(crate) async fn assert_holds<'a>(&self, wanted: impl IntoIterator<Item = &'a Connection>, context: &str) {
        // Groups and slots have items of their own, which are tested elsewhere.
        let mut items: BTreeMap<Key, Item> = self.items().await;
        items.retain(|(_, sk), _| sk != "G" && sk != "S");
        for connection in wanted {
            let found = self.table.find(&connection.id, connection.connected_at).await.unwrap();
            assert_eq!(found.as_ref(), Some(connection), "{context}: what find returns");
            let key = (format!("C#{}", connection.id), "C".to_owned());
            let stored = items.remove(&key).unwrap_or_else(|| panic!("{context}: no item {key:?}"));
            for (name, value) in layout::connection_attributes(connection) {
                assert_eq!(stored.get(name), value.as_ref(), "{context}: {key:?}: {name}");
            }
            let hash = stored.get("groupHash").map(|hash| hash.as_s().unwrap().clone());
            let in_group = connection.group.is_some() && connection.authorisation != Authorisation::Pending;
            assert_eq!(hash.is_some(), in_group, "{context}: the hash of the group");
            for (key, interest) in layout::interest_items(connection, hash) {
                assert_eq!(items.remove(&key), Some(interest), "{context}: {key:?}");
            }
        }
        assert!(items.is_empty(), "{context}: too many {items:#?}");
    }

    /// The interests that an event of these types finds in the tenant `demo`.
    pub(crate) async fn interests(&self, types: &[&str]) -> Vec<Interest> {
        let types: Vec<_> = types.iter().map(|name| entity_type(name)).collect();
        self.interests_at(&tenant("demo"), &types, now()).await
    }

    /// The interests that an event of these types finds.
    pub(crate) async fn interests_at(&self, tenant: &Tenant, types: &[EntityType], now: EpochMillis) -> Vec<Interest> {
        let mut interests = Vec::new();
        for mut pages in self.table.interests(tenant, types, [], now) {
            while let Some(page) = pages.next().await.unwrap() {
                assert_eq!(page.entity_id, None);
                interests.extend(page.interests);
            }
        }
        interests
    }

    /// The interests in one entity of a tenant, without those in its types or in everything.
    pub(crate) async fn watchers(&self, tenant: &Tenant, entity_id: &str) -> Vec<Interest> {
        let mut interests = Vec::new();
        for mut pages in self.table.interests(tenant, [], [entity_id], now()).into_iter().skip(1) {
            while let Some(page) = pages.next().await.unwrap() {
                assert_eq!(page.entity_id.as_deref(), Some(entity_id));
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

fn string(item: &Item, name: &str) -> String {
    item[name].as_s().unwrap().clone()
}
