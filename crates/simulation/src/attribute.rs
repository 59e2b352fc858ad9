use jiff::Timestamp;
use serde_json::Number;

/// An attribute of a simulated entity, before it is written in one of the NGSI formats. Numbers are rounded: two attributes
/// are equal if both formats write them in the same way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) value: AttributeValue,
    /// The time of the measurement. Attributes that are not measured, such as names, have none.
    pub(crate) observed: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AttributeValue {
    /// A number, with the code of its unit in UN/CEFACT's Recommendation 20 if it has a unit.
    Quantity { number: Number, unit: Option<&'static str> },
    /// Degrees, longitude first as in GeoJSON.
    Place([Number; 2]),
    /// A name in Japanese and English.
    Name { ja: String, en: String },
    /// The id of another entity.
    Reference(String),
}

/// UN/CEFACT's codes of the units, from Recommendation 20.
pub(crate) mod unit {
    pub(crate) const CELSIUS: &str = "CEL";
    pub(crate) const DECIBEL: &str = "2N";
    pub(crate) const DEGREE: &str = "DD";
    pub(crate) const KILOMETRES_PER_HOUR: &str = "KMH";
    pub(crate) const KILOWATT: &str = "KWT";
    pub(crate) const MICROGRAMS_PER_CUBIC_METRE: &str = "GQ";
    pub(crate) const PARTS_PER_MILLION: &str = "59";
    pub(crate) const PERCENT: &str = "P1";
}

impl Attribute {
    /// A measured number with a unit, rounded to this many decimals.
    pub(crate) fn measured(
        name: &'static str,
        number: f64,
        decimals: i32,
        unit: &'static str,
        observed: Timestamp,
    ) -> Self {
        let value = AttributeValue::Quantity { number: rounded(number, decimals), unit: Some(unit) };
        Self { name, value, observed: Some(observed) }
    }

    /// A counted number.
    pub(crate) fn counted(name: &'static str, number: u32, observed: Timestamp) -> Self {
        let value = AttributeValue::Quantity { number: number.into(), unit: None };
        Self { name, value, observed: Some(observed) }
    }

    /// The place of an entity. A place that does not change has no time.
    pub(crate) fn location(longitude: f64, latitude: f64, observed: Option<Timestamp>) -> Self {
        let value = AttributeValue::Place([rounded(longitude, 6), rounded(latitude, 6)]);
        Self { name: "location", value, observed }
    }

    /// The name of an entity.
    pub(crate) fn called(ja: &str, en: &str) -> Self {
        let value = AttributeValue::Name { ja: ja.to_owned(), en: en.to_owned() };
        Self { name: "name", value, observed: None }
    }

    /// A relationship to the entity with this id.
    pub(crate) fn reference(name: &'static str, id: String) -> Self {
        Self { name, value: AttributeValue::Reference(id), observed: None }
    }
}

/// The number with this many decimals. Without decimals it is an integer: 3, not 3.0.
fn rounded(value: f64, decimals: i32) -> Number {
    let factor = 10_f64.powi(decimals);
    let value = (value * factor).round() / factor;
    #[expect(clippy::cast_possible_truncation, reason = "no quantity here comes near 2^53")]
    let integer = value as i64;
    let fraction = if decimals == 0 { None } else { Number::from_f64(value) };
    fraction.unwrap_or_else(|| integer.into())
}
