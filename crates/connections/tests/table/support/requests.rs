use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

/// Counts the requests of one client for one operation, such as `.TransactWriteItems`.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    operation: &'static str,
    count: Arc<AtomicUsize>,
}

impl Requests {
    pub(crate) fn of(operation: &'static str) -> Self {
        Self { operation, count: Arc::default() }
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target");
        if target.is_some_and(|target| target.ends_with(self.operation)) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
