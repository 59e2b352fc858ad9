//! A live collection of entities.

mod collection;
mod entity;
mod gone;
mod live;
mod members;

pub use entity::Entity;
pub use live::{Entities, EntitiesItem};
