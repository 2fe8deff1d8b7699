//! The part of a policy that depends on where a client is: rules by network, system and place, else the nearest site.
//!
//! A place comes in, a ranking leaves: members in the order in which they are to be tried. Health is no part of it;
//! whoever chooses skips the members that are down, and the ranking says at every position with which others the
//! first one left shares the clients.

use std::net::IpAddr;

use crate::base::Network;

use super::centroids;
use super::place::{Place, Point};
use super::place_code::PlaceCode;

/// Distances closer than this are equal, kilometres.
const TIE_KM: f64 = 1e-6;

/// What one policy makes of a client's location.
#[derive(Clone, PartialEq, Debug)]
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
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Site {
    /// None: never chosen for being near, still reached by rules.
    pub point: Option<Point>,
    /// −99 to 99: how many per cent nearer (or, below 0, farther) the member counts than it is.
    pub bias: f64,
}

/// How the distance ranks.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Nearest {
    /// Members hardly farther than the nearest share its clients.
    pub within: Within,
    /// Who goes first for clients whose place is unknown, in order.
    pub fallback: Vec<u16>,
}

/// How much farther than the nearest a member may be to share its clients.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Within {
    /// Only at the same distance.
    #[default]
    Equal,
    /// By this share of the nearest's distance: 0.1 is 10 %.
    Share(f64),
    /// By this distance.
    Kilometres(f64),
}

/// Rules by location. The most specific that matches counts, alone: cidr (the longest), then asn, city, subdivision,
/// country, continent, default. Of equals the first counts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rules {
    /// By network.
    pub cidr: Vec<(Network, Preference)>,
    /// By autonomous system.
    pub asn: Vec<(u32, Preference)>,
    /// By place.
    pub place: Vec<(PlaceCode, Preference)>,
    /// For everybody else.
    pub default: Option<Preference>,
}

/// What a rule wants.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Preference {
    /// The members that go first, in this order. The others stay behind them, for the case that these are all down,
    /// as near as they are to the first.
    pub prefer: Vec<u16>,
    /// Members left out; if these are all there are, nobody is.
    pub exclude: Vec<u16>,
    /// Per cent, −99 to 99, by which members count as nearer, beside their own bias.
    pub bias: Vec<(u16, f64)>,
}

