//! The DynamoDB table of connections and their interests. Only this crate knows the keys of the table.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | connection | `C#{connectionId}` | `C` |
//! | interest | `T#{tenant}#{entityType}` or `T#{tenant}#*` | `{hash}#{connectionId}` |
//!
//! A connection has one interest item for each type of its filter. A filter without types has one item under `*`, and an
//! unsubscribed connection has none. A connection whose filter changes from types to no types keeps the items of the types
//! beside the item under `*`, until its filter names types again. An event therefore costs only the partitions that it can
//! match. All reads use the base table with strong consistency: once a `subscribe` has returned, no later event misses it.
//!
//! The hash is that of the connection's id, or of its group's name. Ranges of hashes therefore divide an audience into parts
//! that share no connection and no group, for all types of an event. Large audiences are read in parallel in such ranges, and
//! handed from one invocation to another.
//!
//! The connection item lists the interests and has a revision. Every change of the interests is one transaction that is
//! conditional on that revision. Concurrent messages of one connection therefore leave exactly the items of the last one, and
//! a `subscribe` that races a disconnect leaves none.
//!
//! The partitions of an event are read in an order in which a change of filter between two reads hides no connection that
//! both filters would have matched ([`Table::interests`]).

mod attributes;
mod authorisation;
mod change;
mod connection;
mod error;
mod hash;
mod hash_range;
mod interest;
mod keys;
mod list;
mod schema;
mod table;

pub use authorisation::{Authorisation, Grant};
pub use connection::Connection;
pub use error::TableError;
pub use hash::stable_hash;
pub use hash_range::HashRange;
pub use interest::{Interest, InterestPage, InterestPages};
pub use schema::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};
pub use table::Table;
