use serde_json::{Value, json};

/// The attributes of one entity: names, and values in NGSI form.
pub(crate) type NgsiAttributes = Vec<(&'static str, Value)>;

/// A number rounded to this many decimals, as an NGSI attribute.
pub(crate) fn number(value: f64, decimals: i32) -> Value {
    json!({ "type": "Number", "value": rounded(value, decimals) })
}

/// A text, as an NGSI attribute.
pub(crate) fn text(value: &str) -> Value {
    json!({ "type": "Text", "value": value })
}

/// A point in GeoJSON's order, longitude first.
pub(crate) fn point(longitude: f64, latitude: f64) -> Value {
    json!({
        "type": "geo:json",
        "value": { "type": "Point", "coordinates": [rounded(longitude, 6), rounded(latitude, 6)] }
    })
}

fn rounded(value: f64, decimals: i32) -> Value {
    let factor = 10_f64.powi(decimals);
    let value = (value * factor).round() / factor;
    // An integer without a fraction: 3 people, not 3.0.
    #[expect(clippy::cast_possible_truncation, reason = "no quantity here comes near 2^53")]
    if decimals == 0 { json!(value as i64) } else { json!(value) }
}
