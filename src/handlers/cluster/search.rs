//! Search paths that are gone through here: a stub resolver in a pod asks for `www.example.com.N.svc.Z.` first, and for
//! four or five names more before it hears of `www.example.com.`; it is told at once.
//!
//! Only for who is known: the address is that of one pod, which does not share its host's, was started long enough ago for
//! the table to know who had the address before, and is of the namespace in the name; and the table follows the API. All
//! others hear what they would hear without.
//!
//! What is told depends on who asks, so a [`Searcher`] stays with the question in the fast tempo, and tells by the pod's
//! namespace and by what the cluster has at the names on the path which answer is whose.

use std::sync::Arc;
use std::time::Duration;

use super::answer;
use super::find::{Found, find};
use super::settings::Autopath;
use super::table::order;
use super::witness::PICK;
use super::{Cluster, Standing, Table};
use crate::base::{Dice, Instant, bounds};
use crate::chain::{Answer, Asker, Chooser, Handler, Path, Pick, Query, Step, Turn, Verdict};
use crate::dns::{Class, ClientSubnet, Name, Opcode, Rcode, RecordType};
use crate::steer::Scene;

/// Goes through the search paths of a cluster's pods.
#[derive(Clone, Debug)]
pub struct Search {
    cluster: Cluster,
    /// The hosts' search domains.
    domains: Arc<[Name]>,
    age_min: Duration,
    /// Where the calendar is.
    scene: Arc<Scene>,
}

/// The first name of a pod's search path: `base` in the domain of a namespace.
#[derive(Clone, Debug)]
struct First {
    /// What the pod means: the labels in front, in lower case.
    base: Name,
    /// The namespace.
    namespace: Box<[u8]>,
    /// The zone.
    zone: Name,
}

impl Search {
    /// For the pods of `cluster`, as `autopath` says; `scene` has the calendar.
    #[must_use]
    pub fn new(cluster: Cluster, autopath: &Autopath, scene: Arc<Scene>) -> Self {
        Self { cluster, domains: autopath.search.as_slice().into(), age_min: autopath.age_min, scene }
    }

    /// What `query` asks for, if a pod could have asked for it as the first name of its path, and could believe an alias
    /// that nobody signed.
    fn first(&self, query: &Query) -> Option<First> {
        let Query { question, asker, flags, .. } = query;
        let is_plain = question.class == Class::IN && !question.rtype.is_meta() && flags.opcode == Opcode::QUERY;
        if !is_plain || !flags.recursion_desired || !asker.may_recurse || query.wants_dnssec() {
            return None;
        }
        let zones = &self.cluster.settings().zones;
        let zone = zones.iter().filter(|zone| question.name.is_below(zone)).max_by_key(|zone| zone.label_count())?;
        let labels: Vec<&[u8]> = question.name.labels().collect();
        let (front, _) = labels.split_at_checked(labels.len().checked_sub(zone.label_count())?)?;
        match front {
            [base @ .., namespace, svc] if !base.is_empty() && svc.eq_ignore_ascii_case(b"svc") => Some(First {
                base: Name::from_labels(base.iter().copied()).ok()?.lowered(),
                namespace: (*namespace).into(),
                zone: zone.lowered(),
            }),
            _ => None,
        }
    }

    /// Whether it is known that a pod of `namespace` asks.
    fn is_pod_of(&self, namespace: &[u8], asker: &Asker, table: &Table, now: Instant) -> bool {
        let wall = self.scene.wall(now);
        let is_old = |started: u64| started.saturating_add(self.age_min.as_secs()) <= wall;
        self.cluster.standing() == Standing::Current
            && table.pod_at(asker.address.ip().to_canonical()).is_some_and(|pod| {
                !pod.is_on_host && order(&pod.key.namespace, namespace).is_eq() && pod.started.is_some_and(is_old)
            })
    }

    /// The names behind the first, in the order of a pod's search list, and as it was meant at last.
    fn names(&self, first: &First) -> Vec<Name> {
        let svc = first.zone.child(b"svc").ok();
        let domains = svc.iter().chain([&first.zone]).chain(&*self.domains);
        let searched = domains.filter_map(|domain| first.base.with_ending(&Name::root(), &domain.lowered())?.ok());
        searched.chain([first.base.clone()]).take(bounds::SEARCH_MAX).collect()
    }

    /// What the cluster has at the first of `names` that it has anything at.
    fn mark(&self, names: &[Name], query_type: RecordType, table: &Table) -> Mark {
        let settings = self.cluster.settings();
        for (name, place) in names.iter().zip(0..) {
            if !self.cluster.owns(name) {
                continue;
            }
            let Some(zone) = settings.zone_of(name) else { return Mark::Untold };
            let found = find(table, settings, zone, name);
            if !matches!(found, Found::Denied) {
                let mark = answer::mark(&found, query_type, table.serial());
                return mark.map_or(Mark::Untold, |mark| Mark::Found(place, mark));
            }
        }
        Mark::Nothing
    }

