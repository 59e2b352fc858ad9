use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment::{AWS_LAMBDA_LOG_LEVEL, RUST_LOG};
use crate::{Environment, InvalidVariable};

/// Lambda's own word for the highest level, where `tracing` ends at `error`.
const FATAL: &str = "fatal";

/// A text that is neither a level nor directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log level is error, warn, info, debug or trace, or directives such as warn,entity_stream=debug")]
pub struct InvalidLogFilter;

/// What a level, in any case, or comma-separated directives ask for. To [`EnvFilter`] a word that is no level is the name
/// of a module, and everything but that module is silent; here it is a slip.
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

/// Starts JSON logs on standard output, one object a line, with the fields of the current invocation: what CloudWatch
/// reads. The level is `AWS_LAMBDA_LOG_LEVEL`'s, else `RUST_LOG`'s, else `info`.
///
/// # Errors
/// [`InvalidVariable`] if that is no level; the logs start nevertheless, so that it can be said there.
pub fn start_logs(environment: &Environment) -> Result<(), InvalidVariable> {
    let set = [AWS_LAMBDA_LOG_LEVEL, RUST_LOG]
        .into_iter()
        .find_map(|variable| Some((variable, environment.optional(variable)?)));
    let filter = match set {
        None => Ok(EnvFilter::new("info")),
        Some((variable, text)) => {
            log_filter(&text).map_err(|_| InvalidVariable { variable, problem: "is no such level" })
        }
    };
    let (filter, result) = match filter {
        Ok(filter) => (filter, Ok(())),
        Err(error) => (EnvFilter::new("info"), Err(error)),
    };
    // At `trace` the runtime writes whole events, and with them tokens: no directive may ask for that.
    let without_events = filter_fn(|metadata| {
        *metadata.level() <= tracing::Level::INFO || !metadata.target().starts_with("lambda_runtime")
    });
    // A second call is a test's: the first subscriber stays.
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
    fn a_level_is_one_in_any_case_and_directives_are_recognised() {
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
    fn a_slip_is_no_module() {
        for text in ["", " ", "verbose", "banana", "debug,banana", "debug,", "entity_stream=loud", "a=b=c=d", "warning"]
        {
            assert!(log_filter(text).is_err(), "{text:?}");
        }
    }
}
