//! Files of events with the times at which they arrived.

mod pace;
mod recorded_line;
mod recorder;

pub(crate) use pace::{Pace, ReplaySpeed};
pub(crate) use recorded_line::{RecordedChange, ReplayEntry, ReplayOptions, Unreplayable};
pub(crate) use recorder::Recorder;
