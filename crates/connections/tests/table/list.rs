//! The list for operators contains every registered connection once, and no other item of the table.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use entity_stream_connections::{Authorisation, Connection, Grant};
use entity_stream_protocol::Filter;

use crate::support::{TestTable, by_ids, connection, filter, named, names, now, only, tenant};

fn of(name: &str, tenant_name: &str, seconds: u64) -> Connection {
    Connection {
        tenant: tenant(tenant_name),
        connected_at: now().plus(Duration::from_secs(seconds)),
        ..connection(name, filter(names("Type", 3)))
    }
}

#[tokio::test]
async fn shows_every_connection_as_it_is_the_oldest_first() {
    let t = TestTable::create().await;
    let grant = Grant { subject: "alice".to_owned(), role: "user".to_owned(), until: Some(now()) };
    let several = vec![Filter::default().into(), named("ids", by_ids(["urn:1"])), named("map", filter(["Room"]))];
    let all = [
        connection("everything", Filter::default()),
        Connection { authorisation: Authorisation::Granted(grant), ..of("granted", "demo", 1) },
        Connection { authorisation: Authorisation::Pending, ..of("pending", "demo", 2) },
        Connection { subscriptions: only(None), ..of("unsubscribed", "demo", 3) },
        Connection { subscriptions: several, ..of("several", "demo", 4) },
    ];
    t.register(all.iter().rev()).await;
    assert_eq!(t.table.list(None, now()).await.unwrap(), all);
}

#[tokio::test]
async fn keeps_to_a_tenant_and_reads_every_page() {
    let t = TestTable::create().await;
    let all: Vec<_> = (0..20).map(|i| of(&format!("c{i:02}"), if i % 4 == 0 { "a" } else { "b" }, i)).collect();
    t.register(&all).await;
    // DynamoDB cuts pages before it filters them, so most pages are empty.
    let table = t.table.clone().with_page_size(3);
    let of_a: Vec<_> = all.iter().filter(|connection| connection.tenant == tenant("a")).cloned().collect();
    assert_eq!((table.list(Some(&tenant("a")), now()).await.unwrap(), of_a.len()), (of_a, 5));
    assert_eq!(table.list(None, now()).await.unwrap(), all);
    assert_eq!(table.list(Some(&tenant("c")), now()).await.unwrap(), []);
}

#[tokio::test]
async fn leaves_out_what_has_expired_or_is_no_connection() {
    let t = TestTable::create().await;
    t.register([&of("old", "demo", 0), &of("young", "demo", 100)]).await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    for (pk, sk) in [("X#robot", "X"), ("C#not an id", "C"), ("C#bare", "C"), ("X#x", "C")] {
        t.put(HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])).await;
    }
    let later = now().plus(Duration::from_secs(2 * 60 * 60));
    let ids: Vec<_> = t.table.list(None, later).await.unwrap().into_iter().map(|connection| connection.id).collect();
    assert_eq!(ids, [of("young", "demo", 0).id]);
    assert_eq!(t.table.list(None, now()).await.unwrap().len(), 2);
}
