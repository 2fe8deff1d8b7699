//! `rules`: people's own table of who answers whom, by network, AS, city or place (R4).
//!
//! Of all matches the most specific counts alone: network (longest) > AS > city > subdivision > country > continent >
//! default. A rule prefers members in an order, excludes some, or lets some look nearer. Members that a rule does not
//! name stay behind those that it names, for the case that these are all down; to shut them out, `fence`.

use std::collections::BTreeMap;
use std::fmt;

use super::{Asker, Candidates, Dice, Scope, Stage};
use crate::base::Network;
use crate::steer::asker::looked_up;
use crate::steer::place::Code;
use crate::steer::policy::PolicyFault;
use crate::steer::pool::Pool;
use crate::steer::prefixes::PrefixMap;

/// Whom a rule is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum On {
    /// Subjects in a network.
    Network(Network),
    /// Subjects announced by an autonomous system.
    Asn(u32),
    /// Subjects in a city, by its English name.
    City(Box<str>),
    /// Subjects in a continent, country or subdivision.
    Geo(Geo),
    /// Everybody else.
    Default,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Asn(asn) => write!(f, "AS{asn}"),
            Self::City(city) => f.write_str(city),
            Self::Geo(Geo { continent, country, subdivision }) => {
                continent.fmt(f)?;
                [country, subdivision].into_iter().flatten().try_for_each(|code| write!(f, "-{code}"))
            }
            Self::Default => f.write_str("default"),
        }
    }
}

/// `continent[-country[-subdivision]]`: `EU`, `NA-US`, `NA-US-HI`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Geo {
    /// The continent.
    pub continent: Code,
    /// The country in it.
    pub country: Option<Code>,
    /// The subdivision of the country.
    pub subdivision: Option<Code>,
}

impl std::str::FromStr for Geo {
    type Err = crate::steer::place::BadCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut codes = text.split('-').map(str::parse);
        let continent: Code = codes.next().ok_or(crate::steer::place::BadCode)??;
        let (country, subdivision) = (codes.next().transpose()?, codes.next().transpose()?);
        let is_continent = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"].contains(&continent.as_str());
        if codes.next().is_some() || !is_continent || country.is_some_and(|code: Code| code.as_str().len() != 2) {
            return Err(crate::steer::place::BadCode);
        }
        Ok(Self { continent, country, subdivision })
    }
}

/// A rule as it is written.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Whom it is for.
    pub on: On,
    /// The members that answer, in this order.
    pub prefer: Vec<Box<str>>,
    /// Members that do not answer.
    pub exclude: Vec<Box<str>>,
    /// Members that look nearer (or farther) by so many percent, −99 to 99.
    pub bias: Vec<(Box<str>, f64)>,
}

/// What a rule says, its members found in the pool.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    pub(super) prefer: Vec<u16>,
    exclude: Vec<u16>,
    bias: Vec<(u16, f64)>,
    label: Box<str>,
}

/// A table of rules, ready to be searched.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    verdicts: Vec<Verdict>,
    networks: PrefixMap<usize>,
    has_networks: bool,
    asns: BTreeMap<u32, usize>,
    cities: Vec<(Box<str>, usize)>,
    geos: BTreeMap<Geo, usize>,
    default: Option<usize>,
}

