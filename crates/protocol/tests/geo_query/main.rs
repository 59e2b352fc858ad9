//! Geo-queries: the queries and attributes that are read, the relations, and distances.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod attributes;
mod distances;
mod hostile;
mod queries;
mod relations;

use entity_stream_protocol::{EntityGeometry, GeoQuery};
use serde_json::{Value, json};

/// A query in the default geoproperty.
fn query(georel: &str, geometry: &str, coordinates: &Value) -> GeoQuery {
    GeoQuery::parse(&json!({"georel": georel, "geometry": geometry, "coordinates": coordinates})).unwrap()
}

/// A GeoJSON geometry as an attribute.
fn entity(geometry: &str, coordinates: &Value) -> EntityGeometry {
    EntityGeometry::read(&json!({"type": geometry, "coordinates": coordinates})).unwrap()
}

/// The ring of a box.
fn ring(west: f64, south: f64, east: f64, north: f64) -> Value {
    json!([[west, south], [east, south], [east, north], [west, north], [west, south]])
}
