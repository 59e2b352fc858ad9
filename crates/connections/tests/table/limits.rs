//! The limits of a connection's subscriptions, just below and just above. A refused message changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::{Authorisation, Connection, Grant, TableError};
use entity_stream_protocol::{Filter, Position, Representation, Since, Subscription, SubscriptionName, View};

use crate::support::{
    Item, Requests, TestTable, by_ids, config, connection, filter, id, named, names, now, only, session, with_pattern,
};

const LIMIT: usize = 32 * 1024;

/// Subscribes, which has to be refused, and returns the reason.
async fn refused(t: &TestTable, wanted: &[Subscription]) -> TableError {
    let before = t.items().await;
    let error = t.table.subscribe(&id("alice"), wanted, None, now()).await.unwrap_err();
    assert_eq!(t.items().await, before, "{error}");
    error
}

async fn accepted(t: &TestTable, wanted: &[Subscription]) -> Connection {
    let alice = t.table.subscribe(&id("alice"), wanted, None, now()).await.unwrap().after;
    t.assert_holds([&alice], "accepted").await;
    alice
}

async fn with(subscriptions: Vec<Subscription>) -> TestTable {
    let t = TestTable::create().await;
    t.register([&Connection { subscriptions, ..connection("alice", None) }]).await;
    t
}

/// The size of an item as DynamoDB counts it.
fn bytes(item: &Item) -> usize {
    fn value(of: &AttributeValue) -> usize {
        match of {
            AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
            AttributeValue::Bool(_) => 1,
            AttributeValue::L(list) => 3 + list.iter().map(|each| 1 + value(each)).sum::<usize>(),
            AttributeValue::M(map) => 3 + map.iter().map(|(name, of)| 1 + name.len() + value(of)).sum::<usize>(),
            other => panic!("{other:?}"),
        }
    }
    item.iter().map(|(name, of)| name.len() + value(of)).sum()
}

/// The size of alice's own item, and of her interests together.
async fn sizes(t: &TestTable) -> (usize, usize) {
    let items = t.items().await;
    let (own, interests): (Vec<_>, Vec<_>) = items.into_iter().partition(|((pk, _), _)| pk.starts_with("C#"));
    let sum = |items: Vec<(_, Item)>| items.iter().map(|(_, item)| bytes(item)).sum();
    (sum(own), sum(interests))
}

/// The greatest length that is accepted, found by halving. A refusal is one for the size and changes nothing.
async fn longest(t: &TestTable, wanted: impl Fn(usize) -> Vec<Subscription>) -> usize {
    let (mut fits, mut exceeds) = (1, 512);
    accepted(t, &wanted(fits)).await;
    while exceeds - fits > 1 {
        let middle = usize::midpoint(fits, exceeds);
        match t.table.subscribe(&id("alice"), &wanted(middle), None, now()).await {
            Ok(_) => fits = middle,
            Err(TableError::LimitExceeded) => exceeds = middle,
            Err(error) => panic!("{middle}: {error}"),
        }
    }
    accepted(t, &wanted(fits)).await;
    let error = refused(t, &wanted(exceeds)).await;
    assert!(matches!(error, TableError::LimitExceeded), "{error}");
    fits
}

#[tokio::test]
async fn sixteen_names_beside_the_default_subscription() {
    let all: Vec<_> = names("s", 17).iter().map(|name| named(name, filter(["Room"]))).collect();
    let t = with(only(Filter::default())).await;
    assert!(matches!(refused(&t, &all).await, TableError::TooManySubscriptions));
    accepted(&t, &all[..16]).await;
    assert!(matches!(refused(&t, &all[16..]).await, TableError::TooManySubscriptions));
    accepted(&t, &[named("s3", filter(["Car"]))]).await;
    accepted(&t, &[filter(["Car"]).into()]).await;
    t.table.unsubscribe(&id("alice"), &all[0].name, now()).await.unwrap();
    accepted(&t, &all[16..]).await;
    assert!(matches!(refused(&t, &all[..1]).await, TableError::TooManySubscriptions));
}

#[tokio::test]
async fn forty_nine_scopes_of_all_kinds_and_of_all_subscriptions() {
    let full =
        [named("a", by_ids(names("urn:", 24))), named("b", filter(names("Type", 24))), named("c", Filter::default())];
    let t = with(Vec::new()).await;
    accepted(&t, &full).await;
    assert!(matches!(refused(&t, &[named("d", by_ids(["another"]))]).await, TableError::TooManyScopes));
    assert!(matches!(refused(&t, &[named("d", filter(["Another"]))]).await, TableError::TooManyScopes));
    assert!(matches!(refused(&t, &[named("d", with_pattern(&[], "^another$"))]).await, TableError::TooManyScopes));
    assert!(matches!(refused(&t, &[named("b", filter(names("Type", 25)))]).await, TableError::TooManyScopes));
    // A scope that several subscriptions share counts once.
    accepted(&t, &[named("d", by_ids(["urn:3", "urn:4"])), named("e", filter(["Type7"])), Filter::default().into()])
        .await;
    // A type and an id of the same text are two scopes.
    assert!(matches!(refused(&t, &[named("f", filter(["urn:3"]))]).await, TableError::TooManyScopes));
    accepted(&t, &[named("a", by_ids(names("urn:", 23))), named("f", filter(["urn:3"]))]).await;
}

