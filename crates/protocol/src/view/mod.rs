//! The view of a subscription: which part of an entity's attributes its events carry, and in which form.

mod event_view;
mod key_values;
mod members;
mod representation;

pub use event_view::{InvalidView, View, is_attribute};
pub use members::{JsonMembers, json_object, json_text};
pub use representation::Representation;
