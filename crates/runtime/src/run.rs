use std::fmt::Display;
use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use metrics_cloudwatch_embedded::Builder;
use serde::{Deserialize, Serialize};

use crate::{Environment, start_logs};

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
    A: for<'de> Deserialize<'de>,
    R: Serialize,
    E: Into<Diagnostic> + std::fmt::Debug,
    B: Display,
{
    let environment = Environment::process();
    start_logs(&environment);
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
    let service = service_fn(|event| {
        Box::pin(async {
            let result = handle(&function, event).await;
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
