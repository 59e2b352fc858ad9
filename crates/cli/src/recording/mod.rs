//! Files of events with the times at which they arrived.

mod recorded_line;
mod recorder;
mod speed;

pub(crate) use recorded_line::{ReplayEntry, ReplayOptions, Unreplayable};
pub(crate) use recorder::Recorder;
pub(crate) use speed::ReplaySpeed;
