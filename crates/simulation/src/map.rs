/// The centre of the city, longitude and latitude: Madrid's Puerta del Sol, far from any sea.
pub(crate) const CENTRE: (f64, f64) = (-3.7038, 40.4168);
/// Metres in one degree of latitude.
pub(crate) const METRES_PER_DEGREE: f64 = 111_320.0;
/// Vehicles turn back beyond this distance from the centre, in metres.
pub(crate) const CITY_RADIUS: f64 = 6000.0;
