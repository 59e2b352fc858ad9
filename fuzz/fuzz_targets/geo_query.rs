//! Geo-queries and the geometry of an event. The input has the `georel`, the geometry type and the coordinates of the query, and
//! the attribute, one on each line.

#![no_main]

use entity_stream_protocol::{EntityGeometry, GeoQuery};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (georel, geometry, coordinates) = (line(), line(), line());
    let attribute = EntityGeometry::parse(line());
    let query = |georel: &str| {
        let value = json!({"georel": georel, "geometry": geometry, "coordinates": coordinates});
        GeoQuery::parse(&value).ok()
    };
    let Some(read) = query(georel) else { return };
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(GeoQuery::parse(&written).unwrap(), read);
    assert!(!read.matches(None));
    read.matches(attribute.as_ref());
    let holds = |georel: &str| query(georel).map(|query| query.matches(attribute.as_ref()));
    if let (Some(intersects), Some(disjoint)) = (holds("intersects"), holds("disjoint")) {
        // An attribute with several geometries may have both.
        assert_eq!(intersects || disjoint, attribute.is_some());
        // All other relations need a common point.
        for georel in ["within", "contains", "overlaps", "equals"] {
            assert!(holds(georel) != Some(true) || intersects, "{georel}");
        }
    }
});