impl Table {
    /// The table of `rules` over the members of `pool`.
    ///
    /// # Errors
    /// [`PolicyFault::UnknownMember`] for each name that is not in the pool, [`PolicyFault::BadBias`].
    pub fn new(rules: &[Rule], pool: &Pool) -> Result<Self, Vec<PolicyFault>> {
        let mut faults = Vec::new();
        let mut index = |name: &str| {
            let found = pool.index_of(name);
            if found.is_none() {
                faults.push(PolicyFault::UnknownMember(name.into()));
            }
            found
        };
        let mut verdicts = Vec::with_capacity(rules.len());
        for rule in rules {
            verdicts.push(Verdict {
                prefer: rule.prefer.iter().filter_map(|name| index(name)).collect(),
                exclude: rule.exclude.iter().filter_map(|name| index(name)).collect(),
                bias: rule.bias.iter().filter_map(|(name, bias)| Some((index(name)?, *bias))).collect(),
                label: rule.on.to_string().into(),
            });
        }
        if rules.iter().flat_map(|rule| &rule.bias).any(|(_, bias)| !(-99.0..=99.0).contains(bias)) {
            faults.push(PolicyFault::BadBias);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut networks = Vec::new();
        let mut table = Self {
            verdicts,
            networks: PrefixMap::new(&[]),
            has_networks: false,
            asns: BTreeMap::new(),
            cities: Vec::new(),
            geos: BTreeMap::new(),
            default: None,
        };
        for (at, rule) in rules.iter().enumerate() {
            match &rule.on {
                On::Network(network) => networks.push((*network, at)),
                On::Asn(asn) => {
                    table.asns.insert(*asn, at);
                }
                On::City(city) => table.cities.push((city.clone(), at)),
                On::Geo(geo) => {
                    table.geos.insert(*geo, at);
                }
                On::Default => table.default = Some(at),
            }
        }
        table.has_networks = !networks.is_empty();
        table.networks = PrefixMap::new(&networks);
        Ok(table)
    }

    /// What the table says of the asker, and how many bits of the subject that took.
    #[must_use]
    pub fn find(&self, asker: &Asker<'_>) -> (Option<&Verdict>, Scope) {
        let mut scope = Scope::ALL;
        if self.has_networks {
            let (found, length) = self.networks.find(asker.subject);
            scope = looked_up(length);
            if let Some(&at) = found {
                return (self.verdicts.get(at), scope);
            }
        }
        if !self.asns.is_empty() || !self.cities.is_empty() || !self.geos.is_empty() {
            scope = scope.and(asker.place_scope());
        }
        let at = self.find_place(asker).or(self.default);
        (at.and_then(|at| self.verdicts.get(at)), scope)
    }

    fn find_place(&self, asker: &Asker<'_>) -> Option<usize> {
        let place = asker.place();
        if let Some(&at) = place.asn.and_then(|asn| self.asns.get(&asn)) {
            return Some(at);
        }
        if let Some(city) = &place.city
            && let Some((_, at)) = self.cities.iter().find(|(name, _)| name.eq_ignore_ascii_case(city))
        {
            return Some(*at);
        }
        // A level that is not known is skipped; it is no mismatch of the wider ones.
        let continent = place.continent?;
        let wider = [(place.country, place.subdivision), (place.country, None), (None, None)];
        wider
            .into_iter()
            .find_map(|(country, subdivision)| self.geos.get(&Geo { continent, country, subdivision }).copied())
    }
}

/// The stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Rules(pub Table);

impl Stage for Rules {
    fn name(&self) -> &'static str {
        "rules"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, _: &mut Dice) -> Scope {
        let (verdict, scope) = self.0.find(asker);
        let Some(verdict) = verdict else { return scope };
        set.note(None, || verdict.label.to_string());
        if set.list().iter().any(|candidate| !verdict.exclude.contains(&candidate.member)) {
            set.retain(|candidate| !verdict.exclude.contains(&candidate.member));
        } else {
            set.note(None, || "everybody is excluded, so nobody is".to_owned());
        }
        for candidate in &mut set.list {
            candidate.is_named = verdict.prefer.contains(&candidate.member);
            if let Some((_, bias)) = verdict.bias.iter().find(|(member, _)| *member == candidate.member) {
                candidate.bias = *bias;
            }
        }
        let behind = verdict.prefer.len();
        set.set_keys(|candidate| {
            verdict.prefer.iter().position(|&member| member == candidate.member).unwrap_or(behind) as f64
        });
        set.rank(|one, other| one.total_cmp(&other).is_eq());
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::place::Place;
    use crate::steer::testing::{asker_at, order, pool};

    fn rule(on: On, prefer: &[&str]) -> Rule {
        Rule { on, prefer: prefer.iter().map(|&name| name.into()).collect(), exclude: vec![], bias: vec![] }
    }

    fn geo(text: &str) -> On {
        On::Geo(text.parse().unwrap())
    }

    #[test]
    fn the_most_specific_match_replaces_the_others() {
        let pool = pool(&[("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0), ("e", 1.0), ("f", 1.0), ("g", 1.0)]);
        let rules = [
            rule(On::Default, &["g"]),
            rule(geo("NA"), &["f"]),
            rule(geo("NA-US"), &["e"]),
            rule(geo("NA-US-HI"), &["d"]),
            rule(On::City("Hilo".into()), &["c"]),
            rule(On::Asn(64500), &["b"]),
            rule(On::Network("192.0.2.0/24".parse().unwrap()), &["a"]),
        ];
        let stage = Rules(Table::new(&rules, &pool).unwrap());
        let mut dice = Dice::from_number(1);
        let mut place = Place {
            continent: "NA".parse().ok(),
            country: "US".parse().ok(),
            subdivision: "HI".parse().ok(),
            city: Some("Hilo".into()),
            asn: Some(64500),
            ..Place::default()
        };
        let mut first = |place: &Place, address: &str| order(&stage, &pool, &asker_at(address, place), &mut dice)[0];
        assert_eq!(first(&place, "192.0.2.1"), 0);
        assert_eq!(first(&place, "198.51.100.1"), 1);
        place.asn = None;
        assert_eq!(first(&place, "198.51.100.1"), 2);
        place.city = Some("Honolulu".into());
        assert_eq!(first(&place, "198.51.100.1"), 3);
        place.subdivision = None;
        assert_eq!(first(&place, "198.51.100.1"), 4);
        place.country = None;
        assert_eq!(first(&place, "198.51.100.1"), 5);
        place.continent = None;
        assert_eq!(first(&place, "198.51.100.1"), 6);
    }

    #[test]
    fn a_rule_orders_and_leaves_the_others_behind() {
        let pool = pool(&[("iad", 1.0), ("fra", 1.0), ("sin", 1.0)]);
        let stage = Rules(Table::new(&[rule(geo("NA-US-HI"), &["sin", "iad"])], &pool).unwrap());
        let place = Place {
            continent: "NA".parse().ok(),
            country: "US".parse().ok(),
            subdivision: "HI".parse().ok(),
            ..Place::default()
        };
        let asker = asker_at("192.0.2.1", &place);
        assert_eq!(order(&stage, &pool, &asker, &mut Dice::from_number(1)), [2, 0, 1]);
    }

    #[test]
    fn excluded_members_do_not_answer() {
        let pool = pool(&[("a", 1.0), ("b", 1.0)]);
        let mut excluding = rule(On::Default, &[]);
        excluding.exclude.push("a".into());
        let stage = Rules(Table::new(&[excluding], &pool).unwrap());
        let place = Place::default();
        assert_eq!(order(&stage, &pool, &asker_at("192.0.2.1", &place), &mut Dice::from_number(1)), [1]);
    }

    #[test]
    fn a_network_rule_looks_no_further_than_its_piece() {
        let pool = pool(&[("a", 1.0)]);
        let rules = [rule(On::Network("10.0.0.0/8".parse().unwrap()), &["a"]), rule(geo("EU"), &["a"])];
        let table = Table::new(&rules, &pool).unwrap();
        let place = Place { continent: "EU".parse().ok(), ..Place::default() };
        assert_eq!(table.find(&asker_at("10.1.1.1", &place)).1, Scope(8));
        assert_eq!(table.find(&asker_at("192.0.2.1", &place)).1, Scope(16));
    }

    #[test]
    fn a_bare_code_is_a_continent_and_unknown_members_are_faults() {
        assert!("NO".parse::<Geo>().is_err());
        assert!("EU-NO".parse::<Geo>().is_ok());
        assert!("EU-NO-03-x".parse::<Geo>().is_err());
        assert_eq!(geo("na-us-hi").to_string(), "NA-US-HI");
        let faults = Table::new(&[rule(On::Default, &["nobody"])], &pool(&[("a", 1.0)])).unwrap_err();
        assert_eq!(faults, [PolicyFault::UnknownMember("nobody".into())]);
    }
}
