//! Random sequences of operations, compared with a model in maps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_stream_connections::{Authorisation, Connection, Grant, TableError};
use entity_stream_protocol::{EpochMillis, Filter, Position, Since, Subscription, Tenant};
use proptest::prelude::*;

use crate::support::{
    Scope, TestTable, by_ids, connection, entity_type, filter, id, ids, named, names, now, scopes, session,
    subscription_name, tenant, with_pattern,
};

const TYPES: [&str; 6] = ["Room", "room", "*", "a#b", "a%23b", "Wide0"];
const IDS: [&str; 5] = ["urn:1", "urn:2", "*", "Room", "Wide0"];
const TENANTS: [&str; 2] = ["demo", "other"];
/// The number is small, so that operations collide.
const CONNECTIONS: [&str; 3] = ["alice", "bob", "carol"];
const NAMES: [&str; 3] = ["", "a", "b"];

/// The connections and a session of an earlier connection.
const SESSIONS: [&str; 4] = ["alice", "bob", "carol", "earlier"];

type Model = BTreeMap<&'static str, Connection>;

#[derive(Clone, Debug)]
enum Operation {
    Register(Vec<Subscription>),
    RegisterPending(Vec<Subscription>),
    Subscribe(Vec<Subscription>),
    /// Asks for past events, of this session or of the last seconds.
    Resume(Vec<Subscription>, Option<&'static str>),
    Unsubscribe(&'static str),
    Forget,
    ForgetGone,
    /// Authorises for this many seconds.
    Authorise(u32),
}

fn filters() -> impl Strategy<Value = Filter> {
    let types = prop::sample::subsequence(TYPES.to_vec(), 0..=TYPES.len()).prop_shuffle();
    let pattern = prop::option::of(prop::sample::select(vec!["^urn", "001$", "^(urn:1|Room)$"]));
    let by_types = (types, pattern).prop_map(|(types, pattern)| Filter::new(types, pattern).unwrap());
    let by_id = prop::sample::subsequence(IDS.to_vec(), 1..=IDS.len()).prop_shuffle().prop_map(by_ids);
    let every = prop_oneof![Just(Filter::default()), Just(with_pattern(&[], "^urn"))];
    // Two lists of this length and the connection are the largest transaction.
    let wide = prop::sample::select(vec!["Wide", "Broad"]).prop_map(|prefix| filter(names(prefix, 49)));
    let many = prop::sample::select(vec!["urn:", "id:"]).prop_map(|prefix| by_ids(names(prefix, 49)));
    prop_oneof![7 => by_types, 4 => by_id, 3 => every, 1 => wide, 1 => many]
}

fn subscriptions(most: usize) -> impl Strategy<Value = Vec<Subscription>> {
    let names = prop::sample::subsequence(NAMES.to_vec(), 0..=most);
    names.prop_flat_map(|names| {
        let subscriptions = names.into_iter().map(|name| filters().prop_map(move |filter| named(name, filter)));
        subscriptions.collect::<Vec<_>>()
    })
}

fn operations() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => subscriptions(1).prop_map(Operation::Register),
        1 => subscriptions(1).prop_map(Operation::RegisterPending),
        7 => subscriptions(NAMES.len()).prop_map(Operation::Subscribe),
        4 => (subscriptions(NAMES.len()), prop::option::of(prop::sample::select(SESSIONS.to_vec())))
            .prop_map(|(subscriptions, session)| Operation::Resume(subscriptions, session)),
        2 => prop::sample::select(NAMES.to_vec()).prop_map(Operation::Unsubscribe),
        1 => Just(Operation::Forget),
        1 => Just(Operation::ForgetGone),
        2 => (200..1000_u32).prop_map(Operation::Authorise),
    ]
}

fn tenant_of(name: &str) -> Tenant {
    tenant(TENANTS[usize::from(name == "carol")])
}

async fn apply(t: &TestTable, model: &mut Model, name: &'static str, operation: Operation, at: EpochMillis) {
    match operation {
        // API Gateway never gives two connections the same id.
        Operation::Register(_) | Operation::RegisterPending(_) if model.contains_key(name) => {}
        Operation::Register(subscriptions) => register(t, model, name, Authorisation::Open, subscriptions).await,
        Operation::RegisterPending(subscriptions) => {
            register(t, model, name, Authorisation::Pending, subscriptions).await;
        }
        Operation::Subscribe(wanted) => {
            let changed = model.get(name).map(|connection| with(connection, &wanted));
            let result = t.table.subscribe(&id(name), &wanted, None, at).await;
            change(model, name, changed, result.map(|change| change.after));
        }
        Operation::Resume(wanted, session_name) => {
            let changed = model.get(name).map(|connection| {
                if connection.resumed_at.is_some_and(|last| at.since(last) < Duration::from_secs(10)) {
                    return Err("resumed recently");
                }
                let may_move = connection.resumed_at.is_none();
                if session_name.is_some_and(|name| !may_move && connection.session() != session(name)) {
                    return Err("another session");
                }
                let resumed = match session_name {
                    None => connection.resumed.clone(),
                    Some(own) if own == name => None,
                    Some(other) => Some(session(other)),
                };
                with(&Connection { resumed, resumed_at: Some(at), ..connection.clone() }, &wanted)
            });
            let since = match session_name {
                Some(name) => Since::Position { position: Position::new(at, 1), session: session(name) },
                None => Since::Seconds { seconds: 30 },
            };
            let result = t.table.subscribe(&id(name), &wanted, Some(&since), at).await;
            if let (Ok(change), Some(connection)) = (&result, model.get(name)) {
                assert_eq!(&change.before, connection);
            }
            change(model, name, changed, result.map(|change| change.after));
        }
        Operation::Unsubscribe(removed) => {
            let result = t.table.unsubscribe(&id(name), &subscription_name(removed), at).await;
            let changed = model.get(name).map(|connection| {
                let mut left = connection.subscriptions.clone();
                left.retain(|each| each.name.as_str() != removed);
                let is_missing = !removed.is_empty() && left.len() == connection.subscriptions.len();
                if is_missing {
                    Err("not subscribed")
                } else {
                    Ok(Connection { subscriptions: left, ..connection.clone() })
                }
            });
            change(model, name, changed, result);
        }
        Operation::Forget => {
            let forgotten = t.table.forget(&id(name)).await.unwrap();
            assert_eq!(forgotten, model.remove(name).map(|connection| connection.tenant));
        }
        Operation::ForgetGone => {
            let mut interests = t.interests_at(&tenant_of(name), &TYPES.map(entity_type), now()).await;
            interests.extend(t.watchers(&tenant_of(name), "urn:1").await);
            if let Some(interest) = interests.iter().find(|interest| interest.connection_id == id(name)) {
                t.table.forget_gone(interest).await.unwrap();
                assert!(model.remove(name).is_some(), "an interest of a connection that is not there");
            }
        }
        Operation::Authorise(seconds) => {
            let grant = Grant::new(name, "user", Some(now().plus(Duration::from_secs(seconds.into()))));
            let result = t.table.authorise(&id(name), &grant, at).await;
            match model.get_mut(name) {
                Some(connection) => {
                    connection.authorisation = Authorisation::Granted(grant);
                    assert_eq!(&result.unwrap(), connection);
                }
                None => assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}"),
            }
        }
    }
}

