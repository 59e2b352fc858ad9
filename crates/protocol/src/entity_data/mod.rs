//! The attributes of an entity, as one event carries them.
//!
//! Invariant: the JSON is parsed once, at construction. A look-up takes the time of one hash, however many attributes
//! there are.

mod attribute_form;

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) use attribute_form::{instances, language_map, sub_attribute, value_of};

/// The parsed `data` of one event, which all queries share.
///
/// Integers of up to 64 bits are exact. Larger ones and fractions have the precision of a 64-bit float.
#[derive(Clone, Debug, Default)]
pub struct EntityData {
    attributes: HashMap<String, Value>,
}

impl EntityData {
    /// Reads `data`. If it is absent or not an object, the entity has no attributes. If two attributes have the same
    /// name, the last one counts.
    ///
    /// An attribute that Rust's JSON types cannot hold is left out: one with a number such as `1e999`, with an unpaired
    /// surrogate, or with more than 127 levels.
    pub fn new(data: Option<&RawValue>) -> Self {
        let text = data.map_or("{}", RawValue::get);
        let attributes = serde_json::from_str(text).unwrap_or_else(|_| readable_attributes(text));
        Self { attributes }
    }

    /// The attribute of this name, in the form in which it was published. Names are compared literally.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }

    /// The values of an attribute, without type, metadata and sub-attributes: one for each instance, none if there is
    /// no such attribute.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.attribute(name).into_iter().flat_map(instances).map(value_of)
    }
}

/// Reads attributes one by one, so that one of them does not hide the others.
fn readable_attributes(text: &str) -> HashMap<String, Value> {
    let attributes: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let readable = |(name, value): (String, &RawValue)| Some((name, serde_json::from_str(value.get()).ok()?));
    attributes.into_iter().filter_map(readable).collect()
}
