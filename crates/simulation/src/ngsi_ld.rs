//! NGSI-LD's normalized format: ETSI GS CIM 009, clause 4.5.

use serde::Serialize;
use serde_json::Number;

use crate::attribute::{Attribute, AttributeValue};

/// An attribute in NGSI-LD.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(crate) enum NgsiLdAttribute<'a> {
    Property {
        value: &'a Number,
        #[serde(skip_serializing_if = "Option::is_none")]
        unit_code: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        observed_at: Option<String>,
    },
    GeoProperty {
        value: GeoJsonPoint<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        observed_at: Option<String>,
    },
    LanguageProperty {
        language_map: LanguageMap<'a>,
    },
    Relationship {
        object: &'a str,
    },
}

/// A point of GeoJSON (RFC 7946), which NGSIv2's `geo:json` holds too.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "Point")]
pub(crate) struct GeoJsonPoint<'a> {
    pub(crate) coordinates: &'a [Number; 2],
}

/// One name in several languages.
#[derive(Debug, Serialize)]
pub(crate) struct LanguageMap<'a> {
    ja: &'a str,
    en: &'a str,
}

impl<'a> NgsiLdAttribute<'a> {
    pub(crate) fn new(attribute: &'a Attribute) -> Self {
        let observed_at = attribute.observed.map(|time| format!("{time:.3}"));
        match &attribute.value {
            AttributeValue::Quantity { number, unit } => {
                Self::Property { value: number, unit_code: *unit, observed_at }
            }
            AttributeValue::Place(coordinates) => {
                Self::GeoProperty { value: GeoJsonPoint { coordinates }, observed_at }
            }
            AttributeValue::Name { ja, en } => Self::LanguageProperty { language_map: LanguageMap { ja, en } },
            AttributeValue::Reference(object) => Self::Relationship { object },
        }
    }
}
