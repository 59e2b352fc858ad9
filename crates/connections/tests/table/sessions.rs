//! Connections that take the place of an earlier one in its session.

use std::collections::BTreeSet;
use std::time::Duration;

use entity_stream_connections::{Connection, Grant, HashRange, Table, TableError, stable_hash};
use entity_stream_protocol::{EpochMillis, Filter, GroupId, Position, Session, Since, Subscription};
use proptest::prelude::*;

use crate::support::{
    Requests, Steps, TestTable, by_ids, config, connection, entity_type, filter, id, ids, named, names, now, scopes,
    session, subscription_name, tenant, with_pattern,
};

fn since(name: &str) -> Since {
    Since::Position { position: Position::new(now(), 7), session: session(name) }
}

/// A time after this many seconds.
fn after(seconds: u64) -> EpochMillis {
    now().plus(Duration::from_secs(seconds))
}

/// The hashes in the keys of all interests.
async fn hashes(t: &TestTable) -> BTreeSet<String> {
    let interests = t.items().await.into_keys().filter(|(pk, _)| !pk.starts_with("C#"));
    interests.map(|(_, sk)| sk.split_once('#').unwrap().0.to_owned()).collect()
}

fn hash(session: &str) -> BTreeSet<String> {
    BTreeSet::from([format!("{:016x}", stable_hash(session.as_bytes()))])
}

/// Alice has an interest of each kind.
fn alice() -> Connection {
    let subscriptions = vec![
        Filter::default().into(),
        named("ids", by_ids(["urn:1", "urn:2"])),
        named("types", filter(["Room", "Car"])),
    ];
    Connection { subscriptions, ..connection("alice", None) }
}

#[tokio::test]
async fn move_all_interests_to_its_hash_in_one_transaction() {
    let t = TestTable::create().await;
    t.register([&alice()]).await;
    assert_eq!(hashes(&t).await, hash("alice"));
    let transactions = Requests::of(".TransactWriteItems");
    let table = t.through(config().interceptor(transactions.clone()));
    for (count, has_moved) in [(0, true), (1, false)] {
        let at = after(10 * count);
        let change = table.subscribe(&id("alice"), &[], Some(&since("earlier")), at).await.unwrap();

        assert_eq!(change.has_moved(), has_moved);
        assert_eq!(change.after.session(), session("earlier"));
        assert_eq!(change.after, Connection { resumed: Some(session("earlier")), resumed_at: Some(at), ..alice() });
        t.assert_holds([&change.after], "resumed").await;
        assert_eq!(hashes(&t).await, hash("earlier"));
        assert_eq!(u64::try_from(transactions.count()).unwrap(), count + 1);
    }
    t.table.forget(&id("alice")).await.unwrap();
    t.assert_empty("forgotten").await;
}

/// A client that gives the session of the same connection stays where it is.
#[tokio::test]
async fn of_their_own_are_no_move() {
    let t = TestTable::create().await;
    t.register([&alice()]).await;
    let change = t.table.subscribe(&id("alice"), &[], Some(&since("alice")), now()).await.unwrap();
    assert!(!change.has_moved());
    assert_eq!(change.after, Connection { resumed_at: Some(now()), ..alice() });
    t.assert_holds([&change.after], "its own").await;
    let result = t.table.subscribe(&id("alice"), &[], Some(&since("earlier")), after(10)).await;
    assert!(matches!(result, Err(TableError::AnotherSession)), "{result:?}");
}

/// An event that is older than the connection may still be on its way to the session that it left.
#[tokio::test]
async fn are_left_by_no_connection_that_took_the_place_of_one() {
    let t = TestTable::create().await;
    t.register([&alice()]).await;
    t.table.subscribe(&id("alice"), &[], Some(&since("earlier")), now()).await.unwrap();
    let before = t.items().await;
    for name in ["another", "alice"] {
        let result = t.table.subscribe(&id("alice"), &[filter(["Tram"]).into()], Some(&since(name)), after(10)).await;
        assert!(matches!(result, Err(TableError::AnotherSession)), "{name}: {result:?}");
        assert_eq!(t.items().await, before);
    }
    t.table.subscribe(&id("alice"), &[], Some(&since("earlier")), after(10)).await.unwrap();
}

