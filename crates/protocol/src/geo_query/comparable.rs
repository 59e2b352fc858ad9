//! Decides whether the `geo` crate can compare a geometry with another one.
//!
//! Invariant: a comparable geometry is valid (OGC 06-103r4, section 6.1), has at most 100 lines or rings and 10,000 pairs of
//! segments whose bounding boxes meet, and its lines cross each other at most 100 times. Without the first the result has no
//! meaning. The others bound the time of a comparison, which grows with the pairs and with the crossings within a geometry.
//!
//! The check sorts all segments by their western ends, and looks from each at those that begin before it ends. It takes
//! O(n log n) steps and one for each pair of segments above each other, of which 1,000 positions have at most half a million.

use geo::algorithm::{Intersects, Validation};
use geo::{Geometry, Line, LineString, Polygon};

use crate::limits::{GEOMETRY_PARTS, LINE_CROSSINGS, SEGMENT_PAIRS};

/// A segment with its line or ring, and its place in it.
struct EdgeSegment {
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
        Geometry::LineString(line) => are_bounded(std::slice::from_ref(line)),
        Geometry::MultiLineString(lines) => are_bounded(&lines.0),
        Geometry::Polygon(polygon) if polygon.interiors().is_empty() => is_simple(polygon.exterior()),
        Geometry::Polygon(polygon) => are_simple(std::slice::from_ref(polygon)) && polygon.is_valid(),
        Geometry::MultiPolygon(polygons) => are_simple(&polygons.0) && polygons.is_valid(),
        _ => false,
    }
}

fn are_bounded(lines: &[LineString<f64>]) -> bool {
    lines.len() <= GEOMETRY_PARTS && crossings(lines).is_some_and(|found| found <= LINE_CROSSINGS)
}

/// Checks what the `geo` crate does not: the bounds, and that each ring is simple. It lets rings pass that touch themselves in
/// a corner.
fn are_simple(polygons: &[Polygon<f64>]) -> bool {
    let rings: Vec<_> =
        polygons.iter().flat_map(|area| std::iter::once(area.exterior()).chain(area.interiors())).collect();
    rings.len() <= GEOMETRY_PARTS && rings.iter().all(|ring| is_simple(ring)) && crossings(rings).is_some()
}

fn is_simple(ring: &LineString<f64>) -> bool {
    crossings([ring]) == Some(0)
}

/// The number of pairs of segments that touch, besides neighbours in their common end. Nothing if the bounding boxes of too
/// many pairs meet.
fn crossings<'a>(lines: impl IntoIterator<Item = &'a LineString<f64>>) -> Option<usize> {
    let mut segments: Vec<EdgeSegment> = lines.into_iter().enumerate().flat_map(segments_of).collect();
    segments.sort_by(|a, b| west(a).total_cmp(&west(b)));
    let (mut pairs, mut found) = (0, 0);
    for (place, segment) in segments.iter().enumerate() {
        let later = segments.get(place + 1..).unwrap_or_default().iter();
        let above_each_other = later.take_while(|other| west(other) <= east(segment));
        for other in above_each_other.filter(|other| south(other) <= north(segment) && south(segment) <= north(other)) {
            pairs += 1;
            if pairs > SEGMENT_PAIRS {
                return None;
            }
            found += usize::from(touch(segment, other));
        }
    }
    Some(found)
}

fn segments_of((chain, line): (usize, &LineString<f64>)) -> impl Iterator<Item = EdgeSegment> {
    let ring = line.is_closed().then(|| line.0.len().saturating_sub(1));
    line.lines().enumerate().map(move |(index, line)| EdgeSegment { line, chain, index, ring })
}

fn west(segment: &EdgeSegment) -> f64 {
    segment.line.start.x.min(segment.line.end.x)
}

fn east(segment: &EdgeSegment) -> f64 {
    segment.line.start.x.max(segment.line.end.x)
}

fn south(segment: &EdgeSegment) -> f64 {
    segment.line.start.y.min(segment.line.end.y)
}

fn north(segment: &EdgeSegment) -> f64 {
    segment.line.start.y.max(segment.line.end.y)
}

/// Returns true if two segments have a point in common that is not the common end of neighbours.
fn touch(a: &EdgeSegment, b: &EdgeSegment) -> bool {
    if !a.line.intersects(&b.line) {
        return false;
    }
    let follows = |a: &EdgeSegment, b: &EdgeSegment| {
        a.chain == b.chain && (b.index == a.index + 1 || (b.index == 0 && a.ring == Some(a.index + 1)))
    };
    // Neighbours touch a second time only if one runs back over the other.
    let runs_back =
        |a: &EdgeSegment, b: &EdgeSegment| a.line.intersects(&b.line.end) || b.line.intersects(&a.line.start);
    match (follows(a, b), follows(b, a)) {
        (true, _) => runs_back(a, b),
        (_, true) => runs_back(b, a),
        _ => true,
    }
}
