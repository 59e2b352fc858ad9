//! Logging of the test run to a file, if a variable names one.

use std::fs::OpenOptions;
use std::sync::{Mutex, Once};

use tracing_subscriber::EnvFilter;

/// The variable that names the file.
pub(crate) const LOG_FILE: &str = "ENTITY_STREAM_TEST_LOG";

static STARTED: Once = Once::new();

/// Starts logging of our crates and the libraries at all levels.
pub(crate) fn start() {
    STARTED.call_once(|| {
        let Ok(path) = std::env::var(LOG_FILE) else { return };
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("trace"))
            .with_ansi(false)
            .with_writer(Mutex::new(file))
            .init();
    });
}
