//! Every read requests strong consistency, because `subscribed` is a promise. Local engines never return stale data, so these
//! tests check the requests.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use crate::support::{TestTable, config, connection, entity_type, filter, id, now, subscribe, tenant};

/// The reading operations that were sent, each with its body.
#[derive(Clone, Debug, Default)]
struct Reads(Arc<Mutex<BTreeSet<(String, String)>>>);

impl Intercept for Reads {
    fn name(&self) -> &'static str {
        "reads"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let operation = request.headers().get("x-amz-target").and_then(|target| target.split('.').nth(1));
        if let Some(operation @ ("GetItem" | "BatchGetItem" | "Query" | "Scan")) = operation {
            let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
            self.0.lock().unwrap().insert((operation.to_owned(), body));
        }
        Ok(())
    }
}

#[tokio::test]
async fn are_strongly_consistent() {
    let t = TestTable::create().await;
    let reads = Reads::default();
    let table = t.through(config().interceptor(reads.clone()));

    table.register(&connection("alice", filter(["Room"]))).await.unwrap();
    table.find(&id("alice"), now()).await.unwrap();
    subscribe(&table, &id("alice"), Some(&filter(["Sensor"])), now()).await.unwrap();
    for mut pages in table.interests(&tenant("demo"), &[entity_type("Sensor")], ["urn:a"], now()) {
        while pages.next().await.unwrap().is_some() {}
    }
    table.list(None, now()).await.unwrap();
    table.forget(&id("alice")).await.unwrap();

    let reads = reads.0.lock().unwrap();
    let operations: BTreeSet<_> = reads.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations, BTreeSet::from(["GetItem", "Query", "Scan"]));
    for (operation, body) in reads.iter() {
        assert!(body.contains(r#""ConsistentRead":true"#), "{operation}: {body}");
    }
}
