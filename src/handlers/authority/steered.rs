//! The part of an answer that is chosen: at a steered name, some types are answered by a member of its pool and not by
//! what stands in the zone, where all members stand for those who cannot choose.

use std::sync::Arc;

use super::answer::{Next, Step};
use super::build::absolute;
use super::tree::{Node, Path};
use super::zone::Zone;
use crate::base::{Dice, Instant, bounds};
use crate::chain::{Aged, Answer, Choice, ChoiceStep, Query};
use crate::dns::{ClientSubnet, Ede, EdeCode, Name, Rcode, RecordType};
use crate::steer::helm::name_hash;
use crate::steer::{Bearing, Call, Helm, Outcome, Pool, Rendered, Shown, Steered};

/// A choice, as far as the answer depends on it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) shown: Shown,
    pub(super) scope: u8,
}

/// What choosing takes beside the zone, and what it came to on the way to one answer.
#[derive(Debug)]
pub(super) struct Steer<'t> {
    pub(super) helm: &'t Helm,
    subnet: Option<ClientSubnet>,
    query: &'t Query,
    now: Instant,
    dice: &'t mut Dice,
    /// The longest scope on the way.
    pub(super) scope: u8,
    /// How often was chosen, so that the next who asks may be told otherwise.
    pub(super) choices_made: usize,
    /// Where first, the name asked for there hashed.
    pub(super) first: Option<(Arc<Steered>, u64)>,
    /// What the first choice is to come to, where it has been made already.
    foretold: Option<Chosen>,
    /// How it was chosen, where somebody wants to know.
    choices: Option<Vec<Choice>>,
}

impl<'t> Steer<'t> {
    /// For `query`, which says `subnet` of its client; with `choices` it is told how.
    pub(super) const fn new(
        helm: &'t Helm,
        query: &'t Query,
        subnet: Option<ClientSubnet>,
        now: Instant,
        dice: &'t mut Dice,
        choices: Option<Vec<Choice>>,
    ) -> Self {
        Self { helm, subnet, query, now, dice, scope: 0, choices_made: 0, first: None, foretold: None, choices }
    }

    /// The same where the first choice has been made.
    pub(super) fn with(self, foretold: Option<Chosen>) -> Self {
        Self { foretold, ..self }
    }

    /// How answers were chosen.
    pub(super) fn into_choices(self) -> Option<Vec<Choice>> {
        self.choices
    }

    /// Whether the answer so far is for this client's network and for no other.
    const fn is_tailored(&self) -> bool {
        self.subnet.is_some() && self.scope > 0
    }

    /// The steered name whose data stand at `node`.
    pub(super) fn find(&self, zone: &Zone, node: Node<'_>) -> Option<Arc<Steered>> {
        if self.helm.is_idle() {
            return None;
        }
        self.helm.find(&absolute(node.name, zone.apex())).cloned()
    }

    /// What those who ask for `rtype` at `name` are shown.
    fn pick(&mut self, steered: &Arc<Steered>, name: &Name, rtype: RecordType) -> Chosen {
        if let Some(chosen) = self.foretold.take() {
            self.choices_made += 1;
            return chosen;
        }
        let bearing = self.choose(steered, name);
        let shown = steered.steering().show(&bearing.selection, rtype);
        Chosen { shown, scope: bearing.scope }
    }

    fn choose(&mut self, steered: &Arc<Steered>, name: &Name) -> Bearing {
        let name = name_hash(name);
        let is_rehearsal = self.choices.is_some();
        let resolver = self.query.asker.address.ip();
        let call = Call { name, resolver, subnet: self.subnet, now: self.now, is_rehearsal };
        let bearing = self.helm.steer(steered, &call, self.dice);
        self.choices_made += 1;
        self.first.get_or_insert_with(|| (Arc::clone(steered), name));
        if let Some(choices) = &mut self.choices {
            choices.push(tell(steered, &bearing, self.helm));
        }
        bearing
    }
}

