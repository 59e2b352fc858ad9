use std::fmt;

use crate::limits::GEO_DISTANCE;

/// How the geometry of an entity has to relate to the geometry of a query. Source: ETSI GS CIM 009, section 4.10.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Georel {
    /// At most so many metres away.
    MaxDistance(f64),
    /// At least so many metres away.
    MinDistance(f64),
    Topological(ShapeRelation),
}

/// A relation of two shapes in the plane, as the Simple Features standard defines it (OGC 06-103r4, section 6.1.15.3). The
/// entity's geometry is the first of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShapeRelation {
    Within,
    Intersects,
    Disjoint,
    Contains,
    Overlaps,
    Equals,
}

/// The text is not a `georel`. The messages are for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGeorel {
    /// The name is none of the known ones.
    #[error(
        "expected near;maxDistance==METRES, near;minDistance==METRES, within, intersects, disjoint, contains, overlaps or \
         equals"
    )]
    Unknown,
    /// NGSIv2's notation of a distance.
    #[error("write two equals signs before the distance, such as near;maxDistance==1000")]
    Colon,
    /// NGSIv2's `coveredBy`.
    #[error("coveredBy is not part of NGSI-LD; write within, or intersects for a point")]
    CoveredBy,
    /// The distance is not a number of metres.
    #[error("the distance is a number of metres from 0 to {GEO_DISTANCE}, such as near;maxDistance==1000")]
    Distance,
}

impl ShapeRelation {
    const ALL: [Self; 6] =
        [Self::Within, Self::Intersects, Self::Disjoint, Self::Contains, Self::Overlaps, Self::Equals];

    fn as_str(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Intersects => "intersects",
            Self::Disjoint => "disjoint",
            Self::Contains => "contains",
            Self::Overlaps => "overlaps",
            Self::Equals => "equals",
        }
    }
}

impl Georel {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidGeorel> {
        if let Some(relation) = ShapeRelation::ALL.into_iter().find(|relation| relation.as_str() == text) {
            return Ok(Self::Topological(relation));
        }
        if text == "coveredBy" {
            return Err(InvalidGeorel::CoveredBy);
        }
        let limit = text.strip_prefix("near;").ok_or(InvalidGeorel::Unknown)?;
        if let Some(metres) = limit.strip_prefix("maxDistance") {
            distance(metres).map(Self::MaxDistance)
        } else if let Some(metres) = limit.strip_prefix("minDistance") {
            distance(metres).map(Self::MinDistance)
        } else {
            Err(InvalidGeorel::Unknown)
        }
    }
}

fn distance(text: &str) -> Result<f64, InvalidGeorel> {
    if text.starts_with(':') {
        return Err(InvalidGeorel::Colon);
    }
    let number = text.strip_prefix("==").ok_or(InvalidGeorel::Unknown)?;
    // Rust reads "inf" and "nan" as numbers.
    let number = number.starts_with(|first: char| first.is_ascii_digit()).then_some(number);
    let metres = number.and_then(|number| number.parse::<f64>().ok()).ok_or(InvalidGeorel::Distance)?;
    if (0.0..=GEO_DISTANCE).contains(&metres) { Ok(metres) } else { Err(InvalidGeorel::Distance) }
}

impl fmt::Display for Georel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxDistance(metres) => write!(f, "near;maxDistance=={metres}"),
            Self::MinDistance(metres) => write!(f, "near;minDistance=={metres}"),
            Self::Topological(relation) => f.write_str(relation.as_str()),
        }
    }
}
