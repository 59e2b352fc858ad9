use super::fault::{ConfigFault, InvalidConfig};
use crate::environment::{EVENT_STREAMING_ENABLED, Environment, MAX_CONNECTIONS_PER_SUBJECT, Variable};

/// Reads the variables of one configuration. It keeps every fault, so that [`Reader::finish`] can report all of them.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    faults: Vec<ConfigFault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self { environment, faults: Vec::new() }
    }

    /// Keeps a fault and returns it.
    pub(super) fn fault(&mut self, fault: ConfigFault) -> ConfigFault {
        self.faults.push(fault.clone());
        fault
    }

    /// Reads a variable that must be set. `parse` returns `None` for a malformed value.
    pub(super) fn required<T>(
        &mut self,
        variable: Variable,
        parse: impl FnOnce(String) -> Option<T>,
    ) -> Result<T, ConfigFault> {
        match self.optional(variable, parse)? {
            Some(value) => Ok(value),
            None => Err(self.fault(ConfigFault::Missing(variable))),
        }
    }

    /// Reads a variable that may be missing. `parse` returns `None` for a malformed value.
    pub(super) fn optional<T>(
        &mut self,
        variable: Variable,
        parse: impl FnOnce(String) -> Option<T>,
    ) -> Result<Option<T>, ConfigFault> {
        let Some(text) = self.text(variable) else { return Ok(None) };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.fault(ConfigFault::Invalid(variable))),
        }
    }

    /// Reads a text of any form.
    pub(super) fn text(&self, variable: Variable) -> Option<String> {
        self.environment.optional(variable)
    }

    /// Reads a comma-separated list; none if the variable is not set. An empty entry is a fault, because a list without entries
    /// could mean everything or nothing.
    pub(super) fn list(&mut self, variable: Variable) -> Result<Vec<String>, ConfigFault> {
        let entry = |entry: &str| Some(entry.trim().to_owned()).filter(|entry| !entry.is_empty());
        Ok(self.optional(variable, |text| text.split(',').map(entry).collect())?.unwrap_or_default())
    }

    /// Reads a flag that must be set.
    pub(super) fn flag(&mut self, variable: Variable) -> Result<bool, ConfigFault> {
        self.required(variable, |text| text.parse().ok())
    }

    /// Reads a flag that is off by default.
    pub(super) fn optional_flag(&mut self, variable: Variable) -> Result<bool, ConfigFault> {
        Ok(self.optional(variable, |text| text.parse().ok())?.unwrap_or(false))
    }

    /// Reads a whole number from 1 to `largest`.
    pub(super) fn number(&mut self, variable: Variable, largest: usize, default: usize) -> Result<usize, ConfigFault> {
        let in_range = |number: &usize| (1..=largest).contains(number);
        Ok(self.optional(variable, |text| text.parse().ok().filter(in_range))?.unwrap_or(default))
    }

    /// Reads `MAX_CONNECTIONS_PER_SUBJECT`. One item of the table holds the connections of a subject, so the number is bounded.
    pub(super) fn most_connections(&mut self) -> Result<usize, ConfigFault> {
        self.number(MAX_CONNECTIONS_PER_SUBJECT, 1_000, 100)
    }

    /// Reads `EVENT_STREAMING_ENABLED`. Every value except `true` means off, so that a typing error starts nothing.
    pub(super) fn streaming_enabled(&self) -> bool {
        self.text(EVENT_STREAMING_ENABLED).as_deref() == Some("true")
    }

    /// Returns the configuration, or all faults.
    pub(super) fn finish<T>(self, config: impl FnOnce() -> Result<T, ConfigFault>) -> Result<T, InvalidConfig> {
        let mut faults = self.faults.into_iter();
        match faults.next() {
            None => config().map_err(InvalidConfig::from),
            Some(first) => Err(InvalidConfig::new(first, faults)),
        }
    }
}
