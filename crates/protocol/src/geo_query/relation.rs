//! Compares shapes in the plane of longitude and latitude.
//!
//! Invariant: the bounding boxes and the dimensions decide first. Only then does the `geo` crate compare
//! the shapes, and only comparable ones where it compares more than single points.

use geo::Coord;
use geo::algorithm::{CoordinatePosition, CoordsIter, Intersects, Relate};
use geo::coordinate_position::CoordPos;

use super::georel::ShapeRelation;
use super::shape::Shape;

/// Returns true if an entity's geometry has this relation to a query's geometry.
pub(super) fn holds(relation: ShapeRelation, entity: &Shape, query: &Shape) -> bool {
    match relation {
        ShapeRelation::Intersects => meet(entity, query),
        ShapeRelation::Disjoint => !meet(entity, query),
        ShapeRelation::Within => is_within(entity, query),
        ShapeRelation::Contains => is_within(query, entity),
        ShapeRelation::Overlaps => {
            entity.dimensions() == query.dimensions()
                && entity.bounds_meet(query)
                && are_comparable(entity, query)
                && entity.geometry().relate(query.geometry()).is_overlaps()
        }
        ShapeRelation::Equals => {
            entity.dimensions() == query.dimensions()
                && entity.bounds_hold(query)
                && query.bounds_hold(entity)
                && are_comparable(entity, query)
                && entity.geometry().relate(query.geometry()).is_equal_topo()
        }
    }
}

fn meet(a: &Shape, b: &Shape) -> bool {
    a.bounds_meet(b) && a.geometry().intersects(b.geometry())
}

fn is_within(inner: &Shape, outer: &Shape) -> bool {
    if inner.dimensions() > outer.dimensions() || !outer.bounds_hold(inner) {
        return false;
    }
    let position = |coord: &Coord<f64>| outer.geometry().coordinate_position(coord);
    if let Some(point) = inner.point() {
        return position(&point) == CoordPos::Inside;
    }
    // Most shapes that are not within have a corner outside, which is quicker to find than to compare everything.
    inner.geometry().coords_iter().all(|corner| position(&corner) != CoordPos::Outside)
        && are_comparable(inner, outer)
        && inner.geometry().relate(outer.geometry()).is_within()
}

fn are_comparable(a: &Shape, b: &Shape) -> bool {
    a.is_comparable() && b.is_comparable()
}