    /// What a pod is told where the cluster has nothing at the first name: `otherwise`, or what the path leads to. Where it
    /// `is_told` by a pick it may be remembered for others who have the same.
    fn path(&self, first: &First, otherwise: Answer, is_told: bool) -> Verdict {
        let steps = self.names(first).into_iter().map(|name| {
            let is_chosen = is_told && self.cluster.settings().zone_of(&name).is_some() && self.cluster.owns(&name);
            Step { name, is_chosen }
        });
        let ttl = u32::try_from(self.cluster.settings().ttl.as_secs()).unwrap_or(u32::MAX);
        Verdict::Search(Box::new(Path { otherwise, steps: steps.collect(), ttl }))
    }
}

/// What there is on a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    /// Nothing of the cluster's.
    Nothing,
    /// At that place what [`answer::mark`] tells.
    Found(u8, (u8, u64)),
    /// What no mark tells.
    Untold,
}

impl Handler for Search {
    fn name(&self) -> &'static str {
        self.cluster.name()
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        let Some(first) = self.first(query) else { return self.cluster.handle(query, turn) };
        match self.cluster.handle(query, turn) {
            Verdict::Answer(mut answer) => {
                let is_denied = answer.rcode == Rcode::NXDOMAIN;
                let is_pod = self.is_pod_of(&first.namespace, &query.asker, &self.cluster.table(), turn.now);
                answer.chooser = answer.chooser.take().map(|plain| {
                    let names = self.names(&first);
                    let (search, rtype) = (self.clone(), query.question.rtype);
                    Arc::new(Searcher { plain, search, first: first.clone(), names, rtype }) as Arc<dyn Chooser>
                });
                if is_denied && is_pod { self.path(&first, answer, false) } else { Verdict::Answer(answer) }
            }
            verdict => verdict,
        }
    }
}

/// Stays with a question that may be the first of a path.
#[derive(Debug)]
struct Searcher {
    /// Who stays with it for those without a path.
    plain: Arc<dyn Chooser>,
    search: Search,
    first: First,
    names: Vec<Name>,
    rtype: RecordType,
}

/// The first octet of a pick: for whom.
const STRANGER: u8 = 0;
const POD: u8 = 1;

impl Searcher {
    /// What is chosen for an asker, of which `plain` is what those without a path get.
    fn pick(&self, plain: &Pick, asker: &Asker, now: Instant) -> (Pick, Mark) {
        let table = self.search.cluster.table();
        let is_pod = self.search.is_pod_of(&self.first.namespace, asker, &table, now);
        let mut octets = smallvec::SmallVec::new();
        octets.push(if is_pod { POD } else { STRANGER });
        octets.extend_from_slice(&plain.octets);
        let is_denied = plain.octets.first() == Some(&answer::DENIED);
        let mark = if is_pod && is_denied { self.search.mark(&self.names, self.rtype, &table) } else { Mark::Nothing };
        match mark {
            Mark::Nothing => {}
            Mark::Found(place, (kind, number)) => {
                octets.extend_from_slice(&[place, kind]);
                octets.extend_from_slice(&number.to_be_bytes());
            }
            Mark::Untold => octets.push(u8::MAX),
        }
        (Pick { octets, scope: plain.scope }, mark)
    }

    /// What those without a path get, of a pick.
    fn plain_of(pick: &Pick) -> Option<(u8, Pick)> {
        let (who, rest) = pick.octets.split_first()?;
        let octets = rest.get(..PICK)?.into();
        Some((*who, Pick { octets, scope: pick.scope }))
    }
}

impl Chooser for Searcher {
    fn choose(&self, asker: &Asker, subnet: Option<ClientSubnet>, now: Instant, dice: &mut Dice) -> Pick {
        let plain = self.plain.choose(asker, subnet, now, dice);
        self.pick(&plain, asker, now).0
    }

    fn answer(&self, query: &Query, pick: &Pick, turn: &mut Turn<'_>) -> Verdict {
        let Some((who, plain)) = Self::plain_of(pick) else { return Verdict::Pass };
        match self.plain.answer(query, &plain, turn) {
            Verdict::Answer(answer) if who == POD && answer.rcode == Rcode::NXDOMAIN => {
                // The table may be another than the one that was chosen by; then the answer is given, but not kept.
                let (now, mark) = self.pick(&plain, &query.asker, turn.now);
                let is_told = now == *pick && mark != Mark::Untold && answer.recallable_until.is_some();
                self.search.path(&self.first, answer, is_told)
            }
            verdict => verdict,
        }
    }
}
