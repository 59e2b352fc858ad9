use crate::chance::Chance;

/// The centre of the city, longitude and latitude: Shijo Karasuma in Kyoto, far from any sea.
pub(crate) const CENTRE: (f64, f64) = (135.7597, 35.0038);
/// Metres in one degree of latitude.
pub(crate) const METRES_PER_DEGREE: f64 = 111_320.0;
/// Vehicles turn back beyond this distance from the centre, in metres.
pub(crate) const CITY_RADIUS: f64 = 6000.0;

/// The longitude and latitude of the place that is so many metres east and north of the centre.
pub(crate) fn place(east: f64, north: f64) -> (f64, f64) {
    let longitude = CENTRE.0 + east / (METRES_PER_DEGREE * CENTRE.1.to_radians().cos());
    (longitude, CENTRE.1 + north / METRES_PER_DEGREE)
}

/// A random place. Two of three places are nearer to the centre than `spread` metres in each direction.
pub(crate) fn around_centre(spread: f64, chance: &mut Chance) -> (f64, f64) {
    let (east, north) = (chance.normal() * spread, chance.normal() * spread);
    place(east, north)
}
