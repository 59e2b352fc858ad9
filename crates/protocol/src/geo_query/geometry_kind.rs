/// A type of geometry that geo-queries compare. Source: RFC 7946, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GeometryKind {
    Point,
    MultiPoint,
    LineString,
    MultiLineString,
    Polygon,
    MultiPolygon,
}

impl GeometryKind {
    const ALL: [Self; 6] =
        [Self::Point, Self::MultiPoint, Self::LineString, Self::MultiLineString, Self::Polygon, Self::MultiPolygon];

    /// Reads the name of a type, which is case-sensitive.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name as GeoJSON writes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Point => "Point",
            Self::MultiPoint => "MultiPoint",
            Self::LineString => "LineString",
            Self::MultiLineString => "MultiLineString",
            Self::Polygon => "Polygon",
            Self::MultiPolygon => "MultiPolygon",
        }
    }
}
