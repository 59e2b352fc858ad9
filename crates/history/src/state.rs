//! The state of each entity as last known: attributes merged in order of time, a version that grows with each change, and what was
//! before the last change.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | state of an entity | `S#{tenant}#{hash of the id}` | hash of the service path |
//! | index of a type, or of all types as `*` | `X#{tenant}#{type}` | both hashes |
//!
//! `merge` decides what a change does, and `former_state` finds what was before and after a change that comes again; both without I/O. `table`
//! applies a change: usually with one conditional `UpdateItem` (`quick_update`), which succeeds if the change is newer than everything
//! and the entity has its types already. Everything else is read, merged and written on the condition that the version is still the
//! same. `item_size` bounds the item. `index` lists the entities of a type. `missing` tells a resume whether a state lacks a change. `erase` is for an operator.

mod change_time;
mod entity_item;
mod entity_key;
mod entity_state;
mod entity_turns;
mod entity_update;
mod erase;
mod event_mark;
mod former_state;
mod index;
mod item_size;
mod merge;
mod missing;
mod quick_update;
mod table;

pub use entity_key::EntityKey;
pub use entity_state::{EntityState, LastChange};
pub use index::{IndexPage, IndexPlace};
pub use merge::Applied;
pub use table::StateTable;