/// A member at its position in a ranking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ranked {
    /// The member's number.
    pub member: u16,
    /// Where the group ends that shares the clients if this member is the first one left: its members are those
    /// from this position up to, not including, this one. 0 where the client's own place did not decide the position:
    /// whoever comes to choose among those decides by the place itself.
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
    /// Nothing: the place is unknown, or the policy does not ask for the distance.
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
        } else {
            match self.rules.of_place(place) {
                Some((Some(code), preference)) => (Some(preference), Because::Place(code.clone())),
                Some((None, preference)) => (Some(preference), Because::Default),
                None if self.nearest.is_some() && centroids::point_of(place).is_some() => (None, Because::Nearest),
                None => (None, Because::Nothing),
            }
        };
        (self.rank(place, rule), because)
    }

    /// The ranking of a place under a rule, if one matched.
    pub(super) fn rank(&self, place: &Place, rule: Option<&Preference>) -> Vec<Ranked> {
        let none = Preference::default();
        let rule = rule.unwrap_or(&none);
        let members = || (0_u16..).zip(&self.sites);
        let is_kept = |member: u16| !rule.exclude.contains(&member);
        let anybody = members().any(|(member, _)| is_kept(member));
        let kept: Vec<(u16, &Site)> = members().filter(|(member, _)| is_kept(*member) || !anybody).collect();
        if !rule.prefer.is_empty() {
            return self.behind(&rule.prefer, &kept);
        }
        let client = centroids::point_of(place);
        match (&self.nearest, client) {
            (Some(nearest), Some(client)) => self.by_distance(nearest, &client, &kept, &rule.bias),
            (Some(nearest), None) => in_order(&nearest.fallback, &kept),
            (None, _) => in_order(&[], &kept),
        }
    }

    /// The preferred members in order, the others behind them, as near as they are to the first: wherever the client
    /// is, so that it cuts no prefix.
    fn behind(&self, prefer: &[u16], kept: &[(u16, &Site)]) -> Vec<Ranked> {
        let mut ranking = in_order(prefer, kept);
        if self.nearest.is_none() {
            return ranking;
        }
        let named = ranking.iter().filter(|ranked| prefer.contains(&ranked.member)).count();
        match ranking.first().and_then(|first| self.sites.get(usize::from(first.member))?.point) {
            Some(first) => {
                let others: Vec<u16> = ranking.drain(named..).map(|ranked| ranked.member).collect();
                ranking.extend(self.from(&first, others.into_iter()));
            }
            None => ranking.iter_mut().skip(named).for_each(|other| other.reach = 0),
        }
        ranking
    }

    /// Members with coordinates by their distance from `first`.
    fn from(&self, first: &Point, members: impl Iterator<Item = u16>) -> impl Iterator<Item = Ranked> {
        let mut ordered: Vec<(f64, u16)> = members
            .filter_map(|member| {
                let point = self.sites.get(usize::from(member))?.point?;
                Some((first.distance_km(&point), member))
            })
            .collect();
        ordered.sort_unstable_by(|one, two| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1)));
        ordered.into_iter().map(|(_, member)| Ranked { member, reach: 0 })
    }

    fn by_distance(
        &self,
        nearest: &Nearest,
        client: &Point,
        kept: &[(u16, &Site)],
        leaning: &[(u16, f64)],
    ) -> Vec<Ranked> {
        let lean = |member: u16| leaning.iter().find(|(at, _)| *at == member).map_or(0.0, |&(_, bias)| bias);
        let mut ranked: Vec<(f64, u16)> = kept
            .iter()
            .filter_map(|&(member, site)| {
                Some((biased(client.distance_km(&site.point?), site.bias + lean(member)), member))
            })
            .collect();
        ranked.sort_unstable_by(|one, two| one.0.total_cmp(&two.0).then(one.1.cmp(&two.1)));
        let bound = |distance: f64| match nearest.within {
            Within::Equal => distance + TIE_KM,
            Within::Share(share) => distance.mul_add(share, distance + TIE_KM),
            Within::Kilometres(km) => distance + km + TIE_KM,
        };
        let reach_of = |at: usize| {
            ranked.get(at).map_or(at, |&(distance, _)| {
                let bound = bound(distance);
                at + ranked.get(at..).unwrap_or_default().partition_point(|&(other, _)| other <= bound)
            })
        };
        // The head is ranked exactly, and is as long as the groups of its first members are.
        let depth = self.depth.clamp(1, ranked.len().max(1));
        let head = (0..depth).map(reach_of).max().unwrap_or(0).max(depth).min(ranked.len());
        let mut ranking: Vec<Ranked> = (0..head)
            .filter_map(|at| Some(Ranked { member: ranked.get(at)?.1, reach: reach_of(at).min(head) as u16 }))
            .collect();
        // What is left is ranked from the first member: a function of the head, so it cuts no prefix.
        let first = ranking.first().and_then(|first| self.sites.get(usize::from(first.member))?.point);
        if let Some(first) = first {
            let others = ranked.get(head..).unwrap_or_default().iter().map(|&(_, member)| member);
            ranking.extend(self.from(&first, others));
        }
        ranking
    }
}

impl Rules {
    /// The most specific rule that covers `place`, and the code that it is for; none for the default rule.
    pub(super) fn of_place(&self, place: &Place) -> Option<(Option<&PlaceCode>, &Preference)> {
        let covering = self.place.iter().rev().filter(|(code, _)| code.covers(place));
        let covering = covering.max_by_key(|(code, _)| code.level()); // of equals the last, which is the first written
        covering
            .map(|(code, preference)| (Some(code), preference))
            .or_else(|| self.default.as_ref().map(|preference| (None, preference)))
    }
}

