//! Distances on a sphere of the Earth's mean radius.
//!
//! Invariant: a place is a unit vector, and the distance of two places is the chord between their vectors, which grows with
//! the great-circle distance. The square of half the chord is the haversine of the angle, so this is the haversine formula
//! without a trigonometric function for each comparison. Nothing is special at the antimeridian or at the poles.

use std::f64::consts::PI;

use geo::Coord;
use geo::algorithm::line_measures::metric_spaces::HaversineMeasure;

/// The mean radius of the Earth, in metres.
const RADIUS: f64 = HaversineMeasure::GRS80_MEAN_RADIUS.radius();

/// A place on the sphere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UnitVector([f64; 3]);

/// The squared chord of a distance, on a sphere of radius 1: 0 to 4.
pub(super) fn squared_chord(metres: f64) -> f64 {
    let angle = metres / RADIUS;
    // Any distance beyond the far side of the Earth includes the far side.
    if angle > PI { f64::INFINITY } else { (2.0 * (angle / 2.0).sin()).powi(2) }
}

impl UnitVector {
    pub(super) fn new(place: Coord<f64>) -> Self {
        let (lon, lat) = (place.x.to_radians(), place.y.to_radians());
        Self([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()])
    }

    /// The squared chord to another place.
    pub(super) fn squared_chord_to(self, other: Self) -> f64 {
        let between = self.minus(other);
        between.dot(between)
    }

    /// The squared chord to the nearest place of the great-circle arc between two places.
    pub(super) fn squared_chord_to_arc(self, start: Self, end: Self) -> f64 {
        let ends = self.squared_chord_to(start).min(self.squared_chord_to(end));
        // The difference keeps the digits that the product of two near places would lose.
        let normal = start.cross(end.minus(start));
        let length = normal.dot(normal).sqrt();
        let beside = normal.cross(start).dot(self) > 0.0 && end.cross(normal).dot(self) > 0.0;
        if length == 0.0 || !beside {
            return ends;
        }
        let sine = (self.dot(normal) / length).clamp(-1.0, 1.0);
        let square = sine * sine;
        // 2 - 2 cos, in a form that keeps its digits where the angle is small.
        ends.min(2.0 * square / (1.0 + (1.0 - square).sqrt()))
    }

    fn minus(self, other: Self) -> Self {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Self([a - x, b - y, c - z])
    }

    fn dot(self, other: Self) -> f64 {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        a * x + b * y + c * z
    }

    fn cross(self, other: Self) -> Self {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Self([b * z - c * y, c * x - a * z, a * y - b * x])
    }
}

/// A circle on the sphere that holds places and the arcs between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cap {
    centre: UnitVector,
    /// The angle from the centre to the edge, in radians.
    radius: f64,
}

impl Cap {
    /// A circle around all places, or nothing if it would be so large that the arcs between them could leave it.
    pub(super) fn around(places: &[UnitVector]) -> Option<Self> {
        let sum =
            places.iter().fold([0.0; 3], |sum, place| [sum[0] + place.0[0], sum[1] + place.0[1], sum[2] + place.0[2]]);
        let length = UnitVector(sum).dot(UnitVector(sum)).sqrt();
        let centre = UnitVector(sum.map(|part| part / length));
        let radius = places.iter().map(|place| angle(centre.squared_chord_to(*place))).fold(0.0, f64::max);
        (length > 0.0 && radius < 1.5).then_some(Self { centre, radius })
    }

    /// Returns true if everything in the circle is farther from a place than a squared chord.
    pub(super) fn is_beyond(&self, place: UnitVector, squared_chord: f64) -> bool {
        // The angles are rounded; a millimetre more than that is enough.
        const SLACK: f64 = 1e-9;
        angle(self.centre.squared_chord_to(place)) > self.radius + angle(squared_chord) + SLACK
    }
}

/// The angle of a squared chord, in radians.
fn angle(squared_chord: f64) -> f64 {
    2.0 * (squared_chord.sqrt() / 2.0).min(1.0).asin()
}
