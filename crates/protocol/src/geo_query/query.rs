use std::hash::{Hash, Hasher};
use std::sync::Arc;

use geo::Coord;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attribute::EntityGeometry;
use super::coordinates::{CoordinateReader, InvalidCoordinates};
use super::geometry_kind::GeometryKind;
use super::georel::{Georel, InvalidGeorel, ShapeRelation};
use super::relation::holds;
use super::shape::Shape;
use super::sphere::{UnitVector, squared_chord};
use crate::json::to_json;
use crate::limits::{ATTRIBUTE_NAME_LENGTH, GEO_QUERY_BYTES};

/// The attribute whose geometry a query reads if it names none.
const DEFAULT_GEOPROPERTY: &str = "location";

/// A valid `geoQ`: selects entities by where they are.
///
/// The relation is the one of the entity's geometry to the query's. `within` means that the entity lies in the query's
/// geometry and not only on its boundary. `near` measures from a point to the nearest point of the entity's geometry, in
/// metres along the surface; the distance to a place in an area is 0. An entity without a readable geometry matches no query,
/// `disjoint` and `minDistance` included.
///
/// The relations `within`, `contains`, `overlaps` and `equals` do not hold for an area of the entity that is invalid (OGC
/// 06-103r4), and not for an area or a line that is too costly to compare: one with more than 100 lines or rings, more than
/// 100 crossings, or more than 10,000 pairs of segments whose bounding boxes meet. A single point is compared with any.
///
/// Two queries are equal if their JSON is. A clone is cheap.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub struct GeoQuery(Arc<ParsedGeoQuery>);

#[derive(Debug)]
struct ParsedGeoQuery {
    fields: GeoQueryFields,
    condition: GeoCondition,
}

/// The members as a client reads them back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct GeoQueryFields {
    georel: String,
    geometry: &'static str,
    coordinates: Value,
    #[serde(skip_serializing_if = "is_default")]
    geoproperty: String,
}

fn is_default(geoproperty: &str) -> bool {
    geoproperty == DEFAULT_GEOPROPERTY
}

#[derive(Debug)]
enum GeoCondition {
    Near { place: UnitVector, coord: Coord<f64>, squared_chord: f64 },
    Far { place: UnitVector, coord: Coord<f64>, squared_chord: f64 },
    Related(ShapeRelation, Shape),
}

/// The value is not a geo-query. The messages are for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGeoQuery {
    /// The value is not an object.
    #[error("geoQ: expected an object with georel, geometry and coordinates")]
    NotAnObject,
    /// A required member is missing, or a member has the wrong type.
    #[error("geoQ.{member}: expected {expected}")]
    Member {
        /// The name of the member.
        member: &'static str,
        /// The form of its value.
        expected: &'static str,
    },
    /// There is a member that geo-queries do not have.
    #[error("geoQ has an unknown member; the members are georel, geometry, coordinates and geoproperty")]
    UnknownMember,
    /// The relation is unknown, or its distance is invalid.
    #[error("geoQ.georel: {0}")]
    Georel(#[from] InvalidGeorel),
    /// The geometry type is unknown.
    #[error("geoQ.geometry: expected Point, MultiPoint, LineString, MultiLineString, Polygon or MultiPolygon")]
    Geometry,
    /// `GeometryCollection` is not supported.
    #[error("geoQ.geometry: GeometryCollection is not supported; use one subscription for each geometry")]
    GeometryCollection,
    /// `near` has a geometry that is not a point.
    #[error("geoQ.geometry: near measures from a Point; use intersects or within for other geometries")]
    NearNeedsPoint,
    /// The coordinates do not fit the geometry type, or are not on Earth.
    #[error("geoQ.coordinates: {0}")]
    Coordinates(#[from] InvalidCoordinates),
    /// An area is invalid, or lines cross each other too often.
    #[error(
        "geoQ.coordinates: the rings of an area do not cross or touch themselves, holes lie inside, and polygons do not \
         overlap; lines cross at most 100 times, and few segments run side by side"
    )]
    NotSimple,
    /// The query is too long.
    #[error("geoQ has at most {GEO_QUERY_BYTES} bytes of JSON; simplify the geometry")]
    TooLong,
}

impl GeoQuery {
    /// Reads the value of `geoQ`: an object with `georel`, `geometry`, `coordinates` and, if it is not `location`,
    /// `geoproperty`. `coordinates` may hold the JSON array as text, as in NGSI-LD's URLs.
    ///
    /// # Errors
    /// [`InvalidGeoQuery`] names the member that is missing or invalid. The query has at most 1,024 bytes of JSON without
    /// white space.
    pub fn parse(value: &Value) -> Result<Self, InvalidGeoQuery> {
        let members = value.as_object().ok_or(InvalidGeoQuery::NotAnObject)?;
        if members.keys().any(|name| !["georel", "geometry", "coordinates", "geoproperty"].contains(&name.as_str())) {
            return Err(InvalidGeoQuery::UnknownMember);
        }
        let georel = Georel::parse(text(members, "georel", "a string such as near;maxDistance==1000")?)?;
        let kind = kind(text(members, "geometry", "a string such as Point")?)?;
        let coordinates = coordinates(members)?;
        let geoproperty = match members.get("geoproperty") {
            None | Some(Value::Null) => DEFAULT_GEOPROPERTY,
            Some(name) => name.as_str().filter(|name| is_attribute_name(name)).ok_or(InvalidGeoQuery::Member {
                member: "geoproperty",
                expected: "the name of an attribute, 1 to 256 characters",
            })?,
        };
        let fields = GeoQueryFields {
            georel: georel.to_string(),
            geometry: kind.as_str(),
            coordinates,
            geoproperty: geoproperty.to_owned(),
        };
        if to_json(&fields).len() > GEO_QUERY_BYTES {
            return Err(InvalidGeoQuery::TooLong);
        }
        let condition = GeoCondition::new(georel, kind, &fields.coordinates)?;
        Ok(Self(Arc::new(ParsedGeoQuery { fields, condition })))
    }

