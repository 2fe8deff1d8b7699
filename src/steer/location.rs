//! The part of a policy that depends on where a client is: rules by network, system and place, else the nearest site.
//!
//! A place comes in, a ranking leaves: members in the order in which they are to be tried. Health is no part of it;
//! whoever chooses skips the members that are down, and the ranking says at every position with which others the
//! first one left shares the clients.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::base::Network;

use super::centroids;
use super::place::{Code, Place, Point};

/// Distances closer than this are equal, kilometres.
const TIE_KM: f64 = 1e-6;

/// What one policy makes of a client's location.
#[derive(Clone, Debug)]
pub struct LocationPolicy {
    /// The members of the pool, by number.
    pub sites: Vec<Site>,
    /// The rules; they go before the distance.
    pub rules: Rules,
    /// Whether and how the distance ranks those whom no rule ranks.
    pub nearest: Option<Nearest>,
    /// How many members are ranked by each client's own distance. The rest follow by their distance from the first,
    /// which cuts the world into far fewer pieces.
    pub depth: usize,
}

/// Where a member is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Site {
    /// None: never chosen for being near, still reached by rules.
    pub point: Option<Point>,
    /// −99 to 99: how many per cent nearer (or, below 0, farther) the member counts than it is.
    pub bias: i8,
}

/// How the distance ranks.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Nearest {
    /// Members hardly farther than the nearest share its clients.
    pub within: Within,
}

/// How much farther than the nearest a member may be to share its clients.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Within {
    /// Only at the same distance.
    #[default]
    Equal,
    /// By this part of the nearest's distance: 0.1 is 10 %.
    Part(f64),
    /// By this distance, kilometres.
    Km(f64),
}

/// Rules by location. The most specific that matches counts, alone: cidr (the longest), then asn, city, subdivision,
/// country, continent. Of equals the first counts.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// By network.
    pub cidr: Vec<(Network, Preference)>,
    /// By autonomous system.
    pub asn: Vec<(u32, Preference)>,
    /// By place.
    pub place: Vec<(PlaceCode, Preference)>,
    /// For those whom neither a rule nor the distance ranks.
    pub default: Option<Preference>,
}

/// What a rule wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Preference {
    /// These members, in this order, and no others.
    Ordered(Vec<u16>),
    /// The distance decides, but without some members, and with other biases for some.
    Adjusted {
        /// Members left out.
        excluded: Vec<u16>,
        /// Biases in the place of the members' own.
        bias: Vec<(u16, i8)>,
    },
}

/// A place as rules write it: `EU`, `NA-US`, `NA-US-HI`, `NA-US-HI-Honolulu`. A level in front may be left empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlaceCode {
    continent: Option<Code>,
    country: Option<Code>,
    subdivision: Option<Code>,
    city: Option<Arc<str>>,
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
    fn level(&self) -> u8 {
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

/// A member at its position in a ranking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ranked {
    /// The member's number.
    pub member: u16,
    /// Where the group ends that shares the clients if this member is the first one left: its members are those
    /// from this position up to, not including, this one.
    pub reach: u16,
}

/// What decided a ranking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Because {
    /// A rule for a network.
    Cidr(Network),
    /// A rule for an autonomous system.
    Asn(u32),
    /// A rule for a place.
    Place(PlaceCode),
    /// The rule for those whom nothing else ranks.
    Default,
    /// The distance alone.
    Nearest,
    /// Nothing: all members are alike.
    Nothing,
}

impl LocationPolicy {
    /// The ranking for a client at `address` and `place`, and what decided it: what a compiled policy must answer,
    /// without compiling.
    #[must_use]
    pub fn decide(&self, address: IpAddr, place: &Place) -> (Vec<Ranked>, Because) {
        let cidr = self
            .rules
            .cidr
            .iter()
            .rev() // of equals the first
            .filter(|(network, _)| network.contains(address))
            .max_by_key(|(network, _)| network.prefix_length());
        let asn = || self.rules.asn.iter().find(|(asn, _)| Some(*asn) == place.asn);
        let (rule, because) = if let Some((network, preference)) = cidr {
            (Some(preference), Because::Cidr(*network))
        } else if let Some((asn, preference)) = asn() {
            (Some(preference), Because::Asn(*asn))
        } else if let Some((code, preference)) = self.rules.of_place(place) {
            (Some(preference), Because::Place(code.clone()))
        } else {
            (None, Because::Nearest)
        };
        let (ranking, is_by_default) = self.rank(place, rule);
        let because = match (because, is_by_default) {
            (_, Some(true)) => Because::Default,
            (Because::Nearest, Some(false)) => Because::Nothing,
            (because, _) => because,
        };
        (ranking, because)
    }