async fn register(
    t: &TestTable,
    model: &mut Model,
    name: &'static str,
    authorisation: Authorisation,
    subscriptions: Vec<Subscription>,
) {
    let connection = Connection { tenant: tenant_of(name), authorisation, subscriptions, ..connection(name, None) };
    t.register([&connection]).await;
    model.insert(name, connection);
}

/// The connection with these subscriptions besides its others.
fn with(connection: &Connection, wanted: &[Subscription]) -> Result<Connection, &'static str> {
    let others = connection.subscriptions.iter().filter(|old| wanted.iter().all(|new| new.name != old.name));
    let mut subscriptions: Vec<_> = others.chain(wanted).cloned().collect();
    subscriptions.sort_by(|a, b| a.name.cmp(&b.name));
    let scopes: BTreeSet<Scope> = subscriptions.iter().flat_map(scopes).collect();
    if scopes.len() > 49 { Err("too many scopes") } else { Ok(Connection { subscriptions, ..connection.clone() }) }
}

/// Holds the result of a change against the expectation, and takes it over.
fn change(
    model: &mut Model,
    name: &str,
    expected: Option<Result<Connection, &str>>,
    result: Result<Connection, TableError>,
) {
    let Some(connection) = model.get_mut(name) else {
        assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}");
        return;
    };
    match (connection.authorisation == Authorisation::Pending, expected) {
        (true, _) => assert!(matches!(result, Err(TableError::NotAuthorised)), "{result:?}"),
        (_, Some(Ok(changed))) => {
            *connection = changed;
            assert_eq!(&result.unwrap(), connection);
        }
        (_, Some(Err("not subscribed"))) => assert!(matches!(result, Err(TableError::NotSubscribed)), "{result:?}"),
        (_, Some(Err("another session"))) => assert!(matches!(result, Err(TableError::AnotherSession)), "{result:?}"),
        (_, Some(Err("resumed recently"))) => assert!(matches!(result, Err(TableError::ResumedRecently)), "{result:?}"),
        (_, expected) => assert!(matches!(result, Err(TableError::TooManyScopes)), "{expected:?}: {result:?}"),
    }
}

/// The connections that an event of each type or id finds in each tenant.
async fn assert_audiences(t: &TestTable, model: &Model) {
    let types = TYPES.map(|name| ("T", name));
    for ((kind, of), name) in
        types.into_iter().chain(IDS.map(|id| ("I", id))).flat_map(|scope| TENANTS.map(|name| (scope, name)))
    {
        let tenant = tenant(name);
        let mut wanted = Vec::new();
        for connection in model.values().filter(|connection| connection.tenant == tenant) {
            if connection.authorisation == Authorisation::Pending {
                continue;
            }
            let own: BTreeSet<Scope> = connection.subscriptions.iter().flat_map(scopes).collect();
            // A connection is found twice that has subscriptions for everything and for this.
            let here = usize::from(own.contains(&(kind, of.to_owned())));
            let every = usize::from(kind == "T" && own.contains(&("*", String::new())));
            wanted.extend(std::iter::repeat_n(connection.id.as_str(), here + every));
        }
        let interests = match kind {
            "T" => t.interests_at(&tenant, &[entity_type(of)], now()).await,
            _ => t.watchers(&tenant, of).await,
        };
        assert_eq!(ids(&interests), wanted, "{tenant}, {kind} {of:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_holds_what_a_map_would(
        operations in prop::collection::vec((prop::sample::select(CONNECTIONS.to_vec()), operations()), 1..24)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let t = TestTable::create().await;
            let mut model = Model::new();
            for (step, (name, operation)) in (0_u64..).zip(operations) {
                let context = format!("step {step}, {name}: {operation:?}");
                // Some resumes come within ten seconds of the last one.
                let at = now().plus(Duration::from_secs(4 * step));
                apply(&t, &mut model, name, operation, at).await;
                t.assert_holds(model.values(), &context).await;
            }
            assert_audiences(&t, &model).await;
        });
    }
}
