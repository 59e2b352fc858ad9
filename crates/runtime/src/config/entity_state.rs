use std::time::Duration;

use super::fault::{ConfigFault, InvalidConfig};
use super::history::HistoryConfig;
use super::reader::Reader;
use super::resources;
use crate::environment::{ENTITY_STATE, ENTITY_STATE_DAYS, Environment, WS_HISTORY_TABLE};

/// The default of `ENTITY_STATE_DAYS`.
const DEFAULT_DAYS: usize = 7;
/// The largest `ENTITY_STATE_DAYS`.
const MOST_DAYS: usize = 365;

/// The configuration of entity state.
#[derive(Clone, Debug)]
pub struct EntityStateConfig {
    /// The name or ARN of the table, which is that of the history.
    pub table: String,
    /// The time after its last change after which an entity is forgotten.
    pub retention: Duration,
    /// The time for which events stay in the history; zero if it is off.
    pub history: Duration,
}

impl EntityStateConfig {
    /// Reads the configuration alone; `None` if entity state is off.
    ///
    /// # Errors
    /// [`InvalidConfig`] lists every variable that is missing or malformed.
    pub fn read(environment: &Environment) -> Result<Option<Self>, InvalidConfig> {
        let mut reader = Reader::new(environment);
        let history = HistoryConfig::read_with(&mut reader);
        let state = Self::read_with(&mut reader, history.as_ref().ok().and_then(Option::as_ref));
        reader.finish(|| state)
    }

    /// Reads the configuration; `None` if entity state is off. It is on by default where there is a table of the history.
    pub(super) fn read_with(
        reader: &mut Reader<'_>,
        history: Option<&HistoryConfig>,
    ) -> Result<Option<Self>, ConfigFault> {
        let wanted = reader.optional(ENTITY_STATE, |text| text.parse::<bool>().ok());
        let days = reader.number(ENTITY_STATE_DAYS, MOST_DAYS, DEFAULT_DAYS);
        let (wanted, days) = (wanted?, u64::try_from(days?).unwrap_or_default());
        // A malformed name is a fault of the history already.
        let table = reader.text(WS_HISTORY_TABLE).and_then(resources::table);
        match (wanted, table) {
            (Some(false), _) | (None, None) => Ok(None),
            (Some(true), None) if reader.text(WS_HISTORY_TABLE).is_none() => {
                Err(reader.fault(ConfigFault::Missing(WS_HISTORY_TABLE)))
            }
            (Some(true), None) => Ok(None),
            (_, Some(table)) => Ok(Some(Self {
                table,
                retention: Duration::from_secs(days * 24 * 60 * 60),
                history: history.map(|history| history.retention).unwrap_or_default(),
            })),
        }
    }
}
