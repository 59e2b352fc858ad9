use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::ConfigFault;
use crate::environment::{AWS_LAMBDA_LOG_LEVEL, Environment, RUST_LOG};

/// The highest level of Lambda. The highest level of `tracing` is `error`.
const FATAL: &str = "fatal";

/// The text is neither a level nor a list of directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log level is invalid: expected error, warn, info, debug or trace, or directives such as warn,entity_stream=debug"
)]
pub struct InvalidLogFilter;

/// Parses a level, in upper or lower case, or comma-separated directives.
///
/// [`EnvFilter`] takes an unknown word for the name of a module and silences all other modules. This function refuses the
/// word, because it is more probably a misspelt level.
///
/// # Errors
/// [`InvalidLogFilter`].
pub fn log_filter(text: &str) -> Result<EnvFilter, InvalidLogFilter> {
    let mut directives = Vec::new();
    for part in text.split(',').map(str::trim) {
        let level = if part.eq_ignore_ascii_case(FATAL) { Ok(LevelFilter::ERROR) } else { part.parse() };
        match level {
            Ok(level) if !part.is_empty() => directives.push(level.to_string()),
            _ if part.contains(['=', '[']) => directives.push(part.to_owned()),
            _ => return Err(InvalidLogFilter),
        }
    }
    EnvFilter::try_new(directives.join(",")).map_err(|_| InvalidLogFilter)
}

/// Starts JSON logs on standard output for CloudWatch: one object a line, with the fields of the current invocation. The level
/// comes from `RUST_LOG`, or else from `AWS_LAMBDA_LOG_LEVEL`, or else it is `info`.
///
/// # Errors
/// [`ConfigFault`] if the level is malformed. The logs start at `info`, so that the function can log the fault.
pub(crate) fn start_logs(environment: &Environment) -> Result<(), ConfigFault> {
    let set = [RUST_LOG, AWS_LAMBDA_LOG_LEVEL]
        .into_iter()
        .find_map(|variable| Some((variable, environment.optional(variable)?)));
    let filter = match set {
        None => Ok(EnvFilter::new("info")),
        Some((variable, text)) => log_filter(&text).map_err(|_| ConfigFault::Invalid(variable)),
    };
    let (filter, result) = match filter {
        Ok(filter) => (filter, Ok(())),
        Err(error) => (EnvFilter::new("info"), Err(error)),
    };
    // At `trace`, the Lambda runtime writes whole events, which hold tokens. No directive may enable that.
    let without_events = filter_fn(|metadata| {
        *metadata.level() <= tracing::Level::INFO || !metadata.target().starts_with("lambda_runtime")
    });
    // Only tests call this function twice. The first subscriber stays.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .finish()
        .with(without_events)
        .try_init();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_in_any_case_and_directives_are_accepted() {
        for (text, expected) in [
            ("TRACE", "trace"),
            ("Debug", "debug"),
            ("FATAL", "error"),
            ("off", "off"),
            ("warn,entity_stream=debug", "entity_stream=debug,warn"),
            (" warn , dynoxide=ERROR", "dynoxide=error,warn"),
            ("[request]=debug", "[request]=debug"),
        ] {
            assert_eq!(log_filter(text).map(|filter| filter.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for text in ["", " ", "verbose", "banana", "debug,banana", "debug,", "entity_stream=loud", "a=b=c=d", "warning"]
        {
            assert!(log_filter(text).is_err(), "{text:?}");
        }
    }
}
