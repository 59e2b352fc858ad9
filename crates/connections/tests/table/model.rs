//! Random sequences of operations, compared with a model in maps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant, TableError};
use entity_stream_protocol::{Filter, Tenant};
use proptest::prelude::*;

use crate::support::{TestTable, connection, entity_type, filter, id, ids, names, now, tenant};

const TYPES: [&str; 6] = ["Room", "room", "*", "a#b", "a%23b", "Wide0"];
const TENANTS: [&str; 2] = ["demo", "other"];
/// The number is small, so that operations collide.
const CONNECTIONS: [&str; 3] = ["alice", "bob", "carol"];

/// The model: the connections, and the types that each one keeps while its filter has no types.
type Model = BTreeMap<&'static str, (Connection, BTreeSet<String>)>;

#[derive(Clone, Debug)]
enum Operation {
    Register(Filter),
    Subscribe(Filter),
    Unsubscribe,
    Forget,
    ForgetGone,
    /// Renews the authorisation for this many seconds.
    Authorise(u32),
}

fn filters() -> impl Strategy<Value = Filter> {
    let types = prop::sample::subsequence(TYPES.to_vec(), 0..=TYPES.len()).prop_shuffle();
    let pattern = prop::option::of(prop::sample::select(vec!["^urn", "001$"]));
    let narrow = (types, pattern).prop_map(|(types, pattern)| Filter::new(types, pattern).unwrap());
    let every = prop::option::of(Just("^urn")).prop_map(|pattern| Filter::new([""; 0], pattern).unwrap());
    // Two lists of this length and `*` fill a transaction.
    let wide = prop::sample::select(vec!["Wide", "Broad"]).prop_map(|prefix| filter(names(prefix, 49)));
    prop_oneof![7 => narrow, 2 => every, 1 => wide]
}

fn operations() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => filters().prop_map(Operation::Register),
        5 => filters().prop_map(Operation::Subscribe),
        1 => Just(Operation::Unsubscribe),
        1 => Just(Operation::Forget),
        1 => Just(Operation::ForgetGone),
        1 => (1..1000_u32).prop_map(Operation::Authorise),
    ]
}

fn tenant_of(name: &str) -> Tenant {
    tenant(TENANTS[usize::from(name == "carol")])
}

async fn apply(t: &TestTable, model: &mut Model, name: &'static str, operation: Operation) {
    match operation {
        // API Gateway never gives two connections the same id.
        Operation::Register(_) if model.contains_key(name) => {}
        Operation::Register(filter) => {
            let connection = Connection { tenant: tenant_of(name), ..connection(name, filter) };
            t.register([&connection]).await;
            model.insert(name, (connection, BTreeSet::new()));
        }
        Operation::Subscribe(filter) => subscribe(t, model, name, Some(filter)).await,
        Operation::Unsubscribe => subscribe(t, model, name, None).await,
        Operation::Forget => {
            let forgotten = t.table.forget(&id(name)).await.unwrap();
            assert_eq!(forgotten, model.remove(name).map(|(connection, _)| connection.tenant));
        }
        Operation::ForgetGone => {
            let types = TYPES.map(entity_type);
            let interests = t.interests_at(&tenant_of(name), &types, now()).await;
            if let Some(interest) = interests.iter().find(|interest| interest.connection_id == id(name)) {
                t.table.forget_gone(interest).await.unwrap();
                assert!(model.remove(name).is_some(), "an interest of a connection that is not there");
            }
        }
        Operation::Authorise(seconds) => {
            let until = Some(now().plus(Duration::from_secs(seconds.into())));
            let grant = Grant { subject: name.to_owned(), role: "user".to_owned(), until };
            let result = t.table.authorise(&id(name), &grant, now()).await;
            match model.get_mut(name) {
                Some((connection, _)) => {
                    connection.authorisation = Authorisation::Granted(grant);
                    assert_eq!(&result.unwrap(), connection);
                }
                None => assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}"),
            }
        }
    }
}

async fn subscribe(t: &TestTable, model: &mut Model, name: &str, filter: Option<Filter>) {
    let result = t.table.subscribe(&id(name), filter.as_ref(), now()).await;
    match model.get_mut(name) {
        Some((connection, kept)) => {
            assert_eq!(result.unwrap().tenant, connection.tenant);
            let wants_every = |filter: Option<&Filter>| filter.is_some_and(|filter| filter.entity_types().is_empty());
            if !wants_every(filter.as_ref()) {
                kept.clear();
            } else if let Some(old) = &connection.filter {
                kept.extend(old.entity_types().iter().map(|name| name.as_str().to_owned()));
            }
            connection.filter = filter;
        }
        None => assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}"),
    }
}

/// The connections that an event of each type finds in each tenant.
async fn assert_audiences(t: &TestTable, model: &Model) {
    for tenant in TENANTS.map(tenant) {
        for entity_type in TYPES.map(entity_type) {
            let wants =
                |filter: &Filter| filter.entity_types().is_empty() || filter.entity_types().contains(&entity_type);
            let wanted = model
                .values()
                .filter(|(connection, _)| connection.tenant == tenant && connection.filter.as_ref().is_some_and(wants))
                // A connection that keeps the type is found twice, both times as a match.
                .flat_map(|(connection, kept)| {
                    std::iter::repeat_n(connection.id.as_str(), 1 + usize::from(kept.contains(entity_type.as_str())))
                });
            let interests = t.interests_at(&tenant, std::slice::from_ref(&entity_type), now()).await;
            assert_eq!(ids(&interests), wanted.collect::<Vec<_>>(), "{tenant}, {entity_type:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_holds_what_a_map_would(
        operations in prop::collection::vec((prop::sample::select(CONNECTIONS.to_vec()), operations()), 1..20)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let t = TestTable::create().await;
            let mut model = Model::new();
            for (step, (name, operation)) in operations.into_iter().enumerate() {
                let context = format!("step {step}, {name}: {operation:?}");
                apply(&t, &mut model, name, operation).await;
                t.assert_holds(model.values().map(|(connection, _)| connection), &context).await;
                for (name, (_, kept)) in &model {
                    assert_eq!(t.kept(name).await, Vec::from_iter(kept.clone()), "{context}: what {name} keeps");
                }
            }
            assert_audiences(&t, &model).await;
        });
    }
}
