use std::io::IsTerminal;

use anyhow::{Context, anyhow};
use entity_stream_runtime::log_filter;
use tracing_subscriber::EnvFilter;

/// The log level of the local system, unless `RUST_LOG` is set. The DynamoDB engine warns of each failed condition, but
/// failed conditions are how we create tables and decide races.
pub(crate) const OF_THE_SYSTEM: &str = "warn,dynoxide=error,entity_stream=info";
/// The log level while a simulation runs. At the usual level each of its events would be a line.
pub(crate) const OF_A_SIMULATED_SYSTEM: &str = "warn,dynoxide=error,entity_stream=info,entity_stream_broadcast=warn";
/// The log level of the other commands, unless `RUST_LOG` is set. Their own messages suffice.
pub(crate) const OF_A_TOOL: &str = "off";

/// The log. The local system changes its level while it runs.
pub(crate) struct Log(Box<dyn Fn(&str) + Send + Sync>);

impl Log {
    /// Sets the level, unless `RUST_LOG` is set.
    pub(crate) fn set(&self, directives: &str) {
        (self.0)(directives);
    }
}

/// Sends the log to standard error.
pub(crate) fn start(default: &str) -> anyhow::Result<Log> {
    let directives = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = log_filter(directives.as_deref().unwrap_or(default)).map_err(|error| anyhow!("RUST_LOG: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter_reloading();
    let handle = builder.reload_handle();
    // `init` would also record the `log` crate, where the WebSocket library writes whole requests with their tokens.
    tracing::subscriber::set_global_default(builder.finish()).context("cannot start the log")?;
    Ok(Log(Box::new(move |text| {
        if directives.is_none()
            && let Err(error) = handle.reload(EnvFilter::new(text))
        {
            tracing::debug!(%error, "could not change the log's level");
        }
    })))
}
