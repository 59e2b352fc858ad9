use std::fmt::Display;
use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use metrics_cloudwatch_embedded::Builder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{Environment, read_event, start_logs};

/// The CloudWatch namespace of the metrics.
const NAMESPACE: &str = "EntityStream";
/// The dimension of every metric, and the variable in which Lambda tells its value.
const DIMENSION: &str = "FunctionName";
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Runs a function: starts the logs, builds it once, and hands it one event after another until Lambda stops the process.
///
/// What keeps it from starting, a variable that is missing say, is logged in one line and ends the process, so that a
/// wrong deployment fails at once and not with its first event.
pub async fn run<F, A, R, E, B>(
    build: impl AsyncFnOnce(&Environment) -> Result<F, B>,
    handle: impl AsyncFn(&F, LambdaEvent<A>) -> Result<R, E>,
) -> ExitCode
where
    A: DeserializeOwned,
    R: Serialize,
    E: Into<Diagnostic>,
    B: Display,
{
    let environment = Environment::process();
    if let Err(error) = start_logs(&environment) {
        tracing::error!(%error, "the function cannot start");
        return ExitCode::FAILURE;
    }
    let function = match build(&environment).await {
        Ok(function) => function,
        Err(error) => {
            tracing::error!(%error, "the function cannot start");
            return ExitCode::FAILURE;
        }
    };
    // Metrics go where logs go, in CloudWatch's embedded metric format, once for each invocation. The function's name keeps
    // the figures of several deployments in one account apart.
    let mut metrics = Builder::new().cloudwatch_namespace(NAMESPACE);
    if let Some(name) = environment.lookup(FUNCTION_NAME) {
        metrics = metrics.with_dimension(DIMENSION, name);
    }
    let metrics = match metrics.init() {
        Ok(metrics) => metrics,
        Err(error) => {
            tracing::error!(%error, "the function cannot start");
            return ExitCode::FAILURE;
        }
    };
    // The runtime would repeat what it cannot read, in the log and to whoever invoked the function.
    let service = service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let LambdaEvent { payload, context, .. } = event;
        let event = read_event(payload.get().as_bytes()).map(|payload| LambdaEvent::new(payload, context));
        Box::pin(async {
            let result = match event {
                Ok(event) => handle(&function, event).await.map_err(Into::into),
                Err(failure) => {
                    tracing::error!(%failure, "the event is not one of this function's");
                    Err(Diagnostic::from(failure))
                }
            };
            if let Err(error) = metrics.flush(std::io::stdout()) {
                tracing::warn!(%error, "metrics not written");
            }
            result
        })
    });
    match lambda_runtime::run(service).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}
