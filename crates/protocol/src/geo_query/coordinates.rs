//! Reads GeoJSON coordinates. Source: RFC 7946, section 3.1.
//!
//! Invariant: every geometry that leaves this module has at least one position, only finite positions within the range of
//! longitude and latitude, no position twice in succession, lines of two positions or more, and closed rings of four or
//! more. The algorithms of the `geo` crate may panic without it.

use geo::{Coord, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
use serde_json::Value;

use super::geometry_kind::GeometryKind;

/// Coordinates are invalid. The messages are for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCoordinates {
    /// A position is not an array of two or more numbers.
    #[error("a position is [longitude, latitude], two numbers; check how deep the arrays of this geometry type nest")]
    Position,
    /// A position is not on Earth.
    #[error("longitude is -180 to 180 and latitude -90 to 90; write the longitude first")]
    Range,
    /// A list of positions, lines, rings or polygons is not an array, or it is empty.
    #[error("expected an array that is not empty; check how deep the arrays of this geometry type nest")]
    List,
    /// A line has fewer than two distinct positions.
    #[error("a line has at least two distinct positions")]
    ShortLine,
    /// A ring has fewer than four positions.
    #[error("a ring has at least four positions, of which the last repeats the first")]
    ShortRing,
    /// A ring does not end where it begins.
    #[error("a ring ends with its first position; repeat it at the end")]
    OpenRing,
    /// There are too many positions.
    #[error("too many positions; simplify the geometry")]
    TooMany,
}

/// Reads geometries until the positions that it may take are used up.
pub(super) struct CoordinateReader {
    remaining: usize,
}

impl CoordinateReader {
    /// A reader for at most so many positions.
    pub(super) fn new(positions: usize) -> Self {
        Self { remaining: positions }
    }

    /// Reads the `coordinates` of a geometry: positions of longitude and latitude. An altitude is ignored.
    pub(super) fn read(&mut self, kind: GeometryKind, value: &Value) -> Result<Geometry<f64>, InvalidCoordinates> {
        Ok(match kind {
            GeometryKind::Point => Point(self.position(value)?).into(),
            GeometryKind::MultiPoint => MultiPoint(self.list(value, |me, item| me.position(item).map(Point))?).into(),
            GeometryKind::LineString => self.line(value)?.into(),
            GeometryKind::MultiLineString => MultiLineString(self.list(value, Self::line)?).into(),
            GeometryKind::Polygon => self.polygon(value)?.into(),
            GeometryKind::MultiPolygon => MultiPolygon(self.list(value, Self::polygon)?).into(),
        })
    }

    /// Makes a geometry of positions that have been read in another notation.
    pub(super) fn read_places(
        &mut self,
        kind: GeometryKind,
        places: Vec<(f64, f64)>,
    ) -> Result<Geometry<f64>, InvalidCoordinates> {
        let coords = places.into_iter().map(|(lon, lat)| self.coord(lon, lat)).collect::<Result<Vec<_>, _>>()?;
        Ok(match kind {
            GeometryKind::Point => Point(coords.first().copied().ok_or(InvalidCoordinates::List)?).into(),
            GeometryKind::Polygon | GeometryKind::MultiPolygon => Polygon::new(ring(coords)?, Vec::new()).into(),
            GeometryKind::LineString | GeometryKind::MultiLineString => line(coords)?.into(),
            GeometryKind::MultiPoint => MultiPoint(coords.into_iter().map(Point).collect()).into(),
        })
    }

    fn coord(&mut self, lon: f64, lat: f64) -> Result<Coord<f64>, InvalidCoordinates> {
        self.remaining = self.remaining.checked_sub(1).ok_or(InvalidCoordinates::TooMany)?;
        let on_earth = (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat);
        // The sum turns -0 into 0.
        if on_earth { Ok(Coord { x: lon + 0.0, y: lat + 0.0 }) } else { Err(InvalidCoordinates::Range) }
    }

    fn position(&mut self, value: &Value) -> Result<Coord<f64>, InvalidCoordinates> {
        let Some([lon, lat, ..]) = value.as_array().map(Vec::as_slice) else {
            return Err(InvalidCoordinates::Position);
        };
        let (Some(lon), Some(lat)) = (lon.as_f64(), lat.as_f64()) else { return Err(InvalidCoordinates::Position) };
        self.coord(lon, lat)
    }

    fn list<T>(
        &mut self,
        value: &Value,
        mut read: impl FnMut(&mut Self, &Value) -> Result<T, InvalidCoordinates>,
    ) -> Result<Vec<T>, InvalidCoordinates> {
        let items = value.as_array().filter(|items| !items.is_empty()).ok_or(InvalidCoordinates::List)?;
        items.iter().map(|item| read(self, item)).collect()
    }

    fn line(&mut self, value: &Value) -> Result<LineString<f64>, InvalidCoordinates> {
        line(self.list(value, Self::position)?)
    }

    fn polygon(&mut self, value: &Value) -> Result<Polygon<f64>, InvalidCoordinates> {
        let mut rings = self.list(value, |me, item| ring(me.list(item, Self::position)?))?.into_iter();
        let outer = rings.next().ok_or(InvalidCoordinates::List)?;
        Ok(Polygon::new(outer, rings.collect()))
    }
}

fn line(mut coords: Vec<Coord<f64>>) -> Result<LineString<f64>, InvalidCoordinates> {
    coords.dedup();
    if coords.len() < 2 { Err(InvalidCoordinates::ShortLine) } else { Ok(LineString(coords)) }
}

fn ring(mut coords: Vec<Coord<f64>>) -> Result<LineString<f64>, InvalidCoordinates> {
    if coords.first() != coords.last() {
        return Err(InvalidCoordinates::OpenRing);
    }
    coords.dedup();
    if coords.len() < 4 { Err(InvalidCoordinates::ShortRing) } else { Ok(LineString(coords)) }
}
