use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

/// The requests of one client for one operation, such as `.TransactWriteItems`.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    operation: &'static str,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Requests {
    pub(crate) fn of(operation: &'static str) -> Self {
        Self { operation, bodies: Arc::default() }
    }

    pub(crate) fn count(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }

    /// The body of the last one.
    pub(crate) fn last(&self) -> String {
        self.bodies.lock().unwrap().last().unwrap().clone()
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
        let request = context.request();
        let target = request.headers().get("x-amz-target");
        if target.is_some_and(|target| target.ends_with(self.operation)) {
            let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
            self.bodies.lock().unwrap().push(body);
        }
        Ok(())
    }
}
