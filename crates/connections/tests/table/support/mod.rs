//! Shared parts of the tests: an engine, tables on it, and values to put into them.

mod engine;
mod layout;
mod requests;
mod samples;
mod steps;
mod test_table;

pub(crate) use engine::config;
pub(crate) use layout::{Scope, id_partition, scopes};
pub(crate) use requests::Requests;
pub(crate) use samples::{
    by_ids, connection, default_filter, entity_type, filter, id, named, names, now, only, patterns, session,
    stored_filter, subscribe, subscription_name, tenant, with_pattern,
};
pub(crate) use steps::Steps;
pub(crate) use test_table::{Item, TestTable, ids};