#[tokio::test]
async fn can_subscribe_in_the_same_message() {
    let t = TestTable::create().await;
    t.register([&connection("alice", None)]).await;
    let wanted = [named("a", by_ids(["urn:1"])), named("b", filter(["Room"]))];
    let change = t.table.subscribe(&id("alice"), &wanted, Some(&since("earlier")), now()).await.unwrap();
    assert_eq!(change.after.subscriptions, wanted);
    t.assert_holds([&change.after], "resumed").await;
    assert_eq!(hashes(&t).await, hash("earlier"));
}

#[tokio::test]
async fn stay_there_through_later_changes() {
    let t = TestTable::create().await;
    t.register([&alice()]).await;
    t.table.subscribe(&id("alice"), &[], Some(&since("earlier")), now()).await.unwrap();
    let changed = t.table.subscribe(&id("alice"), &[filter(["Tram"]).into()], None, after(1)).await.unwrap();
    assert!(!changed.has_moved());
    t.assert_holds([&changed.after], "subscribed").await;
    let removed = t.table.unsubscribe(&id("alice"), &subscription_name("ids"), after(2)).await.unwrap();
    t.assert_holds([&removed], "unsubscribed").await;
    let grant = Grant::new("alice", "user", Some(after(60)));
    let authorised = t.table.authorise(&id("alice"), &grant, after(3)).await.unwrap();
    t.assert_holds([&authorised], "authorised").await;
    assert_eq!(authorised.session(), session("earlier"));
    let rewound = t.table.subscribe(&id("alice"), &[], Some(&Since::Seconds { seconds: 5 }), after(10)).await.unwrap();
    assert!(!rewound.has_moved(), "a rewind names no session");
    t.assert_holds([&rewound.after], "rewound").await;
    assert_eq!(hashes(&t).await, hash("earlier"));
}

/// A session that is opened twice is two connections in one place. The first may still be alive.
#[tokio::test]
async fn share_it_with_a_connection_that_is_still_there() {
    let t = TestTable::create().await;
    let all = ["first", "alice", "bob"].map(|name| connection(name, filter(["Room"])));
    t.register(&all).await;
    for name in ["alice", "bob"] {
        t.table.subscribe(&id(name), &[], Some(&since("first")), now()).await.unwrap();
    }
    let interests = t.interests(&["Room"]).await;
    assert_eq!(ids(&interests), ["alice", "bob", "first"]);
    assert!(interests.iter().all(|interest| interest.hash() == stable_hash(b"first")), "{interests:?}");
    t.table.forget(&id("first")).await.unwrap();
    assert_eq!(ids(&t.interests(&["Room"]).await), ["alice", "bob"], "the end of one is not the end of the others");
    let interests = t.interests(&["Room"]).await;
    t.table.forget_gone(&interests[0]).await.unwrap();
    assert_eq!(t.interests(&["Room"]).await.len(), 1);
}

#[tokio::test]
async fn ask_for_the_past_once_in_ten_seconds() {
    let seconds = Since::Seconds { seconds: 5 };
    for (first, second) in
        [(&since("a"), &since("a")), (&since("a"), &seconds), (&seconds, &since("alice")), (&seconds, &seconds)]
    {
        let t = TestTable::create().await;
        t.register([&alice()]).await;
        t.table.subscribe(&id("alice"), &[], Some(first), now()).await.unwrap();
        let before = t.items().await;
        for at in [now(), now().plus(Duration::from_millis(9_999))] {
            let result = t.table.subscribe(&id("alice"), &[filter(["Car"]).into()], Some(second), at).await;
            assert!(matches!(result, Err(TableError::ResumedRecently)), "{first:?}, {second:?}: {result:?}");
            assert_eq!(t.items().await, before);
        }
        let change = t.table.subscribe(&id("alice"), &[], Some(second), after(10)).await.unwrap();
        assert_eq!(change.after.resumed_at, Some(after(10)));
        t.assert_holds([&change.after], "after ten seconds").await;
    }
}

#[tokio::test]
async fn cannot_be_members_of_a_group() {
    let t = TestTable::create().await;
    let group = Some(GroupId::parse("workers").unwrap());
    t.register([&Connection { group, ..alice() }]).await;
    let before = t.items().await;
    for since in [since("earlier"), since("alice"), Since::Seconds { seconds: 5 }] {
        let result = t.table.subscribe(&id("alice"), &[filter(["Tram"]).into()], Some(&since), now()).await;
        assert!(matches!(result, Err(TableError::NotForGroups)), "{since:?}: {result:?}");
        assert_eq!(t.items().await, before);
    }
}

