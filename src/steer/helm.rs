//! The helm: which names are steered, and how each of them answers now.
//!
//! [`Orders`] come in from the configuration, a query's [`Call`] comes in from the zone that the name is in; a
//! [`Bearing`] leaves: the selection, and for how many bits of the client subnet it holds. The helm knows no zone: it is
//! swapped as a whole when pools or policies change, and what it draws on stands in the [`Scene`], which others change
//! part by part.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::asker::{Asker, Scope, looked_up};
use super::atlas::Atlas;
use super::census::Census;
use super::client::{Client, Unknown};
use super::compile::{CompileFault, Compiled};
use super::hashing::hash_bytes;
use super::location::LocationPolicy;
use super::place::{Locator, Place};
use super::policy::{PolicyFault, StageSpec};
use super::pool::Pool;
use super::scene::Scene;
use super::selection::{Selection, Steering, Terms};
use super::subject::{ScopeCap, Subject};
use super::whereabouts::Whereabouts;
use crate::base::collections::{Keyed, Map};
use crate::base::{Dice, Instant, bounds};
use crate::dns::{ClientSubnet, Name, RecordType, RrSet};

/// The types that a member can answer.
const CHOSEN_TYPES: [RecordType; 6] =
    [RecordType::A, RecordType::AAAA, RecordType::CNAME, RecordType::SRV, RecordType::HTTPS, RecordType::SVCB];

/// What a configuration says of a steered name.
#[derive(Clone, PartialEq, Debug)]
pub struct Orders {
    /// The name; the first label may be `*`.
    pub owner: Name,
    /// Whom it answers with.
    pub pool: Arc<Pool>,
    /// How it chooses among them.
    pub stages: Vec<StageSpec>,
    /// Its terms.
    pub terms: Terms,
    /// Who answers where nobody of the pool can.
    pub fallback: Option<Arc<Pool>>,
    /// Whose place decides.
    pub client: Client,
    /// Who counts where the place of a client subnet is unknown.
    pub unknown: Unknown,
}

impl Orders {
    /// Whether the choice depends on where somebody is, so that a database of places is needed.
    #[must_use]
    pub fn need_places(&self) -> bool {
        self.stages.iter().any(StageSpec::looks_at_place)
    }

    /// What stands in the zone for the name: the records of all members, for servers that cannot choose. Of aliases,
    /// of which a name can have one, the first.
    pub fn all_records(&self) -> impl Iterator<Item = RrSet> {
        CHOSEN_TYPES.into_iter().filter_map(|rtype| {
            let mut pools = [Some(&self.pool), self.fallback.as_ref()].into_iter().flatten();
            let pool = pools.find(|pool| pool.has(rtype))?;
            let alias = pool.members().iter().find_map(|member| member.cname.as_ref());
            match alias {
                Some(target) if rtype == RecordType::CNAME => {
                    Some(RrSet::new(self.owner.clone(), rtype, self.terms.ttl_max, [target.wire()]))
                }
                _ => pool.all_records(&self.owner, rtype, self.terms.ttl_max),
            }
        })
    }
}

/// A steered name: its orders made ready, and what it remembers between answers.
#[derive(Debug)]
pub struct Steered {
    orders: Orders,
    steering: Steering,
    locates: bool,
    /// The places, and what the policy makes of them; until it is compiled the stages decide by the places themselves.
    chart: ArcSwapOption<Chart>,
}

/// What a policy makes of all the places there are. Both are of one build, so no answer mixes two.
#[derive(Debug)]
struct Chart {
    atlas: Arc<Atlas>,
    compiled: Arc<Compiled>,
}

impl Steered {
    fn new(orders: Orders, before: Option<&Self>, census: &Census) -> Result<Self, Vec<PolicyFault>> {
        let Orders { pool, stages, terms, fallback, .. } = &orders;
        let mut steering = Steering::new(Arc::clone(pool), stages, *terms, fallback.clone())?;
        steering.enrol(census);
        if let Some(before) = before {
            steering.inherit(&before.steering);
        }
        let locates = orders.need_places();
        Ok(Self { orders, steering, locates, chart: ArcSwapOption::empty() })
    }

    /// The name.
    #[must_use]
    pub const fn owner(&self) -> &Name {
        &self.orders.owner
    }

    /// Its pool, plan and terms.
    #[must_use]
    pub const fn steering(&self) -> &Steering {
        &self.steering
    }

    /// What the configuration says of it.
    #[must_use]
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Reads where the places of `addresses` would be looked up, so that they come nearer; what is returned says nothing.
    #[must_use]
    pub fn foresee(&self, addresses: &[IpAddr]) -> u64 {
        self.chart.load().as_ref().map_or(0, |chart| chart.compiled.touch(addresses))
    }

