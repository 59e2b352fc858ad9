use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use tokio::sync::watch;

/// Counts the requests and the responses of one client, so that a test can act at a chosen point of an operation: at
/// step 1 its first request is on its way, at step 2 the response has come, at step 3 the second request is on its way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps(watch::Sender<usize>);

impl Steps {
    /// Waits until this step, or until the operation is `over`.
    pub(crate) async fn reached(&self, step: usize) {
        self.0.subscribe().wait_for(|count| *count >= step).await.expect("this sender lives");
    }

    /// Counts from zero again, for the next operation.
    pub(crate) fn restart(&self) {
        self.0.send_replace(0);
    }

    pub(crate) fn over(&self) {
        self.0.send_replace(usize::MAX);
    }

    fn count(&self) {
        self.0.send_modify(|count| *count = count.saturating_add(1));
    }
}

impl Intercept for Steps {
    fn name(&self) -> &'static str {
        "steps"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.count();
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.count();
        Ok(())
    }
}