/// The reasons to refuse a `subscribe` are the same with `since`, and a refused one does not count as a request for the past.
#[tokio::test]
async fn are_refused_like_others() {
    let t = TestTable::create().await;
    let result = t.table.subscribe(&id("alice"), &[], Some(&since("earlier")), now()).await;
    assert!(matches!(result, Err(TableError::NotConnected)), "{result:?}");
    t.register([&alice()]).await;
    let before = t.items().await;
    let many = [named("many", filter(names("Type", 49)))];
    let result = t.table.subscribe(&id("alice"), &many, Some(&since("earlier")), now()).await;
    assert!(matches!(result, Err(TableError::TooManyScopes)), "{result:?}");
    assert_eq!(t.items().await, before);
    t.table.subscribe(&id("alice"), &[], Some(&since("earlier")), now()).await.unwrap();
}

#[tokio::test]
async fn read_back_everything_about_it() {
    let t = TestTable::create().await;
    let all = [
        Connection { takes_batches: true, ..connection("a", filter(["Room"])) },
        Connection { resumed: Some(session("earlier")), ..connection("b", filter(["Room"])) },
        Connection { resumed_at: Some(after(7)), ..connection("c", filter(["Room"])) },
        Connection {
            takes_batches: true,
            resumed: Some(session(&"=".repeat(128))),
            resumed_at: Some(now()),
            ..connection("d", filter(["Room"]))
        },
    ];
    t.register(&all).await;
    t.assert_holds(&all, "registered").await;
    for interest in t.interests(&["Room"]).await {
        let batches = ["a", "d"].contains(&interest.connection_id.as_str());
        assert_eq!(interest.takes_batches, batches, "{interest:?}");
    }
    for connection in &all {
        let [interest] = &connection.interests()[..] else { panic!("one interest") };
        assert_eq!(interest.takes_batches, connection.takes_batches);
        assert_eq!(interest.hash(), stable_hash(connection.session().as_str().as_bytes()));
    }
    assert_eq!(all[0].session(), Session::from(id("a")));
}

/// Moves alice to a session, and does something else at this step of it.
async fn while_moving<T>(t: &TestTable, step: usize, other: impl Future<Output = T>) -> (Result<(), TableError>, T) {
    let steps = Steps::default();
    let watched = t.through(config().interceptor(steps.clone()));
    let moving = async {
        let change = watched.subscribe(&id("alice"), &[], Some(&since("earlier")), now()).await;
        steps.over();
        change.map(|change| assert!(change.has_moved()))
    };
    let other = async {
        steps.reached(step).await;
        other.await
    };
    tokio::join!(moving, other)
}

/// A read and a transaction are two requests. A cancelled transaction is followed by another of each.
const STEPS: std::ops::RangeInclusive<usize> = 0..=8;

#[tokio::test]
async fn move_while_subscriptions_change() {
    async fn subscribe(table: &Table) {
        table.subscribe(&id("alice"), &[named("new", filter(["Tram"]))], None, now()).await.unwrap();
    }
    async fn unsubscribe(table: &Table) {
        table.unsubscribe(&id("alice"), &subscription_name("ids"), now()).await.unwrap();
    }
    for step in STEPS {
        for adds in [true, false] {
            let t = TestTable::create().await;
            t.register([&alice()]).await;
            let other = async { if adds { subscribe(&t.table).await } else { unsubscribe(&t.table).await } };
            let (moved, ()) = while_moving(&t, step, other).await;
            moved.unwrap();
            let found = t.table.find(&id("alice"), now()).await.unwrap().unwrap();
            assert_eq!(found.session(), session("earlier"), "step {step}");
            assert_eq!(found.subscription(&subscription_name("new")).is_some(), adds, "step {step}");
            assert_eq!(found.subscription(&subscription_name("ids")).is_some(), adds, "step {step}");
            t.assert_holds([&found], &format!("step {step}")).await;
            assert_eq!(hashes(&t).await, hash("earlier"), "step {step}");
        }
    }
}

#[tokio::test]
async fn leave_nothing_when_they_end_while_they_move() {
    let (mut moved, mut refused) = (0, 0);
    for step in STEPS {
        let t = TestTable::create().await;
        t.register([&alice()]).await;
        let (result, forgotten) = while_moving(&t, step, t.table.forget(&id("alice"))).await;
        assert_eq!(forgotten.unwrap(), Some(tenant("demo")));
        match result {
            Ok(()) => moved += 1,
            Err(TableError::NotConnected) => refused += 1,
            Err(error) => panic!("step {step}: {error}"),
        }
        t.assert_empty(&format!("step {step}")).await;
    }
    assert!(moved > 0 && refused > 0, "either came first at times: {moved} and {refused}");
}

