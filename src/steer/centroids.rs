//! Where a country, a continent, an airport or a city is: facts for clients of whom only the country is known, and for
//! members placed by an airport's code or a city's name.
//!
//! A country's point is the centre of its people, not of its land: most clients are near it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::place::{Code, Place, Point};

static COUNTRIES: LazyLock<Vec<(Code, Code, Point)>> = LazyLock::new(|| {
    let mut countries: Vec<_> = rows(include_str!("../../geoip/countries.txt"))
        .filter_map(|mut row| {
            let (country, continent) = (row.next()?.parse().ok()?, row.next()?.parse().ok()?);
            Some((country, continent, point(&mut row)?))
        })
        .collect();
    countries.sort_unstable_by_key(|(country, ..)| *country);
    countries
});

/// Airports by their codes.
static AIRPORTS: LazyLock<BTreeMap<&str, Place>> = LazyLock::new(|| {
    let row = |mut row: std::str::SplitAsciiWhitespace<'static>| {
        let code = row.next()?;
        let (latitude, longitude) = degrees(&mut row)?;
        Some((code, located(row.next()?.parse().ok()?, latitude, longitude)))
    };
    rows(include_str!("../../geoip/airports.txt")).filter_map(row).collect()
});

/// Cities by their names in small letters, the largest of a name first.
static CITIES: LazyLock<BTreeMap<String, Vec<Place>>> = LazyLock::new(|| {
    let mut cities: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for line in include_str!("../../geoip/cities.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(4, ' ');
        let country = parts.next().and_then(|code| code.parse().ok());
        let mut degrees = || parts.next().and_then(|number| number.parse().ok());
        if let (Some(country), Some(latitude), Some(longitude)) = (country, degrees(), degrees())
            && let Some(name) = parts.next()
        {
            let place = Place { city: Some(name.into()), ..located(country, latitude, longitude) };
            cities.entry(name.to_lowercase()).or_default().push(place);
        }
    }
    cities
});

/// The continents' centres of people, degrees; of the Antarctic the pole.
const CONTINENTS: [(&str, f64, f64); 7] = [
    ("AF", 5.26, 16.51),
    ("AN", -90.0, 0.0),
    ("AS", 29.40, 97.86),
    ("EU", 51.10, 16.36),
    ("NA", 33.32, -92.59),
    ("OC", -33.59, 149.49),
    ("SA", -14.50, -56.47),
];

fn rows(text: &'static str) -> impl Iterator<Item = std::str::SplitAsciiWhitespace<'static>> {
    text.lines().filter(|line| !line.starts_with('#')).map(str::split_ascii_whitespace)
}

fn degrees<'a>(row: &mut impl Iterator<Item = &'a str>) -> Option<(f64, f64)> {
    Some((row.next()?.parse().ok()?, row.next()?.parse().ok()?))
}

fn point<'a>(row: &mut impl Iterator<Item = &'a str>) -> Option<Point> {
    degrees(row).map(|(latitude, longitude)| Point::new(latitude, longitude))
}

/// The continent and the point of a country, by its ISO 3166-1 code.
#[must_use]
pub fn country(code: Code) -> Option<(Code, Point)> {
    let at = COUNTRIES.binary_search_by_key(&code, |(country, ..)| *country).ok()?;
    COUNTRIES.get(at).map(|&(_, continent, point)| (continent, point))
}

/// The point of a continent: AF AN AS EU NA OC SA.
#[must_use]
pub fn continent(code: Code) -> Option<Point> {
    CONTINENTS
        .iter()
        .find(|(name, ..)| *name == code.as_str())
        .map(|&(_, latitude, longitude)| Point::new(latitude, longitude))
}

/// An airport by its IATA code, or a city's main airport by the city's (`LON`, `NYC`).
#[must_use]
pub fn airport(code: &str) -> Option<&'static Place> {
    AIRPORTS.get(code.to_ascii_uppercase().as_str())
}

/// A city of 100,000 and more by its name, the largest of that name; or `Portland, US`, the largest in a country.
#[must_use]
pub fn city(text: &str) -> Option<&'static Place> {
    let (name, country) = match text.rsplit_once(',') {
        Some((name, country)) => (name, Some(country.trim().parse::<Code>().ok()?)),
        None => (text, None),
    };
    let named = CITIES.get(&name.trim().to_lowercase())?;
    named.iter().find(|place| country.is_none() || place.country == country)
}

/// A place with all that follows from its country.
fn located(code: Code, latitude: f64, longitude: f64) -> Place {
    Place {
        country: Some(code),
        continent: country(code).map(|(continent, _)| continent),
        ..Place::at(latitude, longitude)
    }
}

/// The point that stands for a client's place: its coordinates, else its country's, else its continent's. Never
/// (0, 0) for want of anything better.
#[must_use]
pub fn point_of(place: &Place) -> Option<Point> {
    place
        .point()
        .or_else(|| place.country.and_then(country).map(|(_, point)| point))
        .or_else(|| place.continent.and_then(continent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(COUNTRIES.len(), lines(include_str!("../../geoip/countries.txt")));
        assert!(COUNTRIES.len() >= 249);
        assert!(COUNTRIES.iter().all(|(_, code, _)| continent(*code).is_some()));
        assert_eq!(AIRPORTS.len(), lines(include_str!("../../geoip/airports.txt")));
        assert_eq!(CITIES.values().map(Vec::len).sum::<usize>(), lines(include_str!("../../geoip/cities.txt")));
        let all = AIRPORTS.values().chain(CITIES.values().flatten());
        assert!(all.into_iter().all(|place| place.point().is_some() && place.continent.is_some()));
    }

    #[test]
    fn well_known_places_are_where_they_are() {
        let near = |code: &str, latitude, longitude| {
            airport(code).unwrap().point().unwrap().distance_km(&Point::new(latitude, longitude))
        };
        assert!(near("FRA", 50.03, 8.57) < 5.0);
        assert!(near("iad", 38.94, -77.46) < 5.0);
        assert!(near("SIN", 1.36, 103.99) < 5.0);
        assert!(near("LON", 51.5, -0.1) < 40.0);
        assert_eq!(airport("QQQ"), None);
        let found = |text: &str| city(text).map(|place| (place.country.unwrap().to_string(), place.latitude.unwrap()));
        assert_eq!(found("paris").unwrap().0, "FR");
        assert_eq!(found("São Paulo"), found("sao paulo"));
        assert!(found("Portland, US").is_some() && found("Portland, FR").is_none() && found("Nowhere").is_none());
        let (europe, germany) = country("DE".parse().unwrap()).unwrap();
        assert_eq!(europe.as_str(), "EU");
        assert!(germany.distance_km(&Point::new(51.0, 10.0)) < 100.0);
        // Fiji lies on both sides of the antimeridian.
        assert!(country("FJ".parse().unwrap()).unwrap().1.distance_km(&Point::new(-17.8, 178.0)) < 100.0);
    }

    #[test]
    fn a_client_without_coordinates_stands_at_its_countrys_or_continents_centre() {
        let code = |text: &str| Some(text.parse().unwrap());
        let in_country = Place { country: code("DE"), continent: code("EU"), ..Place::default() };
        assert_eq!(point_of(&in_country), country("DE".parse().unwrap()).map(|(_, point)| point));
        let in_continent = Place { continent: code("EU"), ..Place::default() };
        assert_eq!(point_of(&in_continent), continent("EU".parse().unwrap()));
        assert_eq!(point_of(&Place::default()), None);
        assert_eq!(point_of(&Place::at(0.0, 0.0)), Some(Point::new(0.0, 0.0)));
    }
}
