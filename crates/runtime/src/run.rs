use std::fmt::Display;
use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use metrics_cloudwatch_embedded::Builder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::aws::aws_config;
use crate::config::InvalidConfig;
use crate::environment::Environment;
use crate::event::read_event;
use crate::logs::start_logs;
use crate::services::AwsServices;

/// The CloudWatch namespace of the metrics.
const NAMESPACE: &str = "EntityStream";
/// The dimension of every metric, and the variable from which it takes its value.
const DIMENSION: &str = "FunctionName";
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Runs a function: starts the logs, reads the configuration, builds the function once, and passes it one event after another
/// until Lambda stops the process.
///
/// If the function cannot start, it logs one line with all reasons and ends the process. A deployment with a wrong
/// configuration therefore fails at once instead of with its first event.
pub async fn run<C, F, A, R, E, B>(
    read: impl FnOnce(&Environment) -> Result<C, InvalidConfig>,
    build: impl AsyncFnOnce(C, &AwsServices) -> Result<F, B>,
    handle: impl AsyncFn(&F, LambdaEvent<A>) -> Result<R, E>,
) -> ExitCode
where
    A: DeserializeOwned,
    R: Serialize,
    E: Into<Diagnostic>,
    B: Display,
{
    let environment = Environment::process();
    let config = match (start_logs(&environment), read(&environment)) {
        (Ok(()), Ok(config)) => config,
        (Ok(()), Err(invalid)) => return cannot_start(&invalid),
        (Err(fault), Ok(_)) => return cannot_start(&fault),
        (Err(fault), Err(invalid)) => {
            return cannot_start(&InvalidConfig::new(fault, invalid.faults().cloned()));
        }
    };
    let function = match build(config, &AwsServices::all(aws_config(&environment))).await {
        Ok(function) => function,
        Err(error) => return cannot_start(&error),
    };
    // The metrics go to standard output in CloudWatch's embedded metric format, once for each invocation. The name of the
    // function separates the metrics of several deployments in one account.
    let mut metrics = Builder::new().cloudwatch_namespace(NAMESPACE);
    if let Some(name) = environment.lookup(FUNCTION_NAME) {
        metrics = metrics.with_dimension(DIMENSION, name);
    }
    let metrics = match metrics.init() {
        Ok(metrics) => metrics,
        Err(error) => return cannot_start(&error),
    };
    // The Lambda runtime would repeat an unreadable event in the log and in the answer. The event may hold a token.
    let service = service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let LambdaEvent { payload, context, .. } = event;
        let event = read_event(payload.get().as_bytes()).map(|payload| LambdaEvent::new(payload, context));
        Box::pin(async {
            let result = match event {
                Ok(event) => handle(&function, event).await.map_err(Into::into),
                Err(failure) => {
                    tracing::error!(%failure, "the event cannot be read");
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

fn cannot_start(error: &impl Display) -> ExitCode {
    tracing::error!(%error, "the function cannot start");
    ExitCode::FAILURE
}