    /// Whether questions for `rtype` are answered by choosing: some member has such data, or is an alias.
    #[must_use]
    pub fn answers(&self, rtype: RecordType) -> bool {
        let pools = [Some(&self.orders.pool), self.orders.fallback.as_ref()];
        pools.into_iter().flatten().any(|pool| pool.has(rtype) || pool.has(RecordType::CNAME))
    }
}

/// A query for a steered name.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The name asked for, hashed by [`name_hash`]; another than the steered one where that is a wildcard.
    pub name: u64,
    /// Where the query came from.
    pub resolver: IpAddr,
    /// What it says of its client, if that is heeded.
    pub subnet: Option<ClientSubnet>,
    /// The moment.
    pub now: Instant,
    /// Nobody will use the answer: nothing is remembered of it, and everything is told.
    pub is_rehearsal: bool,
}

/// The hash of a name by which draws for it differ from those for others.
#[must_use]
pub fn name_hash(name: &Name) -> u64 {
    hash_bytes(0, name.lowered().wire())
}

/// Where a query is sent.
#[derive(Clone, PartialEq, Debug)]
pub struct Bearing {
    /// Who answers.
    pub selection: Selection,
    /// For how many bits of the client subnet this holds; 0 without one.
    pub scope: u8,
    /// Whose place decided.
    pub subject: IpAddr,
    /// What is known of that place; nothing where no stage asks.
    pub place: Place,
}

/// The steered names and what they draw on.
#[derive(Debug)]
pub struct Helm {
    names: Map<Name, Arc<Steered>>,
    scene: Arc<Scene>,
    ecs: Option<ScopeCap>,
}

impl Helm {
    /// A helm at which no name is steered, and which heeds client subnets all the same.
    #[must_use]
    pub fn idle(scene: Arc<Scene>, ecs: Option<ScopeCap>) -> Self {
        // Only the operator fills the map, so its key need be no secret.
        Self { names: Map::with_hasher(Keyed::with_seeds(1, 2, 3, 4)), scene, ecs }
    }

    /// The names of `orders` under the scene of the helm `before`. A name whose orders have not changed stays the very
    /// same, with its counters and what it remembers of its clients; any other remembers at least who was handed out.
    ///
    /// # Errors
    /// The names whose policies do not fit their pools.
    pub fn relieve(
        before: &Self,
        ecs: Option<ScopeCap>,
        orders: impl IntoIterator<Item = Orders>,
    ) -> Result<Self, Vec<(Name, Vec<PolicyFault>)>> {
        let mut helm = Self::idle(Arc::clone(&before.scene), ecs);
        let mut faults = Vec::new();
        for orders in orders {
            let owner = orders.owner.clone();
            let known = before.names.get(&owner);
            let steered = match known {
                Some(known) if known.orders == orders => Ok(Arc::clone(known)),
                _ => Steered::new(orders, known.map(|known| &**known), helm.scene.census()).map(Arc::new),
            };
            match steered {
                Ok(steered) => {
                    helm.names.insert(owner, steered);
                }
                Err(found) => faults.push((owner, found)),
            }
        }
        helm.scene.census().prune();
        if faults.is_empty() { Ok(helm) } else { Err(faults) }
    }

    /// What steering knows at this moment.
    #[must_use]
    pub const fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// How fine answers to client subnets may be; none where the option is not heeded.
    #[must_use]
    pub const fn ecs(&self) -> Option<ScopeCap> {
        self.ecs
    }

    /// The steered name `owner`; a wildcard only by its own name.
    #[must_use]
    pub fn find(&self, owner: &Name) -> Option<&Arc<Steered>> {
        if self.names.is_empty() { None } else { self.names.get(owner) }
    }

