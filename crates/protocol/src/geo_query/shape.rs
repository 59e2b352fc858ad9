use std::sync::OnceLock;

use geo::algorithm::{BoundingRect, CoordsIter, HasDimensions, Intersects};
use geo::dimensions::Dimensions;
use geo::{Coord, Geometry, LineString, Rect};

use super::comparable::is_comparable;
use super::sphere::{Cap, UnitVector};

/// The estimated memory of a position of a geometry: its coordinates, in a list with places to spare, and its share of the
/// lists. A ring has at least four positions.
const MEMORY_OF_A_POSITION: usize = 64;

/// A geometry with all that is worked out once and used by many comparisons.
#[derive(Debug)]
pub(super) struct Shape {
    geometry: Geometry<f64>,
    bounds: Rect<f64>,
    dimensions: Dimensions,
    comparable: OnceLock<bool>,
    outline: OnceLock<Outline>,
}

/// The points and lines of a geometry on the sphere.
#[derive(Debug)]
struct Outline {
    chains: Vec<Vec<UnitVector>>,
    /// A circle around everything, for lines and areas.
    cap: Option<Cap>,
}

impl Shape {
    /// A geometry that the coordinate reader returned. Nothing if it has no position.
    pub(super) fn new(geometry: Geometry<f64>) -> Option<Self> {
        let bounds = geometry.bounding_rect()?;
        let dimensions = geometry.dimensions();
        Some(Self { geometry, bounds, dimensions, comparable: OnceLock::new(), outline: OnceLock::new() })
    }

    /// The approximate memory of the geometry beside the shape itself, in bytes. The shape of a query never needs its outline.
    pub(super) fn memory(&self) -> usize {
        MEMORY_OF_A_POSITION * self.geometry.coords_count()
    }

    pub(super) fn geometry(&self) -> &Geometry<f64> {
        &self.geometry
    }

    /// Points, lines or areas: the dimension of the geometry.
    pub(super) fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    /// The only point of the geometry, if it is one.
    pub(super) fn point(&self) -> Option<Coord<f64>> {
        if let Geometry::Point(point) = &self.geometry { Some(point.0) } else { None }
    }

    /// Returns true if the bounding boxes have a point in common.
    pub(super) fn bounds_meet(&self, other: &Self) -> bool {
        let (a, b) = (self.bounds, other.bounds);
        a.min().x <= b.max().x && b.min().x <= a.max().x && a.min().y <= b.max().y && b.min().y <= a.max().y
    }

    /// Returns true if this bounding box holds the other one.
    pub(super) fn bounds_hold(&self, other: &Self) -> bool {
        let (a, b) = (self.bounds, other.bounds);
        a.min().x <= b.min().x && b.max().x <= a.max().x && a.min().y <= b.min().y && b.max().y <= a.max().y
    }

    /// Returns true if the `geo` crate can compare this geometry with another in bounded time.
    pub(super) fn is_comparable(&self) -> bool {
        *self.comparable.get_or_init(|| is_comparable(&self.geometry))
    }

    /// Returns true if a place is nearer than a squared chord, or exactly as far. An area is at distance 0 of what it holds.
    pub(super) fn is_within(&self, place: UnitVector, coord: Coord<f64>, squared_chord: f64) -> bool {
        self.nearest(place, coord, squared_chord).is_some_and(|nearest| nearest <= squared_chord)
    }

    /// Returns true if a place is nearer than a squared chord.
    pub(super) fn is_nearer(&self, place: UnitVector, coord: Coord<f64>, squared_chord: f64) -> bool {
        self.nearest(place, coord, squared_chord).is_some_and(|nearest| nearest < squared_chord)
    }

    /// The squared chord to the nearest point, or nothing if all points are farther than the limit.
    fn nearest(&self, place: UnitVector, coord: Coord<f64>, limit: f64) -> Option<f64> {
        let outline = self.outline.get_or_init(|| Outline::new(&self.geometry));
        if let [chain] = outline.chains.as_slice()
            && let [point] = chain.as_slice()
        {
            return Some(place.squared_chord_to(*point));
        }
        if self.dimensions == Dimensions::TwoDimensional
            && self.bounds.intersects(&coord)
            && self.geometry.intersects(&coord)
        {
            return Some(0.0);
        }
        if outline.cap.is_some_and(|cap| cap.is_beyond(place, limit)) {
            return None;
        }
        outline.chains.iter().map(|chain| nearest_of(chain, place)).min_by(f64::total_cmp)
    }
}

fn nearest_of(chain: &[UnitVector], place: UnitVector) -> f64 {
    let arcs = chain.windows(2).map(|ends| place.squared_chord_to_arc(ends[0], ends[1]));
    let first = chain.first().map_or(f64::INFINITY, |first| place.squared_chord_to(*first));
    arcs.fold(first, f64::min)
}

impl Outline {
    fn new(geometry: &Geometry<f64>) -> Self {
        let chains = chains(geometry);
        let places: Vec<_> = chains.iter().flatten().copied().collect();
        let cap = if places.len() > 1 { Cap::around(&places) } else { None };
        Self { chains, cap }
    }
}

fn chains(geometry: &Geometry<f64>) -> Vec<Vec<UnitVector>> {
    let chain = |line: &LineString<f64>| line.0.iter().copied().map(UnitVector::new).collect();
    match geometry {
        Geometry::LineString(line) => vec![chain(line)],
        Geometry::MultiLineString(lines) => lines.iter().map(chain).collect(),
        Geometry::Polygon(polygon) => {
            std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(chain).collect()
        }
        Geometry::MultiPolygon(polygons) => polygons
            .iter()
            .flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()))
            .map(chain)
            .collect(),
        points => points.coords_iter().map(|point| vec![UnitVector::new(point)]).collect(),
    }
}
