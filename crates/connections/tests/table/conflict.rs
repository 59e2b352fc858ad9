//! An answer of DynamoDB that no local engine gives: a single write meets a transaction that is still under way, and is
//! refused. <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use crate::support::{TestTable, config, connection, filter, tenant};

const TARGET: &str = "x-amz-target";
/// An operation that changes nothing, whatever the rest of the request says.
const HARMLESS: &str = "DynamoDB_20120810.DescribeTable";

/// Diverts the first DeleteItem requests of a client that sends one request after the other, and gives the answer that
/// DynamoDB gives during a conflict.
#[derive(Debug, Default)]
struct Conflicts {
    left: AtomicUsize,
    diverted: AtomicBool,
}

impl Intercept for Conflicts {
    fn name(&self) -> &'static str {
        "conflicts"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        let deletes = headers.get(TARGET).is_some_and(|target| target.ends_with(".DeleteItem"));
        let one_less = |left: usize| left.checked_sub(1);
        if deletes && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
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
            *response.body_mut() = r#"{
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
                "message": "Transaction is ongoing for the item"
            }"#
            .into();
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
    let conflicts = Conflicts { left: AtomicUsize::new(3), ..Conflicts::default() };
    let table = t.through(config().interceptor(conflicts));

    assert_eq!(table.forget(&alice.id).await.unwrap(), Some(tenant("demo")));

    t.assert_empty("forgotten").await;
}
