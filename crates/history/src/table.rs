use std::time::Duration;

use aws_sdk_dynamodb::Client;

use crate::timing::Timing;

/// The table of the history.
#[derive(Clone, Debug)]
pub struct HistoryTable {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) retention: Duration,
    pub(crate) timing: Timing,
}

impl HistoryTable {
    /// The table of this name or ARN, reached through this client. It keeps events for `retention`.
    pub fn new(client: Client, name: impl Into<String>, retention: Duration) -> Self {
        Self { client, name: name.into(), retention, timing: Timing::SERVICE }
    }

    /// The name or ARN of the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The times of attempts and resumes.
    pub fn timing(&self) -> Timing {
        self.timing
    }
}
