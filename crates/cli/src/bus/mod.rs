//! Events from files, and the buses that the commands publish to.

mod change_times;
mod line_entry;
mod lines;
mod options;
mod target_bus;

pub(crate) use change_times::ChangeTimes;
pub(crate) use line_entry::{LineEntry, SOURCE};
pub(crate) use lines::{Line, Lines};
pub(crate) use options::BusOptions;
pub(crate) use target_bus::{LOCAL, TargetBus, check_endpoint};
