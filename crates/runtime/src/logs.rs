use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::Environment;
use crate::environment::AWS_LAMBDA_LOG_LEVEL;

/// Starts JSON logs on standard output, one object a line, with the fields of the current invocation: what CloudWatch
/// reads. The level is `AWS_LAMBDA_LOG_LEVEL`'s, else `RUST_LOG`'s, else `info`.
pub fn start_logs(environment: &Environment) {
    let level = environment.optional(AWS_LAMBDA_LOG_LEVEL).or_else(|| std::env::var("RUST_LOG").ok());
    let mut filter = EnvFilter::new(level.unwrap_or_else(|| "info".to_owned()).to_lowercase());
    // At `trace` the runtime writes whole events, and with them tokens.
    for quiet in ["lambda_runtime=info", "lambda_runtime_api_client=info"] {
        filter = filter.add_directive(quiet.parse().unwrap_or_else(|_| LevelFilter::INFO.into()));
    }
    // A second call is a test's: the first subscriber stays.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
}
