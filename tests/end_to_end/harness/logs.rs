//! Logging of the test run to a file, if a variable names one, and the log of a single test.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use tracing::subscriber::DefaultGuard;
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

/// The log of a thread, on which the tasks of a test run too.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects the log, from `info` on, until the guard is dropped.
    pub(crate) fn of_this_thread() -> (Self, DefaultGuard) {
        Self::of_this_thread_with("info")
    }

    /// Collects what these directives let through, until the guard is dropped.
    pub(crate) fn of_this_thread_with(directives: &str) -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(directives)).with_ansi(false);
        (log, tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The line with this text.
    pub(crate) fn line(&self, text: &str) -> String {
        let log = self.text();
        log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text:?} is not in {log}")).to_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
