//! NGSIv2's normalized format. The metadata are those that FIWARE's IoT agents write: `unitCode` and `TimeInstant`.

use serde::Serialize;
use serde_json::Number;

use crate::attribute::{Attribute, AttributeValue};
use crate::ngsi_ld::GeoJsonPoint;

/// An attribute in NGSIv2.
#[derive(Debug, Serialize)]
pub(crate) struct NgsiV2Attribute<'a> {
    #[serde(rename = "type")]
    attribute_type: &'static str,
    value: NgsiV2Value<'a>,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum NgsiV2Value<'a> {
    Number(&'a Number),
    Point(GeoJsonPoint<'a>),
    Text(&'a str),
}

#[derive(Debug, Serialize)]
struct Metadata {
    #[serde(rename = "unitCode", skip_serializing_if = "Option::is_none")]
    unit_code: Option<MetadataItem<&'static str>>,
    #[serde(rename = "TimeInstant", skip_serializing_if = "Option::is_none")]
    time_instant: Option<MetadataItem<String>>,
}

#[derive(Debug, Serialize)]
struct MetadataItem<T> {
    #[serde(rename = "type")]
    item_type: &'static str,
    value: T,
}

impl<'a> NgsiV2Attribute<'a> {
    pub(crate) fn new(attribute: &'a Attribute) -> Self {
        let (attribute_type, value, unit) = match &attribute.value {
            AttributeValue::Quantity { number, unit } => ("Number", NgsiV2Value::Number(number), *unit),
            AttributeValue::Place(coordinates) => ("geo:json", NgsiV2Value::Point(GeoJsonPoint { coordinates }), None),
            // NGSIv2 has no languages: the name is the one that the city's people use.
            AttributeValue::Name { ja, .. } => ("Text", NgsiV2Value::Text(ja), None),
            AttributeValue::Reference(id) => ("Relationship", NgsiV2Value::Text(id), None),
        };
        let metadata = Metadata {
            unit_code: unit.map(|value| MetadataItem { item_type: "Text", value }),
            time_instant: attribute
                .observed
                .map(|time| MetadataItem { item_type: "DateTime", value: format!("{time:.3}") }),
        };
        Self { attribute_type, value, metadata }
    }
}