#[tokio::test]
async fn fifty_scopes_in_one_message() {
    let wanted = |n| [named("a", by_ids(names("urn:", 25))), named("b", by_ids(names("id:", n)))];
    let t = with(only(filter(names("Old", 49)))).await;
    t.table.unsubscribe(&id("alice"), &SubscriptionName::DEFAULT, now()).await.unwrap();
    assert!(matches!(refused(&t, &wanted(25)).await, TableError::TooManyScopes));
    accepted(&t, &wanted(24)).await;
}

#[tokio::test]
async fn thirty_two_kilobytes_of_interests() {
    let types = names("T", 49);
    let types: Vec<_> = types.iter().map(String::as_str).collect();
    let t = with(Vec::new()).await;
    // Two subscriptions that share all scopes.
    let wanted = |length: usize| {
        let pattern = with_pattern(&types, &"a".repeat(length));
        vec![named("a", pattern.clone()), named("b", pattern)]
    };
    let length = longest(&t, wanted).await;
    let (own, interests) = sizes(&t).await;
    assert!(own < LIMIT / 4, "{own} bytes");
    let step = 2 * 49;
    assert!(interests <= LIMIT && interests + step > LIMIT, "{interests} bytes with {length} characters");
}

/// The interests do not repeat the ids, and the connection item does.
#[tokio::test]
async fn thirty_two_kilobytes_of_ids() {
    let t = with(Vec::new()).await;
    let wanted = |length: usize| {
        let ids: Vec<_> = (0..49).map(|i| format!("{i:02}{}", "x".repeat(length))).collect();
        vec![by_ids(&ids).into(), named("again", by_ids(&ids))]
    };
    let length = longest(&t, wanted).await;
    let (own, interests) = sizes(&t).await;
    assert!(interests < LIMIT / 2, "{interests} bytes");
    let step = 2 * 49;
    assert!(own <= LIMIT && own + step > LIMIT, "{own} bytes with {length} characters");
}

/// A connection whose renewal is refused ends with its token.
#[tokio::test]
async fn do_not_concern_a_renewal_or_the_removal_of_a_subscription() {
    let t = TestTable::create().await;
    let authorisation = Authorisation::Granted(Grant::new("alice", "user", None));
    t.register([&Connection { authorisation, ..connection("alice", None) }]).await;
    let types = names("T", 49);
    let types: Vec<_> = types.iter().map(String::as_str).collect();
    let small = named("b", filter(["T0"]));
    let wanted = |length: usize| {
        let pattern = with_pattern(&types, &"a".repeat(length));
        vec![named("a", pattern.clone()), small.clone(), named("c", pattern)]
    };
    longest(&t, wanted).await;

    let grant = Grant::new("alice", "user", Some(now().plus(Duration::from_secs(60))));
    let renewed = t.table.authorise(&id("alice"), &grant, now()).await.unwrap();

    t.assert_holds([&renewed], "renewed").await;
    let removed = t.table.unsubscribe(&id("alice"), &small.name, now()).await.unwrap();
    t.assert_holds([&removed], "removed").await;
}

/// Everything that a connection can have becomes everything else that it can have, in the place of another session or not.
#[tokio::test]
async fn are_within_one_transaction_of_a_hundred_items() {
    let transactions = Requests::of(".TransactWriteItems");
    let since = Since::Position { position: Position::new(now(), 1), session: session("earlier") };
    let many = |prefix: &str| [filter(names(prefix, 49)), by_ids(names(prefix, 49))];
    let changes = many("Old").into_iter().flat_map(|old| many("New").map(|new| (old.clone(), new)));
    for ((old, new), since) in changes.flat_map(|change| [(change.clone(), None), (change, Some(&since))]) {
        let t = with(only(old.clone())).await;
        let table = t.through(config().interceptor(transactions.clone()));
        let change = table.subscribe(&id("alice"), &[new.clone().into()], since, now()).await.unwrap();
        let body: serde_json::Value = serde_json::from_str(&transactions.last()).unwrap();
        let items = body["TransactItems"].as_array().unwrap().len();
        assert_eq!(items, 99, "from {old:?} to {new:?}");
        t.assert_holds([&change.after], "everything else").await;
    }
    assert_eq!(transactions.count(), 8);
}

/// DynamoDB charges two units for each KB of an item in a transaction: of the larger of the old and the new item.
#[tokio::test]
async fn bound_the_cost_of_a_message() {
    let t = with(Vec::new()).await;
    let mut most = 0;
    for prefix in ["a", "b", "a"] {
        // Half of the scopes have an interest of more than 1 KB, and the ids are long.
        let ids: Vec<_> = (0..49).map(|i| format!("{prefix}{i:02}{}", "x".repeat(220))).collect();
        let text = |length: usize| View::new(["x".repeat(length)], Representation::Normalized).unwrap();
        let views = (0..3)
            .map(|i| Subscription { view: text(256), ..named(&format!("a-longer-name-{i}"), by_ids(&ids[..24])) });
        let mut wanted: Vec<_> = views.collect();
        wanted.push(named("ids", by_ids(&ids)));
        let before = t.items().await;
        t.table.subscribe(&id("alice"), &wanted, None, now()).await.unwrap();
        let after = t.items().await;
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let size = |item: Option<&Item>| item.map_or(0, bytes);
        let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
        let units: usize = changed.map(|key| 2 * size(before.get(key)).max(size(after.get(key))).div_ceil(1024)).sum();
        most = most.max(units);
    }
    println!("write units of the largest message: {most}");
    assert!(most <= 2 * (32 + 49 + 32 + 50 + 33), "{most} units");
}
