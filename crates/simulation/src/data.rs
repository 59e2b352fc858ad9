use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::attribute::Attribute;
use crate::form::NgsiFormat;
use crate::ngsi_ld::NgsiLdAttribute;
use crate::ngsi_v2::NgsiV2Attribute;

/// The `data` of an event with these attributes, in their order.
pub(crate) fn data<'a>(
    format: NgsiFormat,
    attributes: impl Iterator<Item = &'a Attribute>,
) -> serde_json::Result<Box<RawValue>> {
    match format {
        NgsiFormat::NgsiLd => to_raw_value(&map(attributes, NgsiLdAttribute::new)),
        NgsiFormat::NgsiV2 => to_raw_value(&map(attributes, NgsiV2Attribute::new)),
    }
}

/// A JSON object whose attributes stay in their order. A map of `serde_json` would sort them.
struct AttributeMap<T>(Vec<(&'static str, T)>);

fn map<'a, T>(attributes: impl Iterator<Item = &'a Attribute>, written: fn(&'a Attribute) -> T) -> AttributeMap<T> {
    AttributeMap(attributes.map(|attribute| (attribute.name, written(attribute))).collect())
}

impl<T: Serialize> Serialize for AttributeMap<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
