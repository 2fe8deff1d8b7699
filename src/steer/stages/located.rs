//! The location part of a policy, `rules` and `nearest` one behind the other, read off its compiled ranking.
//!
//! The ranking knows nothing of health and of what other stages took away: whoever is left is put into its order. It is
//! exact for the members whom each client's own place ranks; where the choice goes beyond these (all near sites are
//! down), or nothing is compiled yet, the stages themselves decide, by the place.

use smallvec::SmallVec;

use super::{Asker, Candidates, Dice, Scope, Stage};
use crate::steer::asker::looked_up;
use crate::steer::location::{self, LocationPolicy, Preference, Ranked, Site};
use crate::steer::place_code::PlaceCode;
use crate::steer::policy::StageSpec;
use crate::steer::pool::Pool;
use crate::steer::stages::nearest::Within;
use crate::steer::stages::rules::{On, Rule};

/// Members that each client's own place ranks; see [`LocationPolicy::depth`].
const DEPTH: usize = 3;

/// Where the first stages by location stand among `specs`: `rules`, `nearest`, or both in this order.
pub(in crate::steer) fn span(specs: &[StageSpec]) -> (usize, usize) {
    let is_location = |spec: &StageSpec| matches!(spec, StageSpec::Rules(_) | StageSpec::Nearest { .. });
    let Some(begin) = specs.iter().position(is_location) else { return (0, 0) };
    let is_pair = matches!(specs.get(begin..begin + 2), Some([StageSpec::Rules(_), StageSpec::Nearest { .. }]));
    (begin, begin + 1 + usize::from(is_pair))
}

/// What the stages of [`span`] come to; none where there are none. Their members are known to be in the pool.
pub(in crate::steer) fn policy(specs: &[StageSpec], pool: &Pool) -> Option<LocationPolicy> {
    let index = |name: &str| pool.index_of(name);
    let mut location = LocationPolicy {
        sites: pool.marks().map(|(_, mark, _)| Site { point: mark.point, bias: 0.0 }).collect(),
        rules: location::Rules::default(),
        nearest: None,
        depth: DEPTH,
    };
    for spec in specs {
        match spec {
            StageSpec::Rules(rules) => rules.iter().for_each(|rule| add_rule(&mut location.rules, rule, pool)),
            StageSpec::Nearest { within, bias, fallback } => {
                for (name, bias) in bias {
                    if let Some(site) = index(name).and_then(|at| location.sites.get_mut(usize::from(at))) {
                        site.bias = *bias;
                    }
                }
                location.nearest = Some(location::Nearest {
                    within: match *within {
                        Within::Equal => location::Within::Equal,
                        Within::Share(share) => location::Within::Share(share),
                        Within::Kilometres(km) => location::Within::Kilometres(km),
                    },
                    fallback: fallback.iter().filter_map(|name| index(name)).collect(),
                });
            }
            _ => {}
        }
    }
    (!specs.is_empty()).then_some(location)
}

fn add_rule(rules: &mut location::Rules, rule: &Rule, pool: &Pool) {
    let indices = |names: &[Box<str>]| names.iter().filter_map(|name| pool.index_of(name)).collect();
    let preference = Preference {
        prefer: indices(&rule.prefer),
        exclude: indices(&rule.exclude),
        bias: rule.bias.iter().filter_map(|(name, bias)| Some((pool.index_of(name)?, *bias))).collect(),
    };
    match &rule.on {
        On::Network(network) => rules.cidr.push((*network, preference)),
        On::Asn(asn) => rules.asn.push((*asn, preference)),
        On::City(city) => {
            rules.place.push((PlaceCode { city: Some((**city).into()), ..PlaceCode::default() }, preference));
        }
        On::Geo(geo) => {
            let (continent, country, subdivision) = (Some(geo.continent), geo.country, geo.subdivision);
            rules.place.push((PlaceCode { continent, country, subdivision, city: None }, preference));
        }
        On::Default => rules.default = Some(preference),
    }
}

/// The stage.
#[derive(Debug)]
pub struct Located {
    /// The stages that it stands for.
    pub stages: Vec<Box<dyn Stage>>,
    /// How many candidates must stand where the client's own place puts them.
    pub wanted: usize,
    /// Whether the distance ranks, so that standbys and members without a place are left out.
    pub has_nearest: bool,
}

impl Located {
    /// Puts the candidates into the ranking's order; false if it cannot tell.
    fn order(&self, ranking: &[Ranked], set: &mut Candidates<'_>) -> bool {
        let place = |member: u16| ranking.iter().position(|ranked| ranked.member == member);
        // By rank so far and position in the ranking: whoever has none is not near anybody.
        let mut order: SmallVec<[(u16, usize, usize); 8]> = SmallVec::new();
        for (at, candidate) in set.list().iter().enumerate() {
            if let Some(position) = place(candidate.member) {
                order.push((candidate.rank, position, at));
            }
        }
        order.sort_unstable();
        let is_sure = |position: usize| ranking.get(position).is_some_and(|ranked| ranked.reach > 0);
        // Whoever the ranking leaves out may come in again where too few others are left.
        let wanted = self.wanted.clamp(1, set.list().len().max(1));
        if order.len() < wanted || !order.iter().take(wanted).all(|&(_, position, _)| is_sure(position)) {
            return false;
        }
        let old = set.list.clone();
        set.list.clear();
        let (mut rank, mut group): (u16, Option<(u16, usize)>) = (0, None);
        for (before, position, at) in order {
            let Some(mut candidate) = old.get(at).copied() else { continue };
            match group {
                Some((led, reach)) if led == before && position < reach => {}
                _ => {
                    rank += u16::from(group.is_some());
                    let reach = ranking.get(position).map_or(0, |ranked| usize::from(ranked.reach));
                    group = Some((before, reach));
                }
            }
            candidate.rank = rank;
            set.list.push(candidate);
        }
        true
    }
}

impl Stage for Located {
    fn name(&self) -> &'static str {
        "location"
    }

    fn apply(&self, asker: &Asker<'_>, set: &mut Candidates<'_>, dice: &mut Dice) -> Scope {
        let before = set.list.clone();
        let found = asker.found.filter(|found| {
            if self.has_nearest {
                set.retire_standbys();
            }
            self.order(found.ranking, set)
        });
        if let Some(found) = found.filter(|_| !set.is_traced()) {
            return looked_up(found.length);
        }
        // An explanation tells what each stage did, and comes to the same.
        set.list = before;
        let mut scope = Scope::ALL;
        for stage in &self.stages {
            let before = set.indices();
            let looked_at = stage.apply(asker, set, dice);
            scope = scope.and(looked_at);
            set.close_step(stage.name(), before, looked_at);
        }
        // What the stages looked at may be finer than what they made of it.
        found.map_or(scope, |found| looked_up(found.length))
    }
}
