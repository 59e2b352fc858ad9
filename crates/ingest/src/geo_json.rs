use entity_stream_protocol::{JsonMembers, json_text};
use serde_json::value::RawValue;

/// True if an object is a feature, or a collection of features. An NGSI-LD entity may have the type `Feature`, but its attributes
/// are not a geometry and an object of properties.
/// Source: RFC 7946, sections 3.1 to 3.3; ETSI GS CIM 009, clause 4.5.16.
pub(crate) fn is_geo_json(object: &RawValue) -> bool {
    if !object.get().contains("Feature") {
        return false;
    }
    let Some(members) = JsonMembers::read(object) else { return false };
    let [kind, features, geometry, properties] = members.values(["type", "features", "geometry", "properties"]);
    match kind.and_then(json_text).as_deref() {
        Some("FeatureCollection") => features.is_some_and(|features| features.get().starts_with('[')),
        Some("Feature") => geometry.is_some_and(is_geometry) && properties.is_some_and(is_object_or_null),
        _ => false,
    }
}

fn is_object_or_null(value: &RawValue) -> bool {
    value.get() == "null" || value.get().starts_with('{')
}

/// True if a value is the geometry of a feature, which may be `null`.
fn is_geometry(value: &RawValue) -> bool {
    let members = JsonMembers::read(value).map(|members| members.values(["coordinates", "geometries"]));
    value.get() == "null" || members.is_some_and(|members| members.iter().any(Option::is_some))
}
