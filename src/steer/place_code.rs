//! Places as rules write them: `EU`, `NA-US`, `NA-US-HI`, `NA-US-HI-Hilo`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::centroids;
use super::place::{Code, Place};

/// A place as rules write it: `EU`, `NA-US`, `NA-US-HI`, `NA-US-HI-Honolulu`. A level in front may be left empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlaceCode {
    /// AF AN AS EU NA OC SA.
    pub continent: Option<Code>,
    /// ISO 3166-1.
    pub country: Option<Code>,
    /// The part of an ISO 3166-2 code behind the hyphen.
    pub subdivision: Option<Code>,
    /// The city's English name.
    pub city: Option<Arc<str>>,
}

/// The text is no place code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadPlaceCode;

impl FromStr for PlaceCode {
    type Err = BadPlaceCode;

    fn from_str(text: &str) -> Result<Self, BadPlaceCode> {
        let mut levels = text.splitn(4, '-');
        let mut code = |letters: std::ops::RangeInclusive<usize>| match levels.next() {
            None | Some("") => Ok(None),
            Some(level) if letters.contains(&level.len()) => level.parse().map(Some).map_err(|_| BadPlaceCode),
            Some(_) => Err(BadPlaceCode),
        };
        let (continent, country, subdivision) = (code(2..=2)?, code(2..=2)?, code(1..=3)?);
        let city = levels.next().filter(|city| !city.is_empty()).map(Arc::from);
        // A bare code is a continent: NA is no Namibia.
        let is_known = continent.is_none_or(|code| centroids::continent(code).is_some());
        let code = Self { continent, country, subdivision, city };
        if is_known && code.level() > 0 && !text.ends_with('-') { Ok(code) } else { Err(BadPlaceCode) }
    }
}

impl fmt::Display for PlaceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |code: &Option<Code>| code.map_or_else(String::new, |code| code.to_string());
        let levels = [
            text(&self.continent),
            text(&self.country),
            text(&self.subdivision),
            self.city.as_deref().unwrap_or_default().to_owned(),
        ];
        let deepest = levels.iter().rposition(|level| !level.is_empty()).map_or(0, |at| at + 1);
        f.write_str(&levels.get(..deepest).unwrap_or_default().join("-"))
    }
}

impl PlaceCode {
    /// How specific the code is: 1 for a continent to 4 for a city.
    pub(super) fn level(&self) -> u8 {
        match (&self.city, self.subdivision, self.country, self.continent) {
            (Some(_), ..) => 4,
            (_, Some(_), ..) => 3,
            (_, _, Some(_), _) => 2,
            (.., Some(_)) => 1,
            _ => 0,
        }
    }

    /// Whether `place` lies in it. The deepest level must be known and equal; a level above it that the place does
    /// not tell is passed over.
    #[must_use]
    pub fn covers(&self, place: &Place) -> bool {
        let agrees = |wanted: Option<Code>, found: Option<Code>| match (wanted, found) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => true,
        };
        let is_told = match self.level() {
            4 => match (&self.city, &place.city) {
                (Some(wanted), Some(found)) => wanted.eq_ignore_ascii_case(found),
                _ => false,
            },
            3 => place.subdivision.is_some(),
            2 => place.country.is_some(),
            1 => place.continent.is_some(),
            _ => false,
        };
        is_told
            && agrees(self.continent, place.continent)
            && agrees(self.country, place.country)
            && agrees(self.subdivision, place.subdivision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        let mut levels = text.split('-');
        let mut code = || levels.next().and_then(|level| level.parse().ok());
        Place { continent: code(), country: code(), subdivision: code(), ..Place::default() }
    }

    #[test]
    fn a_level_that_the_place_does_not_tell_is_passed_over_but_the_deepest_must_be_told() {
        let code: PlaceCode = "NA-US-HI".parse().unwrap();
        assert!(code.covers(&Place { continent: None, ..place("NA-US-HI") }));
        assert!(!code.covers(&place("NA-US")));
        assert!(!code.covers(&place("NA-CA-HI")));
        // NA is North America, not Namibia.
        assert!("NA".parse::<PlaceCode>().unwrap().covers(&place("NA-US")));
        assert!(!"NA".parse::<PlaceCode>().unwrap().covers(&place("AF-NA")));
        for text in ["", "-", "US", "NA-USA", "NA-", "NA-US-", "false"] {
            assert_eq!(text.parse::<PlaceCode>(), Err(BadPlaceCode), "{text}");
        }
        for text in ["EU", "NA-US", "NA-US-HI", "NA-US-HI-Hilo", "EU-DE--Baden-Baden"] {
            assert_eq!(text.parse::<PlaceCode>().unwrap().to_string(), text);
        }
    }
}
