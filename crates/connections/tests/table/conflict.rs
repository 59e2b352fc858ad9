//! Answers of DynamoDB that no local engine gives: DynamoDB refuses a single write during a transaction, or cancels a
//! transaction because one of its items is throttled.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use entity_stream_connections::TableError;

use crate::support::{TestTable, config, connection, filter, now, subscribe, tenant};

const TARGET: &str = "x-amz-target";
/// An operation without effect, for every request body.
const HARMLESS: &str = "DynamoDB_20120810.DescribeTable";

const CONFLICT: &str = r#"{
    "__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
    "message": "Transaction is ongoing for the item"
}"#;

/// Diverts the first requests for an operation and answers them with DynamoDB's refusal. The client sends one request after
/// the other.
#[derive(Debug)]
struct Refusals {
    operation: &'static str,
    answer: String,
    left: AtomicUsize,
    diverted: AtomicBool,
}

impl Refusals {
    fn of(operation: &'static str, times: usize, answer: &str) -> Self {
        let (left, diverted) = (AtomicUsize::new(times), AtomicBool::new(false));
        Self { operation, answer: answer.to_owned(), left, diverted }
    }
}

impl Intercept for Refusals {
    fn name(&self) -> &'static str {
        "refusals"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        let refused = headers.get(TARGET).is_some_and(|target| target.ends_with(self.operation));
        let one_less = |left: usize| left.checked_sub(1);
        if refused && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            headers.insert(TARGET, HARMLESS);
            self.diverted.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.diverted.swap(false, Ordering::Relaxed) {
            let response = context.response_mut();
            *response.status_mut() = 400.try_into()?;
            *response.body_mut() = self.answer.clone().into();
        }
        Ok(())
    }
}

/// `$disconnect` while a `subscribe` of the same connection is being handled.
#[tokio::test]
async fn a_forget_outlasts_the_transaction_of_a_subscribe() {
    let t = TestTable::create().await;
    let alice = connection("alice", filter(["Room"]));
    t.register([&alice]).await;
    let table = t.through(config().interceptor(Refusals::of(".DeleteItem", 3, CONFLICT)));

    assert_eq!(table.forget(&alice.id).await.unwrap(), Some(tenant("demo")));

    t.assert_empty("forgotten").await;
}

fn cancelled(reason: &str) -> String {
    format!(
        r#"{{
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
            "CancellationReasons": [{{ "Code": "None" }}, {{ "Code": "{reason}" }}]
        }}"#
    )
}

#[tokio::test]
async fn a_subscribe_outlasts_what_passes() {
    for reason in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
        let t = TestTable::create().await;
        let mut alice = connection("alice", filter(["Room"]));
        t.register([&alice]).await;
        let table = t.through(config().interceptor(Refusals::of(".TransactWriteItems", 3, &cancelled(reason))));

        alice = subscribe(&table, &alice.id, Some(&filter(["Sensor"])), now()).await.unwrap();

        t.assert_holds([&alice], reason).await;
    }
}

#[tokio::test]
async fn a_subscribe_that_is_no_valid_transaction_fails_at_once() {
    let t = TestTable::create().await;
    let alice = connection("alice", filter(["Room"]));
    t.register([&alice]).await;
    let table = t.through(config().interceptor(Refusals::of(".TransactWriteItems", 1, &cancelled("ValidationError"))));

    let error = subscribe(&table, &alice.id, Some(&filter(["Sensor"])), now()).await.unwrap_err();

    assert!(matches!(error, TableError::Dynamo { .. }), "{error}");
    t.assert_holds([&alice], "the filter is what it was").await;
}

/// DynamoDB is at fault and not the client, so the client does not learn of a conflict.
#[tokio::test]
async fn a_subscribe_that_is_always_throttled_says_so() {
    for (reason, throttled) in [("ThrottlingError", true), ("TransactionConflict", false)] {
        let t = TestTable::create().await;
        let alice = connection("alice", filter(["Room"]));
        t.register([&alice]).await;
        let refusals = Refusals::of(".TransactWriteItems", usize::MAX, &cancelled(reason));
        let table = t.through(config().interceptor(refusals));

        let error = subscribe(&table, &alice.id, Some(&filter(["Sensor"])), now()).await.unwrap_err();

        assert_eq!(matches!(error, TableError::Throttled), throttled, "{reason}: {error}");
        assert_eq!(matches!(error, TableError::Contended), !throttled, "{reason}: {error}");
        t.assert_holds([&alice], reason).await;
    }
}