    /// The ranking of a place under a rule, if one matched; and, where neither that nor the distance ranks, whether
    /// the default rule does.
    pub(super) fn rank(&self, place: &Place, rule: Option<&Preference>) -> (Vec<Ranked>, Option<bool>) {
        match self.rank_by(place, rule) {
            Some(ranking) => (ranking, None),
            None => match self.rules.default.as_ref() {
                Some(Preference::Ordered(members)) => (in_order(members), Some(true)),
                Some(Preference::Adjusted { excluded, .. }) => (self.all_but(excluded), Some(true)),
                None => (self.all_but(excluded_by(rule)), Some(false)),
            },
        }
    }

    fn rank_by(&self, place: &Place, rule: Option<&Preference>) -> Option<Vec<Ranked>> {
        match rule {
            Some(Preference::Ordered(members)) => Some(in_order(members)),
            Some(Preference::Adjusted { excluded, bias }) => self.by_distance(place, excluded, bias),
            None => self.by_distance(place, &[], &[]),
        }
    }

    fn by_distance(&self, place: &Place, excluded: &[u16], bias: &[(u16, i8)]) -> Option<Vec<Ranked>> {
        let nearest = self.nearest?;
        let client = centroids::point_of(place)?;
        let bias_of = |member: u16, own: i8| bias.iter().find(|(at, _)| *at == member).map_or(own, |&(_, bias)| bias);
        let mut ranked: Vec<(f64, u16, Point)> = (0_u16..)
            .zip(&self.sites)
            .filter(|(member, _)| !excluded.contains(member))
            .filter_map(|(member, site)| {
                let point = site.point?;
                Some((biased(client.distance_km(&point), bias_of(member, site.bias)), member, point))
            })
            .collect();
        let by_distance =
            |one: &(f64, u16, Point), two: &(f64, u16, Point)| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1));
        let bound = |distance: f64| match nearest.within {
            Within::Equal => distance + TIE_KM,
            Within::Part(part) => distance.mul_add(part, distance + TIE_KM),
            Within::Km(km) => distance + km + TIE_KM,
        };
        // The head is ranked exactly, and is as long as the groups of its first members are.
        ranked.sort_unstable_by(by_distance);
        let depth = self.depth.clamp(1, ranked.len().max(1));
        let reach_of = |at: usize| {
            ranked.get(at).map_or(at, |&(distance, ..)| {
                let bound = bound(distance);
                at + ranked.get(at..).unwrap_or_default().partition_point(|&(other, ..)| other <= bound)
            })
        };
        let head = (0..depth).map(reach_of).max().unwrap_or(0).max(depth).min(ranked.len());
        let mut ranking: Vec<Ranked> = (0..head)
            .filter_map(|at| Some(Ranked { member: ranked.get(at)?.1, reach: reach_of(at).min(head) as u16 }))
            .collect();
        // What is left is ranked from the first member: a function of the head, so it cuts no prefix.
        let (_, _, first) = *ranked.first()?;
        let mut tail: Vec<(f64, u16, Point)> = ranked
            .get(head..)
            .unwrap_or_default()
            .iter()
            .map(|&(_, member, point)| (first.distance_km(&point), member, point))
            .collect();
        tail.sort_unstable_by(by_distance);
        ranking.extend((head..).zip(tail).map(|(at, (_, member, _))| Ranked { member, reach: at as u16 + 1 }));
        Some(ranking)
    }

    /// All members alike, but those left out.
    fn all_but(&self, excluded: &[u16]) -> Vec<Ranked> {
        let members: Vec<u16> =
            (0_u16..).zip(&self.sites).map(|(member, _)| member).filter(|member| !excluded.contains(member)).collect();
        let reach = members.len() as u16;
        members.into_iter().map(|member| Ranked { member, reach }).collect()
    }
}

impl Rules {
    /// The most specific rule that covers `place`.
    pub(super) fn of_place(&self, place: &Place) -> Option<&(PlaceCode, Preference)> {
        self.place.iter().rev().filter(|(code, _)| code.covers(place)).max_by_key(|(code, _)| code.level())
    }
}

/// AWS's published form of a bias: a positive one draws clients from farther away, a negative one keeps them off.
fn biased(distance: f64, bias: i8) -> f64 {
    let part = f64::from(bias.clamp(-99, 99)) / 100.0;
    if part >= 0.0 { distance * (1.0 - part) } else { distance / (1.0 + part) }
}

fn excluded_by(rule: Option<&Preference>) -> &[u16] {
    match rule {
        Some(Preference::Adjusted { excluded, .. }) => excluded,
        _ => &[],
    }
}

