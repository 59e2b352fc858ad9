//! A live collection of entities.

mod attribute_versions;
mod awaited_load;
mod collection;
mod collection_key;
mod entities_item;
mod entity;
mod entity_collection;
mod entity_part;
mod gone;
mod live;
mod loaded_entity;
mod loaded_view;
mod members;

pub use entities_item::EntitiesItem;
pub use entity::Entity;
pub use entity_collection::EntityCollection;
pub use live::Entities;
pub use loaded_entity::{InvalidLoadedEntity, LoadedEntity};
