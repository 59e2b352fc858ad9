//! A live collection of entities.

mod collection;
mod collection_key;
mod entity;
mod gone;
mod live;
mod members;

pub use entity::Entity;
pub use live::{Entities, EntitiesItem};