impl Step<'_, '_> {
    /// Answers for `name` by choosing, if its type is chosen here.
    pub(super) fn steered(
        &mut self,
        zone: &Zone,
        name: &Name,
        path: &Path,
        node: Node<'_>,
        wildcard_of: Option<usize>,
    ) -> Option<Next> {
        let rtype = self.rtype;
        let steered = self.steer.find(zone, node).filter(|steered| steered.answers(rtype))?;
        let Chosen { shown, scope } = self.steer.pick(&steered, name, rtype);
        if shown.kind.is_tailored() {
            self.steer.scope = self.steer.scope.max(scope);
        }
        Some(match steered.steering().compose(&shown, name, rtype) {
            Rendered::Records(set) => {
                self.additional(zone, name, rtype, set.rdatas.iter());
                self.push_chosen(set);
                Next::Done
            }
            Rendered::Alias(set) => {
                let target = set.rdatas.iter().next().and_then(|rdata| Name::from_wire(rdata).ok());
                self.push_chosen(set);
                // A scope belongs to one RRset: a tailored alias stands alone (R2.8).
                match target {
                    Some((target, _)) if rtype != RecordType::CNAME && !self.steer.is_tailored() => Next::Alias(target),
                    _ => Next::Done,
                }
            }
            Rendered::NoData => {
                self.nodata(zone, name, path, node, wildcard_of);
                for denial in &mut self.answer.authority {
                    denial.ttl = denial.ttl.min(bounds::STEERED_DENIAL_TTL);
                }
                Next::Done
            }
            Rendered::ServFail => {
                let pool = steered.steering().pool().name();
                let ede = Ede::new(EdeCode::NoReachableAuthority, format!("no member of the pool {pool} is usable"));
                self.answer = Answer::refusal(Rcode::SERVFAIL, ede);
                Next::Done
            }
        })
    }

    /// The chosen records of all the types of `types` that are chosen at `node`, from one selection; the types that are not.
    pub(super) fn steered_types(&mut self, zone: &Zone, name: &Name, node: Node<'_>, types: &mut Vec<RecordType>) {
        let Some(steered) = self.steer.find(zone, node) else { return };
        let (chosen, rest) = types.iter().partition::<Vec<RecordType>, _>(|rtype| steered.answers(**rtype));
        if chosen.is_empty() {
            return;
        }
        *types = rest;
        let bearing = self.steer.choose(&steered, name);
        for rtype in chosen {
            if let Rendered::Records(set) | Rendered::Alias(set) =
                steered.steering().render(&bearing.selection, name, rtype)
            {
                self.steer.scope = self.steer.scope.max(bearing.scope);
                self.push_chosen(set);
            }
        }
    }

    fn push_chosen(&mut self, set: crate::dns::RrSet) {
        let ttl = set.ttl;
        self.answer.answer.push(Aged { set: set.into(), ttl });
    }
}

/// A choice in words.
fn tell(steered: &Steered, bearing: &Bearing, helm: &Helm) -> Choice {
    let Bearing { selection, .. } = bearing;
    let steering = steered.steering();
    let pool = steering.pool();
    let source = steering.source(selection.is_fallback).pool();
    let name = |pool: &Pool, index: u16| pool.member(index).map_or_else(String::new, |member| member.name.to_string());
    let board = helm.scene().board();
    let standings = board.standings(pool);
    let health = (0_u16..).zip(pool.members()).map(|(index, member)| {
        let standing = standings.get(usize::from(index)).copied().unwrap_or_default();
        (member.name.to_string(), standing.word())
    });
    let steps = selection.trace.iter().flat_map(|trace| &trace.steps).map(|step| {
        let pool = if step.is_fallback { source } else { pool };
        let names = |members: &[u16]| members.iter().map(|&index| name(pool, index)).collect();
        ChoiceStep {
            stage: step.stage,
            before: names(&step.before),
            after: names(&step.after),
            scope: step.scope.0,
            facts: step
                .facts
                .iter()
                .map(|(member, fact)| (member.map(|index| name(pool, index)), fact.clone()))
                .collect(),
        }
    });
    Choice {
        owner: steered.owner().to_string(),
        pool: source.name().to_owned(),
        subject: bearing.subject.to_string(),
        place: bearing.place.to_string(),
        health: health.collect(),
        steps: steps.collect(),
        chosen: selection.chosen().iter().map(|&index| name(source, index)).collect(),
        outcome: match selection.outcome {
            Outcome::Members if selection.is_fallback => "members of the fallback pool",
            Outcome::Members => "members",
            Outcome::NoData => "NODATA",
            Outcome::ServFail => "SERVFAIL",
        },
        scope: bearing.scope,
        ttl: selection.ttl,
    }
}
