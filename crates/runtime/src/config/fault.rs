use std::fmt;

use crate::environment::Variable;

/// A variable that is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// The variable has no value.
    #[error("{} is not set: expected {}", .0.name, .0.expected)]
    Missing(Variable),
    /// The variable has a value that the functions do not accept.
    #[error("{} is invalid: expected {}", .0.name, .0.expected)]
    Invalid(Variable),
    /// Exactly one of several variables has to be set.
    #[error("set exactly one of {}; found {}", listed(.expected), listed(.found))]
    NotExactlyOne {
        /// The variables, of which one must be set.
        expected: Vec<Variable>,
        /// The variables that are set.
        found: Vec<Variable>,
    },
}

/// The faults of a configuration, at least one. `Display` writes a line for each fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    first: ConfigFault,
    others: Vec<ConfigFault>,
}

impl InvalidConfig {
    pub(crate) fn new(first: ConfigFault, others: impl IntoIterator<Item = ConfigFault>) -> Self {
        let mut invalid = Self { first, others: Vec::new() };
        invalid.extend(others);
        invalid
    }

    /// The faults, in the order in which the configuration reads its variables.
    pub fn faults(&self) -> impl Iterator<Item = &ConfigFault> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The faults of several configurations in one error, or `None` if all are valid.
    pub fn merged<'a>(errors: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut merged = errors.next()?.clone();
        merged.extend(errors.flat_map(Self::faults).cloned());
        Some(merged)
    }

    /// Adds the faults that are not yet in this error.
    fn extend(&mut self, faults: impl IntoIterator<Item = ConfigFault>) {
        for fault in faults {
            if !self.faults().any(|known| *known == fault) {
                self.others.push(fault);
            }
        }
    }
}

impl From<ConfigFault> for InvalidConfig {
    fn from(fault: ConfigFault) -> Self {
        Self::new(fault, [])
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others.iter().try_for_each(|fault| write!(f, "\n{fault}"))
    }
}

impl std::error::Error for InvalidConfig {}

/// `A`, `A and B`, `A, B and C`, or `none`.
fn listed(variables: &[Variable]) -> String {
    let names: Vec<_> = variables.iter().map(|variable| variable.name).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