    /// Whether no name is steered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.names.is_empty()
    }

    /// All steered names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<Steered>> {
        self.names.values()
    }

    /// Whether any name is answered by places.
    #[must_use]
    pub fn needs_places(&self) -> bool {
        self.names.values().any(|steered| steered.locates)
    }

    /// Chooses who answers `call` for `steered`.
    #[must_use]
    pub fn steer(&self, steered: &Steered, call: &Call, dice: &mut Dice) -> Bearing {
        let client = steered.orders.client;
        let cap = self.ecs.unwrap_or_default();
        let of_subnet = call.subnet.filter(|_| client != Client::Resolver);
        let of_subnet = of_subnet.and_then(|subnet| Subject::of_subnet(&subnet, cap));
        let subject = of_subnet.unwrap_or_else(|| Subject::of_address(call.resolver));
        let is_placed = of_subnet.is_some() || client != Client::Ecs;
        let chart = steered.chart.load();
        let chart = chart.as_ref().filter(|_| is_placed);
        let resolver_counts = of_subnet.is_some() && steered.orders.unknown == Unknown::Resolver;
        let seek = || {
            if !steered.locates || !is_placed {
                return (Place::default(), Scope::ALL);
            }
            let atlas = chart.map_or_else(|| self.scene.atlas(), |chart| Arc::clone(&chart.atlas));
            locate(&atlas, &subject, resolver_counts, call.resolver)
        };
        let whereabouts = Whereabouts::sought(&seek);
        let asker = Asker {
            subject: subject.address(),
            source: subject.known(),
            resolver: call.resolver,
            whereabouts: &whereabouts,
            found: chart.map(|chart| chart.compiled.find(subject.address())),
            name: call.name,
            now: call.now,
            wall: self.scene.wall(call.now),
            is_rehearsal: call.is_rehearsal,
            agreed: None,
        };
        let board = self.scene.board();
        // Most choices need no more than this, and no look at the feeds.
        let by_place = if call.is_rehearsal { None } else { steered.steering.select_by_place(&asker, &board) };
        let selection = by_place
            .unwrap_or_else(|| steered.steering.select(&asker, &board, &self.scene.feeds(), dice, call.is_rehearsal));
        // What the resolver's own address decides holds for whomever it asks (R2.6).
        let scope = if of_subnet.is_some() { subject.scope(selection.scope.0) } else { 0 };
        if !call.is_rehearsal
            && let Some(weight) = self.scene.census().weight(call.now)
        {
            let sought = whereabouts.found().map(|place| place.country);
            let atlas = || chart.map_or_else(|| self.scene.atlas(), |chart| Arc::clone(&chart.atlas));
            // Where no database is at hand there are no countries at all.
            let country = sought.or_else(|| Some(atlas().locate(subject.address())?.0.country));
            country.inspect(|country| self.scene.census().count_country(*country, weight));
        }
        // Who wants to know how a choice was made wants to know for whom.
        let place = if call.is_rehearsal { Some(whereabouts.place().clone()) } else { whereabouts.into_place() };
        Bearing { selection, scope, subject: subject.address(), place: place.unwrap_or_default() }
    }

    /// Compiles what depends on places anew, for every name of which the places or the policy have changed. Takes up to
    /// some seconds where databases are large, so it is not for workers: these go on meanwhile as before.
    ///
    /// # Errors
    /// The names whose policies cannot be compiled; they go on by the places themselves.
    pub fn compile(&self) -> Result<(), Vec<(Name, CompileFault)>> {
        let atlas = self.scene.atlas();
        let mut charts: Vec<(&LocationPolicy, Arc<Chart>)> = Vec::new();
        let (mut due, mut faults) = (Vec::new(), Vec::new());
        for steered in self.names.values() {
            let Some(location) = steered.steering.location() else { continue };
            // Who counts for an unknown place is not known before the query; rules by network alone have no places.
            if steered.orders.unknown == Unknown::Resolver || !steered.locates {
                continue;
            }
            match steered.chart.load_full().filter(|chart| Arc::ptr_eq(&chart.atlas, &atlas)) {
                Some(chart) if charts.iter().all(|(known, _)| *known != location) => charts.push((location, chart)),
                Some(_) => {}
                None => due.push((steered, location)),
            }
        }
        for (steered, location) in due {
            let known = charts.iter().find(|(known, _)| *known == location).map(|(_, chart)| Arc::clone(chart));
            let chart = match known {
                Some(chart) => Some(chart),
                None if charts.len() >= bounds::COMPILED_POLICIES_MAX => None,
                None => match Compiled::new(&atlas, location) {
                    Ok(compiled) => {
                        let chart = Arc::new(Chart { atlas: Arc::clone(&atlas), compiled: Arc::new(compiled) });
                        charts.push((location, Arc::clone(&chart)));
                        Some(chart)
                    }
                    Err(fault) => {
                        faults.push((steered.owner().clone(), fault));
                        None
                    }
                },
            };
            steered.chart.store(chart);
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// Where the subject is; where that is unknown and the policy wants it so, where the resolver is. The scope stays that
/// of the hole: its clients have the resolver's place in common.
fn locate(atlas: &Atlas, subject: &Subject, resolver_counts: bool, resolver: IpAddr) -> (Place, Scope) {
    let (place, length) = atlas.locate(subject.address()).unwrap_or_default();
    let place = if place.is_unknown() && resolver_counts {
        let resolver = Subject::of_address(resolver).address();
        atlas.locate(resolver).map_or(place, |(place, _)| place)
    } else {
        place
    };
    (place, looked_up(length))
}

#[cfg(test)]
#[path = "helm_tests.rs"]
mod tests;
