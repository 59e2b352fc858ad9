//! Finds the step at which changes get lost. It checks each step of their way by itself, in the order in which the steps
//! depend on each other, and says for each failure what to do.

mod dead_letters;
mod delivery;
mod diagnosis;
mod examination;
mod network;
mod subscription;

pub(crate) use diagnosis::{Diagnosis, DiagnosisOutput};
pub(crate) use examination::Doctor;
