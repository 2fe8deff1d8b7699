//! Where a country, a continent or an airport is: facts for clients of whom only the country is known, and for
//! members placed by an airport's code.
//!
//! A country's point is the centre of its people, not of its land: most clients are near it.

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

const AIRPORTS: &str = include_str!("../../geoip/airports.txt");

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

/// The coordinates of an airport by its IATA code, or of a city's main airport by the city's (`LON`, `NYC`); degrees
/// north and east.
#[must_use]
pub fn airport(code: &str) -> Option<(f64, f64)> {
    rows(AIRPORTS).find_map(|mut row| {
        let is_this = row.next()?.eq_ignore_ascii_case(code);
        degrees(&mut row).filter(|_| is_this)
    })
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
        let airports = rows(AIRPORTS).filter_map(|mut row| row.next().and_then(airport)).count();
        assert_eq!(airports, lines(AIRPORTS));
    }

    #[test]
    fn well_known_places_are_where_they_are() {
        let near = |code: &str, latitude, longitude| {
            let (found_latitude, found_longitude) = airport(code).unwrap();
            Point::new(found_latitude, found_longitude).distance_km(&Point::new(latitude, longitude))
        };
        assert!(near("FRA", 50.03, 8.57) < 5.0);
        assert!(near("iad", 38.94, -77.46) < 5.0);
        assert!(near("SIN", 1.36, 103.99) < 5.0);
        assert!(near("LON", 51.5, -0.1) < 40.0);
        assert_eq!(airport("QQQ"), None);
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
