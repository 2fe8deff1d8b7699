//! Where an address is: coordinates, ISO codes, city and network, as a database of places tells it.
//!
//! A [`Place`] comes in through a [`Locator`] (a geography database, or a table in a test), together with the
//! length of the prefix that the database looked at. Distances are those on a sphere, never in degrees.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Mean radius of the Earth, kilometres.
pub const EARTH_RADIUS_KM: f64 = 6371.0088;

/// Tells where an address is.
pub trait Locator: Send + Sync {
    /// The place of `address`, and the length of the shortest prefix around it in which every address has this
    /// very place (0–32 for IPv4, 0–128 for IPv6).
    ///
    /// An address in a hole of the database has [`Place::default`] and the hole's prefix length, so that its
    /// answer too carries a true scope. `None` means that nothing is known of the whole family: scope 0.
    fn locate(&self, address: IpAddr) -> Option<(Place, u8)>;
}

/// What is known of a location; every part may be missing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Place {
    /// Degrees north, −90 to 90. Only counts together with the longitude.
    pub latitude: Option<f64>,
    /// Degrees east, −180 to 180.
    pub longitude: Option<f64>,
    /// Two letters: AF AN AS EU NA OC SA.
    pub continent: Option<Code>,
    /// ISO 3166-1: two letters.
    pub country: Option<Code>,
    /// The part of an ISO 3166-2 code behind the hyphen: one to three letters or digits.
    pub subdivision: Option<Code>,
    /// The city's English name.
    pub city: Option<Arc<str>>,
    /// The autonomous system that announces the address.
    pub asn: Option<u32>,
}

impl Place {
    /// A place of which only the coordinates are known, degrees.
    #[must_use]
    pub fn at(latitude: f64, longitude: f64) -> Self {
        Self { latitude: Some(latitude), longitude: Some(longitude), ..Self::default() }
    }

    /// The place as a point on the sphere, if it has both coordinates. (0, 0) is a real place.
    #[must_use]
    pub fn point(&self) -> Option<Point> {
        Some(Point::new(self.latitude?, self.longitude?))
    }

    /// Whether nothing at all is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> =
            [&self.continent, &self.country, &self.subdivision].into_iter().flatten().map(Code::as_str).collect();
        let mut parts = Vec::new();
        if !codes.is_empty() {
            parts.push(codes.join("-"));
        }
        parts.extend(self.city.as_deref().map(str::to_owned));
        if let (Some(latitude), Some(longitude)) = (self.latitude, self.longitude) {
            parts.push(format!("{latitude:.2} {longitude:.2}"));
        }
        parts.extend(self.asn.map(|asn| format!("AS{asn}")));
        f.write_str(&if parts.is_empty() { "unknown".to_owned() } else { parts.join(", ") })
    }
}

/// A short code of one to three letters or digits, in capitals: a continent, country or subdivision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code([u8; 3]);

impl Code {
    /// The code's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|&octet| octet == 0).unwrap_or(self.0.len());
        self.0.get(..length).and_then(|octets| std::str::from_utf8(octets).ok()).unwrap_or_default()
    }
}

/// The text is empty, longer than three characters, or has something else than ASCII letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadCode;

impl FromStr for Code {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        let mut code = [0; 3];
        if text.is_empty() || text.len() > code.len() || !text.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
            return Err(BadCode);
        }
        for (into, from) in code.iter_mut().zip(text.bytes()) {
            *into = from.to_ascii_uppercase();
        }
        Ok(Self(code))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A point on the unit sphere.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    x: f64,
    y: f64,
    z: f64,
}

impl Point {
    /// The point at `latitude` and `longitude`, degrees.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Self {
        let (sin_latitude, cos_latitude) = latitude.to_radians().sin_cos();
        let (sin_longitude, cos_longitude) = longitude.to_radians().sin_cos();
        Self { x: cos_latitude * cos_longitude, y: cos_latitude * sin_longitude, z: sin_latitude }
    }

    /// The great-circle distance, kilometres.
    ///
    /// From the chord, not from the arc cosine of the dot product: both order points alike, but the arc cosine
    /// cannot tell points apart that lie within some ten metres of each other.
    #[must_use]
    pub fn distance_km(&self, other: &Self) -> f64 {
        let (x, y, z) = (self.x - other.x, self.y - other.y, self.z - other.z);
        let half_chord = ((x * x + y * y + z * z).sqrt() / 2.0).min(1.0);
        2.0 * half_chord.asin() * EARTH_RADIUS_KM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_globe() {
        let (frankfurt, ashburn) = (Point::new(50.03, 8.57), Point::new(38.94, -77.46));
        assert!((frankfurt.distance_km(&ashburn) - 6545.0).abs() < 15.0);
        // Across the antimeridian, at a pole, at the antipode, and next door.
        assert!((Point::new(0.0, 179.5).distance_km(&Point::new(0.0, -179.5)) - 111.195).abs() < 0.01);
        assert!(Point::new(90.0, 0.0).distance_km(&Point::new(90.0, 123.0)) < 1e-6);
        let antipode = Point::new(0.0, 0.0).distance_km(&Point::new(0.0, 180.0));
        assert!((antipode - std::f64::consts::PI * EARTH_RADIUS_KM).abs() < 1e-6);
        let metre = Point::new(0.0, 0.0).distance_km(&Point::new(0.0, 0.000_009));
        assert!((metre - 0.001_000_7).abs() < 1e-6, "{metre}");
    }

    #[test]
    fn codes_are_short_and_in_capitals() {
        assert_eq!("hi".parse::<Code>().map(|code| code.to_string()), Ok("HI".to_owned()));
        assert_eq!("NA-US".parse::<Code>(), Err(BadCode));
        assert_eq!("".parse::<Code>(), Err(BadCode));
    }

    #[test]
    fn a_place_without_both_coordinates_is_no_point() {
        assert!(Place { latitude: Some(1.0), ..Place::default() }.point().is_none());
        assert!(Place::at(0.0, 0.0).point().is_some());
        assert!(Place::default().is_unknown());
    }
}