fn filters() -> impl Strategy<Value = Filter> {
    prop::sample::select(vec![
        Filter::default(),
        with_pattern(&[], "^urn"),
        filter(["Room"]),
        filter(["Room", "Car"]),
        with_pattern(&["Room"], "^urn"),
        filter(["urn:1"]),
        by_ids(["urn:1"]),
        by_ids(["urn:1", "urn:2"]),
        with_pattern(&["Room"], "^(urn:1|urn:3)$"),
    ])
}

fn subscriptions() -> impl Strategy<Value = Vec<Subscription>> {
    let one = |name: &'static str| prop::option::of(filters().prop_map(move |filter| named(name, filter)));
    (one(""), one("a"), one("b")).prop_map(|(default, a, b)| [default, a, b].into_iter().flatten().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// A reader that has all partitions at hand can miss a connection only if it has read a partition without an item that is in
    /// another partition, or at another hash, before.
    #[test]
    fn say_which_subscriptions_a_change_may_have_hidden(
        old in subscriptions(), new in subscriptions(), resumes in prop::option::of(prop::sample::select(vec!["alice", "earlier"])),
        was in prop::option::of(Just("earlier")), in_group in prop::bool::weighted(0.2),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let t = TestTable::create().await;
            let group = in_group.then(|| GroupId::parse("workers").unwrap());
            let resumed = was.filter(|_| !in_group).map(session);
            let before = Connection { subscriptions: old, group, resumed, ..connection("alice", None) };
            t.register([&before]).await;
            let keys = async || t.items().await.into_keys().collect::<BTreeSet<_>>();
            let old_keys = keys().await;
            // A connection leaves no session whose place it took.
            let resumed = resumes.map(|name| before.resumed.as_ref().map_or(name, |_| "earlier"));
            let since = resumed.filter(|_| !in_group).map(since);
            let change = t.table.subscribe(&id("alice"), &new, since.as_ref(), now()).await.unwrap();
            let gone: Vec<_> = old_keys.difference(&keys().await).cloned().collect();
            let has_moved = before.session() != change.after.session();
            assert_eq!(change.has_moved(), has_moved);
            if has_moved {
                assert_eq!(gone.len() + 1, old_keys.len(), "all interests have moved");
            }
            for name in ["", "a", "b"] {
                let name = subscription_name(name);
                let expected = match (before.subscription(&name), change.after.subscription(&name)) {
                    (Some(old), Some(new)) => has_moved || !scopes(old).is_subset(&scopes(new)),
                    _ => false,
                };
                assert_eq!(change.may_have_hidden(&name), expected, "{name:?}: {change:?}");
            }
            if gone.is_empty() {
                let hidden = change.before.subscriptions.iter().any(|each| change.may_have_hidden(&each.name));
                assert!(!hidden || shares_scopes(&change.after), "{change:?}");
            }
        });
    }
}

/// An interest of one subscription stays if another one has the same scope.
fn shares_scopes(connection: &Connection) -> bool {
    let all: Vec<_> = connection.subscriptions.iter().flat_map(scopes).collect();
    let distinct: BTreeSet<_> = all.iter().collect();
    distinct.len() < all.len() || connection.subscriptions.len() > 1
}

/// A page that begins at the hash of a session shows every connection in that place.
#[tokio::test]
async fn are_found_in_the_range_of_its_hash() {
    let t = TestTable::create().await;
    let everybody: Vec<_> = names("c", 20).iter().map(|name| connection(name, filter(["Room"]))).collect();
    t.register(&everybody).await;
    for connection in &everybody[..5] {
        t.table.subscribe(&connection.id, &[], Some(&since("c7")), now()).await.unwrap();
    }
    let place = stable_hash(b"c7");
    let mut found = Vec::new();
    let table = t.table.clone().with_page_size(2);
    let range = HashRange::only(place);
    for mut pages in table.interests_in(&tenant("demo"), &[entity_type("Room")], [], range, now()) {
        while let Some(page) = pages.next().await.unwrap() {
            found.extend(page.interests);
        }
    }
    assert_eq!(ids(&found), ["c0", "c1", "c2", "c3", "c4", "c7"]);
}