fn in_order(members: &[u16]) -> Vec<Ranked> {
    (1..).zip(members).map(|(reach, &member)| Ranked { member, reach }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: Rules) -> LocationPolicy {
        let at = |north, east| Site { point: Some(Point::new(north, east)), bias: 0 };
        // Frankfurt, Amsterdam, Ashburn, Singapore, and one that is nowhere.
        let sites = vec![at(50.0, 8.6), at(52.3, 4.8), at(38.9, -77.5), at(1.4, 104.0), Site::default()];
        LocationPolicy { sites, rules, nearest: Some(Nearest::default()), depth: 8 }
    }

    fn place(text: &str) -> Place {
        let mut levels = text.split('-');
        let mut code = || levels.next().and_then(|level| level.parse().ok());
        Place { continent: code(), country: code(), subdivision: code(), ..Place::default() }
    }

    fn members(policy: &LocationPolicy, address: &str, place: &Place) -> (Vec<u16>, Because) {
        let (ranking, because) = policy.decide(address.parse().unwrap(), place);
        (ranking.iter().map(|ranked| ranked.member).collect(), because)
    }

    #[test]
    fn a_more_specific_rule_replaces_a_less_specific_one() {
        let ordered = |member| Preference::Ordered(vec![member]);
        let code = |text: &str| text.parse::<PlaceCode>().unwrap();
        let rules = Rules {
            cidr: vec![("192.0.2.0/24".parse().unwrap(), ordered(0)), ("192.0.2.0/25".parse().unwrap(), ordered(1))],
            asn: vec![(64500, ordered(2))],
            place: ["NA", "NA-US", "NA-US-HI", "NA-US-HI-Hilo"]
                .map(code)
                .into_iter()
                .zip((0..4).map(ordered))
                .collect(),
            default: None,
        };
        let policy = policy(rules);
        let mut hilo = Place { city: Some("Hilo".into()), asn: Some(64500), ..place("NA-US-HI") };
        let mut steps = vec![members(&policy, "192.0.2.1", &hilo), members(&policy, "192.0.2.200", &hilo)];
        steps.push(members(&policy, "203.0.113.1", &hilo));
        hilo.asn = None;
        steps.push(members(&policy, "203.0.113.1", &hilo));
        for text in ["NA-US-HI", "NA-US", "NA"] {
            steps.push(members(&policy, "203.0.113.1", &place(text)));
        }
        let first: Vec<u16> = steps.iter().map(|(members, _)| members[0]).collect();
        assert_eq!(first, [1, 0, 2, 3, 2, 1, 0]);
        assert_eq!(steps[0].1, Because::Cidr("192.0.2.0/25".parse().unwrap()));
        assert_eq!(steps[5].1.clone(), Because::Place(code("NA-US")));
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

    #[test]
    fn a_member_without_coordinates_is_reached_by_rules_only() {
        let rules = Rules { place: vec![("AF".parse().unwrap(), Preference::Ordered(vec![4]))], ..Rules::default() };
        let policy = policy(rules);
        assert_eq!(members(&policy, "192.0.2.1", &place("EU-DE")), (vec![0, 1, 2, 3], Because::Nearest));
        assert_eq!(members(&policy, "192.0.2.1", &place("AF-ZA")).0, [4]);
    }

    #[test]
    fn a_client_of_whom_nothing_is_known_falls_to_the_default_or_to_all_alike() {
        let mut policy = policy(Rules::default());
        let (ranking, because) = policy.decide("192.0.2.1".parse().unwrap(), &Place::default());
        assert_eq!(because, Because::Nothing);
        assert!(ranking.iter().all(|ranked| ranked.reach == 5));
        policy.rules.default = Some(Preference::Ordered(vec![3, 2]));
        assert_eq!(members(&policy, "192.0.2.1", &Place::default()), (vec![3, 2], Because::Default));
    }

    #[test]
    fn a_rule_can_leave_members_out_or_lean_the_distance() {
        let leaning = |excluded: &[u16], bias: &[(u16, i8)]| {
            let preference = Preference::Adjusted { excluded: excluded.to_vec(), bias: bias.to_vec() };
            policy(Rules { place: vec![("EU".parse().unwrap(), preference)], ..Rules::default() })
        };
        assert_eq!(members(&leaning(&[0], &[]), "192.0.2.1", &place("EU-DE")).0, [1, 2, 3]);
        assert_eq!(members(&leaning(&[], &[(2, 99)]), "192.0.2.1", &place("EU-DE")).0[0], 2);
        assert_eq!(members(&leaning(&[], &[(0, -90)]), "192.0.2.1", &place("EU-DE")).0[0], 1);
    }

    #[test]
    fn members_beyond_the_depth_follow_from_the_first() {
        let mut policy = policy(Rules::default());
        policy.depth = 1;
        // From the middle of the Pacific, Singapore is the first; the rest is ranked as Singapore sees it.
        let (ranking, _) = members(&policy, "192.0.2.1", &Place::at(10.0, 170.0));
        assert_eq!(ranking, [3, 0, 1, 2]);
        policy.depth = 4;
        assert_eq!(members(&policy, "192.0.2.1", &Place::at(10.0, 170.0)).0[..2], [3, 2]);
    }
}
