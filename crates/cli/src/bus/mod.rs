//! Events from files, and the buses that the commands publish to.

mod line_entry;
mod lines;
mod target;

pub(crate) use line_entry::{LineEntry, SOURCE};
pub(crate) use lines::{Line, Lines};
pub(crate) use target::{LOCAL, Target, check_endpoint};
