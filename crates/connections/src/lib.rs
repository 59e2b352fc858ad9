//! Who listens: the DynamoDB table of connections and their interests. The only crate that knows its keys.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | connection | `C#{connectionId}` | `C` |
//! | interest | `T#{tenant}#{entityType}` or `T#{tenant}#*` | `{hash}#{connectionId}` |
//!
//! A connection has one interest item for each type of its filter, or one under `*` if the filter names none, or none at
//! all while it is unsubscribed. One that named types and then names none keeps their items beside that under `*`, until it
//! names types again. An event therefore costs the partitions it can match, however many connections the
//! tenant has, and all of it is read from the base table with strong consistency: once a `subscribe` has returned, no
//! later event can miss it.
//!
//! The hash is that of the connection's id, or of its group's name. A range of hashes is therefore a part of an audience
//! that shares no connection and no group with any other part, whatever the event's types: the unit in which large
//! audiences are read in parallel, and handed from one invocation to another.
//!
//! The connection item lists the interests, carries a revision, and every change of the interests is one transaction
//! that is conditional on that revision. Concurrent messages of one connection, and a `subscribe` racing a disconnect,
//! therefore leave exactly the items of whoever came last, or nothing.
//!
//! The partitions of an event are read in an order in which a change of filter between two reads hides no connection that
//! both filters would have matched: [`Table::interests`].

mod attributes;
mod authorisation;
mod change;
mod connection;
mod error;
mod hash_range;
mod interest;
mod keys;
mod list;
mod schema;
mod table;

pub use authorisation::{Authorisation, Grant};
pub use connection::Connection;
pub use error::TableError;
pub use hash_range::HashRange;
pub use interest::{Interest, InterestPage, InterestPages};
pub use schema::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};
pub use table::Table;