    /// The name of the attribute whose geometry the query reads.
    pub fn geoproperty(&self) -> &str {
        &self.0.fields.geoproperty
    }

    /// The length of the query's JSON without white space, in bytes.
    pub fn text_bytes(&self) -> usize {
        to_json(&self.0.fields).len()
    }

    /// The approximate memory, in bytes: the JSON that a client reads back, and the geometry for comparisons.
    pub(crate) fn memory(&self) -> usize {
        let ParsedGeoQuery { fields, condition } = &*self.0;
        let geometry = if let GeoCondition::Related(_, shape) = condition { shape.memory() } else { 0 };
        size_of::<ParsedGeoQuery>()
            + fields.georel.len()
            + fields.geoproperty.len()
            + memory_beside(&fields.coordinates)
            + geometry
    }

    /// Returns true if the geometry of an entity's geoproperty matches. An entity without one does not.
    pub fn matches(&self, geometry: Option<&EntityGeometry>) -> bool {
        geometry.is_some_and(|geometry| geometry.shapes().iter().any(|shape| self.0.condition.holds(shape)))
    }
}

impl GeoCondition {
    fn new(georel: Georel, kind: GeometryKind, coordinates: &Value) -> Result<Self, InvalidGeoQuery> {
        // The text limits the number of positions.
        let geometry = CoordinateReader::new(GEO_QUERY_BYTES).read(kind, coordinates)?;
        let shape = Shape::new(geometry).ok_or(InvalidCoordinates::List)?;
        let metres = match georel {
            Georel::Topological(relation) if shape.is_comparable() => return Ok(Self::Related(relation, shape)),
            Georel::Topological(_) => return Err(InvalidGeoQuery::NotSimple),
            Georel::MaxDistance(metres) | Georel::MinDistance(metres) => metres,
        };
        let coord = shape.point().ok_or(InvalidGeoQuery::NearNeedsPoint)?;
        let (place, squared_chord) = (UnitVector::new(coord), squared_chord(metres));
        Ok(match georel {
            Georel::MinDistance(_) => Self::Far { place, coord, squared_chord },
            _ => Self::Near { place, coord, squared_chord },
        })
    }

    fn holds(&self, entity: &Shape) -> bool {
        match self {
            Self::Near { place, coord, squared_chord } => entity.is_within(*place, *coord, *squared_chord),
            Self::Far { place, coord, squared_chord } => !entity.is_nearer(*place, *coord, *squared_chord),
            Self::Related(relation, query) => holds(*relation, entity, query),
        }
    }
}

fn text<'a>(
    members: &'a Map<String, Value>,
    member: &'static str,
    expected: &'static str,
) -> Result<&'a str, InvalidGeoQuery> {
    members.get(member).and_then(Value::as_str).ok_or(InvalidGeoQuery::Member { member, expected })
}

fn kind(name: &str) -> Result<GeometryKind, InvalidGeoQuery> {
    GeometryKind::parse(name).ok_or(match name {
        "GeometryCollection" => InvalidGeoQuery::GeometryCollection,
        _ => InvalidGeoQuery::Geometry,
    })
}

fn coordinates(members: &Map<String, Value>) -> Result<Value, InvalidGeoQuery> {
    const ARRAY: InvalidGeoQuery =
        InvalidGeoQuery::Member { member: "coordinates", expected: "an array, longitude before latitude" };
    match members.get("coordinates") {
        Some(array @ Value::Array(_)) => Ok(array.clone()),
        Some(Value::String(text)) if text.len() > GEO_QUERY_BYTES => Err(InvalidGeoQuery::TooLong),
        Some(Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_array).ok_or(ARRAY),
        _ => Err(ARRAY),
    }
}

/// The approximate memory of a JSON value beside the value itself.
fn memory_beside(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| size_of::<Value>() + memory_beside(item)).sum(),
        // Nodes of a tree have places for eleven members. All but one have at least five.
        Value::Object(members) => {
            let nodes = members.len().div_ceil(5);
            let texts: usize = members.iter().map(|(name, value)| name.len() + memory_beside(value)).sum();
            nodes * 11 * size_of::<(String, Value)>() + texts
        }
    }
}

fn is_attribute_name(name: &str) -> bool {
    (1..=ATTRIBUTE_NAME_LENGTH).contains(&name.chars().take(ATTRIBUTE_NAME_LENGTH + 1).count())
}

impl TryFrom<Value> for GeoQuery {
    type Error = InvalidGeoQuery;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        Self::parse(&value)
    }
}

impl Serialize for GeoQuery {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.fields.serialize(serializer)
    }
}

impl PartialEq for GeoQuery {
    fn eq(&self, other: &Self) -> bool {
        self.0.fields == other.0.fields
    }
}

impl Eq for GeoQuery {}

impl Hash for GeoQuery {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.fields.hash(state);
    }
}
