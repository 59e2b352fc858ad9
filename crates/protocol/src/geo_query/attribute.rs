use geo::Geometry;
use serde_json::{Map, Value};

use super::coordinates::CoordinateReader;
use super::geometry_kind::GeometryKind;
use super::shape::Shape;
use crate::limits::{GEOMETRY_POSITIONS, MESSAGE_BYTES};

/// The geometry of one attribute of an entity, parsed once for all geo-queries. An attribute with several instances (NGSI-LD's
/// `datasetId`) has several geometries; a query matches if it matches one of them.
///
/// | format | attribute |
/// |---|---|
/// | NGSI-LD normalized, concise | `{"type":"GeoProperty","value":GEOJSON}`, `{"value":GEOJSON}`; `value` may hold the GeoJSON as text |
/// | NGSI-LD with instances | `[ATTRIBUTE, …]`, `{"dataset":{"urn:…":GEOJSON, …}}` |
/// | simplified, keyValues | GEOJSON itself |
/// | NGSIv2 | `{"type":"geo:json","value":GEOJSON}`; `geo:point`, `geo:line`, `geo:box` and `geo:polygon` with `"latitude, longitude"` |
///
/// GEOJSON is a geometry of RFC 7946 besides `GeometryCollection`. NGSIv2's keyValues of the four last types do not tell the
/// type, and are not read.
#[derive(Debug)]
pub struct EntityGeometry {
    shapes: Vec<Shape>,
}

impl EntityGeometry {
    /// Reads an attribute. Returns nothing if it holds no geometry, a geometry is invalid or not on Earth, or all its
    /// geometries together have more than 1,000 positions. A geometry that crosses or touches itself is read.
    pub fn read(attribute: &Value) -> Option<Self> {
        let mut reader = AttributeReader { coordinates: CoordinateReader::new(GEOMETRY_POSITIONS), shapes: Vec::new() };
        match attribute {
            Value::Array(instances) => instances.iter().try_for_each(|instance| reader.instance(instance.as_object()?)),
            Value::Object(members) => match members.get("dataset") {
                Some(Value::Object(dataset)) if members.len() == 1 => {
                    dataset.values().try_for_each(|value| reader.geojson(value))
                }
                _ => reader.instance(members),
            },
            _ => None,
        }?;
        (!reader.shapes.is_empty()).then_some(Self { shapes: reader.shapes })
    }

    /// Reads the JSON text of an attribute, as [`EntityGeometry::read`] does. Returns nothing if the text is not JSON or has
    /// more than 128 KB: 1,000 positions take less.
    pub fn parse(attribute: &str) -> Option<Self> {
        if attribute.len() > MESSAGE_BYTES {
            return None;
        }
        Self::read(&serde_json::from_str(attribute).ok()?)
    }

    pub(super) fn shapes(&self) -> &[Shape] {
        &self.shapes
    }
}

struct AttributeReader {
    coordinates: CoordinateReader,
    shapes: Vec<Shape>,
}

impl AttributeReader {
    fn instance(&mut self, members: &Map<String, Value>) -> Option<()> {
        let value = members.get("value");
        let Some(name) = members.get("type") else { return self.geojson(value?) };
        match (name.as_str()?, value) {
            ("GeoProperty" | "geo:json", Some(value)) => self.geojson(value),
            ("geo:point", Some(value)) => {
                let place = place(value)?;
                self.simple(GeometryKind::Point, vec![place])
            }
            ("geo:line", Some(value)) => self.simple(GeometryKind::LineString, places(value)?),
            ("geo:polygon", Some(value)) => self.simple(GeometryKind::Polygon, places(value)?),
            ("geo:box", Some(value)) => self.simple_box(&places(value)?),
            (_, None) => self.members(members),
            _ => None,
        }
    }

    fn geojson(&mut self, value: &Value) -> Option<()> {
        match value {
            Value::Object(members) => self.members(members),
            Value::String(text) if text.len() <= MESSAGE_BYTES => {
                self.members(serde_json::from_str::<Value>(text).ok()?.as_object()?)
            }
            _ => None,
        }
    }

    fn members(&mut self, members: &Map<String, Value>) -> Option<()> {
        let kind = GeometryKind::parse(members.get("type")?.as_str()?)?;
        let geometry = self.coordinates.read(kind, members.get("coordinates")?).ok()?;
        self.push(geometry)
    }

    fn simple(&mut self, kind: GeometryKind, places: Vec<(f64, f64)>) -> Option<()> {
        let geometry = self.coordinates.read_places(kind, places).ok()?;
        self.push(geometry)
    }

    /// Two opposite corners. Source: FIWARE-NGSI v2, "Geospatial properties of entities".
    fn simple_box(&mut self, corners: &[(f64, f64)]) -> Option<()> {
        let [(west, south), (east, north)] = *corners else { return None };
        self.simple(
            GeometryKind::Polygon,
            vec![(west, south), (east, south), (east, north), (west, north), (west, south)],
        )
    }

    fn push(&mut self, geometry: Geometry<f64>) -> Option<()> {
        self.shapes.push(Shape::new(geometry)?);
        Some(())
    }
}

/// Reads a list of places in NGSIv2's notation.
fn places(value: &Value) -> Option<Vec<(f64, f64)>> {
    // A list that is longer is refused before it is read.
    value.as_array().filter(|places| places.len() <= GEOMETRY_POSITIONS)?.iter().map(place).collect()
}

/// Reads NGSIv2's `"latitude, longitude"`, and returns the longitude first.
fn place(value: &Value) -> Option<(f64, f64)> {
    let (latitude, longitude) = value.as_str()?.split_once(',')?;
    Some((longitude.trim().parse().ok()?, latitude.trim().parse().ok()?))
}
