use std::time::Duration;

use super::fault::{ConfigFault, InvalidConfig};
use super::reader::Reader;
use super::resources;
use crate::environment::{Environment, HISTORY_MINUTES, WS_HISTORY_TABLE};

/// The default of `HISTORY_MINUTES`.
const DEFAULT_MINUTES: u64 = 60;
/// The largest `HISTORY_MINUTES`: a day. More could not be read in the time of a read.
const MOST_MINUTES: u64 = 24 * 60;

/// The configuration of the history.
#[derive(Clone, Debug)]
pub struct HistoryConfig {
    /// The name or ARN of the table.
    pub table: String,
    /// The time for which events stay.
    pub retention: Duration,
}

impl HistoryConfig {
    /// Reads the configuration alone; `None` if the history is off.
    ///
    /// # Errors
    /// [`InvalidConfig`] lists every variable that is missing or malformed.
    pub fn read(environment: &Environment) -> Result<Option<Self>, InvalidConfig> {
        let mut reader = Reader::new(environment);
        let history = Self::read_with(&mut reader);
        reader.finish(|| history)
    }

    /// Reads the configuration; `None` if the history is off. Without a table and without a time, it is off.
    pub(super) fn read_with(reader: &mut Reader<'_>) -> Result<Option<Self>, ConfigFault> {
        let table = reader.optional(WS_HISTORY_TABLE, resources::table);
        let in_range = |minutes: &u64| *minutes <= MOST_MINUTES;
        let minutes = reader.optional(HISTORY_MINUTES, |text| text.parse().ok().filter(in_range));
        let (table, minutes) = (table?, minutes?);
        match (table, minutes) {
            (_, Some(0)) | (None, None) => Ok(None),
            (Some(table), minutes) => {
                let retention = Duration::from_secs(60 * minutes.unwrap_or(DEFAULT_MINUTES));
                Ok(Some(Self { table, retention }))
            }
            (None, Some(_)) => Err(reader.fault(ConfigFault::Missing(WS_HISTORY_TABLE))),
        }
    }
}
