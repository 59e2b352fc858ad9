//! Finds the step at which changes get lost. Each step of their way is checked by itself, in the order of their dependence,
//! and each failure comes with its remedy.

mod backlog;
mod dead_letters;
mod delivery;
mod diagnosis;
mod entity_state;
mod examination;
mod network;
mod ping;
mod resume;
mod steps;
mod subscription;

pub(crate) use diagnosis::{Diagnosis, DiagnosisOutput};
pub(crate) use examination::Doctor;
