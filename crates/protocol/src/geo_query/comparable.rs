//! Decides whether the `geo` crate can compare a geometry with another one.
//!
//! Invariant: a comparable geometry is valid (OGC 06-103r4, section 6.1), has at most 100 parts, and its lines cross each
//! other at most 100 times. Without the first the result has no meaning; the two others bound the time of a comparison, which
//! grows with the crossings within a geometry.
//!
//! The check sorts all segments by their western ends and tests each with those that begin before it ends. It takes
//! O(n log n) steps and one for each pair of segments above each other, of which there are at most half a million.

use geo::algorithm::{Intersects, Validation};
use geo::{Geometry, Line, LineString, Polygon};

use crate::limits::{GEOMETRY_PARTS, LINE_CROSSINGS};

/// A segment with its line or ring, and its place in it.
struct Segment {
    line: Line<f64>,
    chain: usize,
    index: usize,
    /// The number of segments of the ring. Nothing if the line is not closed.
    ring: Option<usize>,
}

/// Returns true if the geometry is valid and small enough.
pub(super) fn is_comparable(geometry: &Geometry<f64>) -> bool {
    match geometry {
        Geometry::Point(_) | Geometry::MultiPoint(_) => true,
        Geometry::LineString(line) => crossings([line]) <= LINE_CROSSINGS,
        Geometry::MultiLineString(lines) => lines.0.len() <= GEOMETRY_PARTS && crossings(lines) <= LINE_CROSSINGS,
        Geometry::Polygon(polygon) => are_valid(std::slice::from_ref(polygon)) && polygon.is_valid(),
        Geometry::MultiPolygon(polygons) => are_valid(&polygons.0) && polygons.is_valid(),
        _ => false,
    }
}

/// Checks what the `geo` crate does not: the number of rings, and that each is simple. It lets rings pass that touch
/// themselves in a corner.
fn are_valid(polygons: &[Polygon<f64>]) -> bool {
    let rings = || polygons.iter().flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()));
    rings().count() <= GEOMETRY_PARTS && rings().all(|ring| crossings([ring]) == 0)
}

/// The number of pairs of segments that touch, besides neighbours in their common end. Stops counting above the limit.
fn crossings<'a>(lines: impl IntoIterator<Item = &'a LineString<f64>>) -> usize {
    let mut segments: Vec<Segment> = lines.into_iter().enumerate().flat_map(segments_of).collect();
    segments.sort_by(|a, b| west(a).total_cmp(&west(b)));
    let mut found = 0;
    for (place, segment) in segments.iter().enumerate() {
        let later = segments.get(place + 1..).unwrap_or_default();
        for other in later.iter().take_while(|other| west(other) <= east(segment)) {
            found += usize::from(touch(segment, other));
            if found > LINE_CROSSINGS {
                return found;
            }
        }
    }
    found
}

fn segments_of((chain, line): (usize, &LineString<f64>)) -> impl Iterator<Item = Segment> {
    let ring = line.is_closed().then(|| line.0.len().saturating_sub(1));
    line.lines().enumerate().map(move |(index, line)| Segment { line, chain, index, ring })
}

fn west(segment: &Segment) -> f64 {
    segment.line.start.x.min(segment.line.end.x)
}

fn east(segment: &Segment) -> f64 {
    segment.line.start.x.max(segment.line.end.x)
}

/// Returns true if two segments have a point in common that is not the common end of neighbours.
fn touch(a: &Segment, b: &Segment) -> bool {
    if !a.line.intersects(&b.line) {
        return false;
    }
    let follows = |a: &Segment, b: &Segment| {
        a.chain == b.chain && (b.index == a.index + 1 || (b.index == 0 && a.ring == Some(a.index + 1)))
    };
    // Neighbours touch a second time only if one runs back over the other.
    let runs_back = |a: &Segment, b: &Segment| a.line.intersects(&b.line.end) || b.line.intersects(&a.line.start);
    match (follows(a, b), follows(b, a)) {
        (true, _) => runs_back(a, b),
        (_, true) => runs_back(b, a),
        _ => true,
    }
}
