use std::io::IsTerminal;

use anyhow::{Context, anyhow};
use entity_stream_runtime::log_filter;
use tracing_subscriber::EnvFilter;

/// What the local system logs unless `RUST_LOG` says otherwise. To the DynamoDB engine every condition that does not hold
/// is worth a warning; to us it is how tables are created and races are decided.
pub(crate) const OF_THE_SYSTEM: &str = "warn,dynoxide=error,entity_stream=info";
/// The same with a simulation running, whose every event would be a line.
pub(crate) const OF_A_SIMULATED_SYSTEM: &str = "warn,dynoxide=error,entity_stream=info,entity_stream_broadcast=warn";
/// What the other commands log unless `RUST_LOG` says otherwise: their own words are enough.
pub(crate) const OF_A_TOOL: &str = "off";

/// The log's level, which the local system changes while it runs.
pub(crate) struct Log(Box<dyn Fn(&str) + Send + Sync>);

impl Log {
    /// Sets the level, unless `RUST_LOG` does.
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
    // Not `init`, which would take in the `log` crate too: the WebSocket library writes whole requests there, token and all.
    tracing::subscriber::set_global_default(builder.finish()).context("cannot start the log")?;
    Ok(Log(Box::new(move |text| {
        if directives.is_none()
            && let Err(error) = handle.reload(EnvFilter::new(text))
        {
            tracing::debug!(%error, "could not change the log's level");
        }
    })))
}
