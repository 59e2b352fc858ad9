//! The DynamoDB table of connections and their interests. No other crate knows its layout.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | connection | `C#{connectionId}` | `C` |
//! | interest | `T#{tenant}#*`, `T#{tenant}#{entityType}` or `I#{tenant}#{SHA-256 of the entity id}` | `{hash}#{connectionId}` |
//! | consumer group | `G#{tenant}#{name}`, and `#{subject}` if there is one | `G` |
//! | slots of a subject | `S#{tenant}#{subject}` | `S` |
//! | used proof of possession | `P#{hash of the key and the proof's id}` | `P` |
//!
//! A connection has one interest item for each scope of its subscriptions: for each id that they name or that their pattern
//! spells out, for each type, or for everything, under `*`. The item lists the subscriptions that want the scope. A connection
//! without subscriptions has none. The cost of an event follows the scopes that it can match, and not the number of connections of
//! the tenant.
//!
//! All reads go to the base table with strong consistency. Once `subscribe` has returned, every later event finds the
//! subscription.
//!
//! The hash is that of the connection's session or, for a member of a consumer group, a random one that the group has in its
//! item. A session is named after its first connection; a later connection that takes its place has the same hash, so what is
//! still to be delivered to a range of hashes reaches it.
//! Disjoint ranges of hashes share no connection and no group, whatever the event's types. Large audiences are therefore read in
//! parallel by range, and one invocation hands a range to another.
//!
//! The connection item lists the interests and has a revision. A change of the interests is one transaction that is
//! conditional on the revision. Concurrent messages of one connection end with the items of one of them, and a `subscribe`
//! that races a disconnect leaves no items.
//!
//! A change of a subscription while an audience is read can hide its connection from that read, if its items move between
//! partitions. The history makes up for that; without one, a client adds the new subscription before it removes the old one.

mod attributes;
mod authorisation;
mod backoff;
mod batch;
mod change;
mod connection;
mod error;
mod find;
mod forget;
mod group;
mod hash;
mod hash_range;
mod interest;
mod interest_pages;
mod keys;
mod list;
mod quota;
mod register;
mod schema;
mod stored_connection;
mod table;
mod used_proof;
mod want;

pub use attributes::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};
pub use authorisation::{Authorisation, Grant, UnprovedGrant};
pub use change::Change;
pub use connection::Connection;
pub use error::TableError;
pub use hash::stable_hash;
pub use hash_range::HashRange;
pub use interest::Interest;
pub use interest_pages::{InterestPage, InterestPages};
pub use quota::Slot;
pub use table::Table;
pub use want::Want;
