//! A value of the command line that cannot be used.

use std::fmt;

/// The reason, for which the command ends with the exit code 2, as for an unknown option.
#[derive(Debug)]
pub(crate) struct UsageError(anyhow::Error);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for UsageError {}

/// Marks an error as one of the command line.
pub(crate) fn usage_error(error: anyhow::Error) -> anyhow::Error {
    UsageError(error).into()
}
