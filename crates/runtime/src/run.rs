use std::fmt::Display;
use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

use crate::{Environment, start_logs};

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
    match lambda_runtime::run(service_fn(|event| Box::pin(handle(&function, event)))).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}
