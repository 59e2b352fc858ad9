//! The system that a command works on: the local one, or a deployed one. Its stream, bus, API, tables and queue follow from it.

mod context_file;
mod context_name;
mod deployed;
mod local_ports;
mod option;
mod stack_outputs;

pub(crate) use context_file::{ContextFile, StoredContext};
pub(crate) use context_name::ContextName;
pub(crate) use deployed::DeployedSystem;
pub(crate) use option::{ChosenSystem, TargetOption};
pub(crate) use stack_outputs::{StackOutput, StackOutputs};