/// AWS's published form of a bias: a positive one draws clients from farther away, a negative one keeps them off.
fn biased(distance: f64, bias: f64) -> f64 {
    let part = bias.clamp(-99.0, 99.0) / 100.0;
    if part >= 0.0 { distance * (1.0 - part) } else { distance / (1.0 + part) }
}

/// Those of `first` that are kept, in order, and behind them all others alike.
fn in_order(first: &[u16], kept: &[(u16, &Site)]) -> Vec<Ranked> {
    let mut members: Vec<u16> = Vec::with_capacity(kept.len());
    for &member in first {
        if !members.contains(&member) && kept.iter().any(|(at, _)| *at == member) {
            members.push(member);
        }
    }
    let named = members.len();
    members.extend(kept.iter().map(|(member, _)| *member).filter(|member| !first.contains(member)));
    let end = members.len();
    members
        .into_iter()
        .enumerate()
        .map(|(at, member)| Ranked { member, reach: if at < named { at + 1 } else { end } as u16 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: Rules) -> LocationPolicy {
        let at = |north, east| Site { point: Some(Point::new(north, east)), bias: 0.0 };
        // Frankfurt, Amsterdam, Ashburn, Singapore, and one that is nowhere.
        let sites = vec![at(50.0, 8.6), at(52.3, 4.8), at(38.9, -77.5), at(1.4, 104.0), Site::default()];
        LocationPolicy { sites, rules, nearest: Some(Nearest::default()), depth: 8 }
    }

    fn prefer(members: &[u16]) -> Preference {
        Preference { prefer: members.to_vec(), ..Preference::default() }
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
        let ordered = |member| Preference { prefer: vec![member], ..Preference::default() };
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
    fn a_member_without_coordinates_is_reached_by_rules_only() {
        let rules = Rules { place: vec![("AF".parse().unwrap(), prefer(&[4]))], ..Rules::default() };
        let policy = policy(rules);
        assert_eq!(members(&policy, "192.0.2.1", &place("EU-DE")), (vec![0, 1, 2, 3], Because::Nearest));
        assert_eq!(members(&policy, "192.0.2.1", &place("AF-ZA")).0, [4, 0, 1, 2, 3]);
    }

    #[test]
    fn a_client_of_whom_nothing_is_known_falls_to_the_fallback_or_to_all_alike() {
        let mut policy = policy(Rules::default());
        let (ranking, because) = policy.decide("192.0.2.1".parse().unwrap(), &Place::default());
        assert_eq!(because, Because::Nothing);
        assert!(ranking.iter().all(|ranked| ranked.reach == 5));
        policy.nearest = Some(Nearest { fallback: vec![3, 2], ..Nearest::default() });
        assert_eq!(members(&policy, "192.0.2.1", &Place::default()), (vec![3, 2, 0, 1, 4], Because::Nothing));
        policy.rules.default = Some(prefer(&[2, 4]));
        assert_eq!(members(&policy, "192.0.2.1", &Place::default()), (vec![2, 4, 1, 0, 3], Because::Default));
    }

    #[test]
    fn a_rule_can_leave_members_out_or_lean_the_distance() {
        let leaning = |exclude: &[u16], bias: &[(u16, f64)]| {
            let preference = Preference { prefer: vec![], exclude: exclude.to_vec(), bias: bias.to_vec() };
            policy(Rules { place: vec![("EU".parse().unwrap(), preference)], ..Rules::default() })
        };
        assert_eq!(members(&leaning(&[0], &[]), "192.0.2.1", &place("EU-DE")).0, [1, 2, 3]);
        assert_eq!(members(&leaning(&[], &[(2, 99.0)]), "192.0.2.1", &place("EU-DE")).0[0], 2);
        assert_eq!(members(&leaning(&[], &[(0, -90.0)]), "192.0.2.1", &place("EU-DE")).0[0], 1);
        assert_eq!(members(&leaning(&[0, 1, 2, 3, 4], &[]), "192.0.2.1", &place("EU-DE")).0, [0, 1, 2, 3]);
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
