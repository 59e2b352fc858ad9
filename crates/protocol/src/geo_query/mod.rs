//! `geoQ`: NGSI-LD geo-queries. Source: ETSI GS CIM 009, section 4.10.
//!
//! A [`GeoQuery`] is parsed once for each subscription, an [`EntityGeometry`] once for each event and geoproperty. Both are
//! bounded, so that a match is bounded: a query has at most 1 KB of text, a geometry at most 1,000 positions.
//!
//! Two models of the Earth are in use. `near` measures great circles on a sphere, so that it is correct at the antimeridian
//! and at the poles. All other relations compare shapes in the plane of longitude and latitude, as GeoJSON defines its lines
//! (RFC 7946, section 3.1.1). There the antimeridian is an edge: a shape that crosses it is cut in two (section 3.1.9).

mod attribute;
mod comparable;
mod coordinates;
mod geometry_kind;
mod georel;
mod query;
mod relation;
mod shape;
mod sphere;

pub use attribute::EntityGeometry;
pub use coordinates::InvalidCoordinates;
pub use georel::InvalidGeorel;
pub use query::{GeoQuery, InvalidGeoQuery};
