//! Where the records of a database keep what: `MaxMind`'s nested layout, the flat one, or what the operator says.

use std::str::FromStr;
use std::sync::Arc;

use crate::steer::{Code, Place};

use super::read::Value;

/// A way into a record: keys, and positions in lists, from the outside in; written `subdivisions.0.iso_code`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldPath(Vec<String>);

/// The text has an empty key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadFieldPath;

impl FromStr for FieldPath {
    type Err = BadFieldPath;

    fn from_str(text: &str) -> Result<Self, BadFieldPath> {
        let keys: Vec<String> = text.split('.').map(str::to_owned).collect();
        if keys.iter().any(String::is_empty) { Err(BadFieldPath) } else { Ok(Self(keys)) }
    }
}

/// Where an operator says that a database keeps what; for the rest the usual places are tried.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "each is the place of the part of a `Place` that it is named for")]
pub struct Fields {
    pub continent: Option<FieldPath>,
    pub country: Option<FieldPath>,
    pub subdivision: Option<FieldPath>,
    pub city: Option<FieldPath>,
    pub latitude: Option<FieldPath>,
    pub longitude: Option<FieldPath>,
    pub asn: Option<FieldPath>,
}

/// The places tried for one part of a record. A file has one layout, so what was found once is looked for there only.
struct Field {
    tried: Vec<Vec<String>>,
    found: Option<usize>,
}

impl Field {
    fn new(given: Option<&FieldPath>, usual: &[&str]) -> Self {
        let split = |text: &&str| text.split('.').map(str::to_owned).collect();
        let tried = given.map_or_else(|| usual.iter().map(split).collect(), |path| vec![path.0.clone()]);
        Self { tried, found: None }
    }

    fn find<T>(&mut self, record: &Value<'_>, mut meaning: impl FnMut(&Value<'_>) -> Option<T>) -> Option<T> {
        let mut look =
            |path: &[String]| path.iter().try_fold(record, |value, key| value.inside(key)).and_then(&mut meaning);
        if let Some(path) = self.found.and_then(|at| self.tried.get(at)) {
            return look(path);
        }
        let (at, found) = self.tried.iter().enumerate().find_map(|(at, path)| Some((at, look(path)?)))?;
        self.found = Some(at);
        Some(found)
    }
}

/// Makes places of records.
pub(super) struct Layout {
    continent: Field,
    country: Field,
    subdivision: Field,
    city: Field,
    latitude: Field,
    longitude: Field,
    asn: Field,
}

impl Layout {
    /// The database's type is not asked: publishers name theirs as they like.
    pub(super) fn new(fields: &Fields) -> Self {
        Self {
            continent: Field::new(fields.continent.as_ref(), &["continent.code", "continent_code", "continent"]),
            country: Field::new(fields.country.as_ref(), &["country.iso_code", "country_code", "country"]),
            subdivision: Field::new(
                fields.subdivision.as_ref(),
                &["subdivisions.0.iso_code", "subdivision_code", "region_code", "state1"],
            ),
            city: Field::new(fields.city.as_ref(), &["city.names.en", "city"]),
            latitude: Field::new(fields.latitude.as_ref(), &["location.latitude", "latitude", "lat"]),
            longitude: Field::new(fields.longitude.as_ref(), &["location.longitude", "longitude", "lng", "lon"]),
            asn: Field::new(fields.asn.as_ref(), &["autonomous_system_number", "asn"]),
        }
    }

    pub(super) fn place(&mut self, record: &Value<'_>) -> Place {
        let latitude = self.latitude.find(record, |value| value.number().filter(|north| north.abs() <= 90.0));
        let longitude = self.longitude.find(record, |value| value.number().filter(|east| east.abs() <= 180.0));
        let (latitude, longitude) = latitude.zip(longitude).unzip();
        Place {
            latitude,
            longitude,
            continent: self.continent.find(record, two_letters),
            country: self.country.find(record, two_letters),
            subdivision: self.subdivision.find(record, |value| {
                let text = value.text()?;
                text.split_once('-').map_or(text, |(_, behind)| behind).parse().ok() // `US-HI` and `HI` alike
            }),
            city: self.city.find(record, |value| value.text().filter(|name| !name.is_empty()).map(Arc::from)),
            asn: self.asn.find(record, system),
        }
    }
}

/// A code of two letters that stands for a place; `XX` and `ZZ` stand for none.
fn two_letters(value: &Value<'_>) -> Option<Code> {
    let text = value.text()?;
    let is_code = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_alphabetic());
    if is_code && !matches!(text, "XX" | "ZZ") { text.parse().ok() } else { None }
}

/// The number of a system, written `64500` or `AS64500`; 0 is none (RFC 7607).
fn system(value: &Value<'_>) -> Option<u32> {
    let number = match value {
        Value::Text(text) => text.strip_prefix("AS").unwrap_or(text).parse().ok()?,
        // Unsigned on the wire, and exact as a float.
        Value::Number(number) => format!("{number}").parse().ok()?,
        _ => return None,
    };
    Some(number).filter(|&number| number != 0)
}
