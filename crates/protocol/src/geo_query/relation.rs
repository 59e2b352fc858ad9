//! Compares shapes in the plane of longitude and latitude.
//!
//! Invariant: what the bounding boxes or the dimensions decide is decided by them. Only then does the `geo` crate compare
//! the shapes, and only comparable ones where it compares more than single points.

use geo::Geometry;
use geo::algorithm::{CoordinatePosition, Intersects, Relate};
use geo::coordinate_position::CoordPos;

use super::georel::Relation;
use super::shape::Shape;

/// Returns true if an entity's geometry has this relation to a query's geometry.
pub(super) fn holds(relation: Relation, entity: &Shape, query: &Shape) -> bool {
    match relation {
        Relation::Intersects => meet(entity, query),
        Relation::Disjoint => !meet(entity, query),
        Relation::Within => is_within(entity, query),
        Relation::Contains => is_within(query, entity),
        Relation::Overlaps => {
            entity.dimensions() == query.dimensions()
                && entity.bounds_meet(query)
                && are_comparable(entity, query)
                && entity.geometry().relate(query.geometry()).is_overlaps()
        }
        Relation::Equals => {
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
    match inner.point() {
        Some(point) => outer.geometry().coordinate_position(&point) == CoordPos::Inside,
        None => are_comparable(inner, outer) && relate_within(inner.geometry(), outer.geometry()),
    }
}

fn relate_within(inner: &Geometry<f64>, outer: &Geometry<f64>) -> bool {
    inner.relate(outer).is_within()
}

fn are_comparable(a: &Shape, b: &Shape) -> bool {
    a.is_comparable() && b.is_comparable()
}
