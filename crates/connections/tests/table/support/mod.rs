//! Shared parts of the tests: an engine, tables on it, and values to put into them.

mod engine;
mod requests;
mod samples;
mod steps;
mod test_table;

pub(crate) use engine::config;
pub(crate) use requests::Requests;
pub(crate) use samples::{connection, entity_type, filter, id, names, now, tenant};
pub(crate) use steps::Steps;
pub(crate) use test_table::{Item, TestTable, ids};
