//! Answers for our zones, as the authoritative server that we are for them.
//!
//! Master files come in ([`master_file`]) and become zones ([`Builder`], [`Zone`]): immutable snapshots, swapped
//! as one. A query for a name within one of them is decided here and goes no further; any other passes. Nothing
//! here reads a file or knows how a zone got its data.

pub mod alias;
mod answer;
mod build;
mod denial;
mod difference;
mod finding;
pub mod journal;
mod lint;
mod lookup;
pub mod master_file;
mod nsec3;
pub mod patch;
mod steered;
#[cfg(test)]
mod steered_tests;
mod steersman;
#[cfg(test)]
mod tests;
pub mod transfer;
mod tree;
pub mod tsig;
pub mod update;
mod zone;
mod zones;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use answer::Decision;
pub use build::{Builder, Entry};
pub use difference::{Difference, Misfit};
pub use finding::{Fault, Finding, Findings, Place, Severity};
pub use tree::SetView;
pub use zone::Zone;
pub use zones::{Hosted, Zones};

use self::steered::Steer;
use self::steersman::Steersman;
use crate::base::collections::Keyed;
use crate::base::{Dice, Instant};
use crate::chain::{Answer, Choice, Handler, Query, Turn, Verdict};
use crate::dns::{Class, Ede, EdeCode, Name, Opcode, Rcode, RecordType};
use crate::steer::Helm;

/// Reads the master file `text`, called `file` in findings, as the zone `origin`. The zone is there unless there
/// are errors.
#[must_use]
pub fn load(
    origin: &Name,
    text: &[u8],
    file: &str,
    include: &mut master_file::Include<'_>,
    keyed: Keyed,
) -> (Option<Zone>, Findings) {
    let mut builder = Builder::new(origin.clone());
    master_file::read(text, file, include, &mut builder);
    builder.finish(keyed)
}

/// The link of the chain that answers for our zones.
#[derive(Debug)]
pub struct Authority {
    zones: ArcSwap<Zones>,
    helm: ArcSwap<Helm>,
}

impl Authority {
    /// A link that serves `zones` and chooses by `helm` where a name is steered.
    #[must_use]
    pub fn new(zones: Zones, helm: Helm) -> Self {
        Self { zones: ArcSwap::from_pointee(zones), helm: ArcSwap::from_pointee(helm) }
    }

    /// The zones in force.
    #[must_use]
    pub fn zones(&self) -> Arc<Zones> {
        self.zones.load_full()
    }

    /// Puts `zones` in force; queries being answered keep the old ones.
    pub fn swap(&self, zones: Zones) {
        self.zones.store(Arc::new(zones));
    }

    /// The helm in force.
    #[must_use]
    pub fn helm(&self) -> Arc<Helm> {
        self.helm.load_full()
    }

    /// Puts other policies and pools in force, without touching the zones.
    pub fn take_helm(&self, helm: Helm) {
        self.helm.store(Arc::new(helm));
    }

    /// Whether our zones have the answer about `name` and `rtype`: it lies in one of them, and behind none of its cuts.
    #[must_use]
    pub fn answers(&self, name: &Name, rtype: RecordType) -> bool {
        match self.zones.load().find(name, rtype) {
            None => false,
            Some(Hosted::Unavailable) => true,
            Some(Hosted::Serving(zone)) => !lookup::is_behind_cut(zone, name, rtype),
        }
    }

    /// What our zones say to a query at `now`; none if it is not theirs. With `choices` it is a rehearsal, and they tell
    /// how the answer was chosen.
    #[must_use]
    pub fn decide(
        &self,
        query: &Query,
        now: Instant,
        dice: &mut Dice,
        choices: &mut Option<Vec<Choice>>,
    ) -> Option<Decision> {
        if query.question.class != Class::IN || query.flags.opcode != Opcode::QUERY {
            return None;
        }
        let zones = self.zones.load();
        let helm = self.helm.load();
        let is_rehearsal = choices.is_some();
        let subnet = match &query.edns {
            Some(edns) if helm.ecs().is_some() => edns.client_subnet(),
            _ => Ok(None),
        };
        let heeded = subnet.ok().flatten();
        let mut decision = match query.question.rtype {
            _ if subnet.is_err() => {
                zones.find(&query.question.name, query.question.rtype)?;
                Decision::final_answer(Answer::empty(Rcode::FORMERR)) // RFC 7871 §7.1.2
            }
            RecordType::AXFR | RecordType::IXFR => {
                zones.find(&query.question.name, RecordType::SOA)?;
                let ede = Ede::new(EdeCode::Prohibited, "zone transfer is not allowed");
                Decision::final_answer(Answer::refusal(Rcode::REFUSED, ede))
            }
            RecordType::MAILA | RecordType::MAILB => {
                zones.find(&query.question.name, RecordType::SOA)?;
                Decision::final_answer(Answer::empty(Rcode::NOTIMP))
            }
            _ => {
                let mut steer = Steer::new(&helm, query, heeded, now, dice, choices.take());
                let decision = answer::decide(&zones, query, &mut steer);
                let (scope, choices_made, first) = (steer.scope, steer.choices_made, steer.first.take());
                *choices = steer.into_choices();
                let mut decision = decision?;
                decision.answer.is_ordered = choices_made > 0;
                decision.answer.scope = Some(scope);
                // Where more is chosen than once, an answer is told by more than one choice.
                if let (1, false, Some((steered, name))) = (choices_made, is_rehearsal, first) {
                    let (zones, helm, rtype) = (Arc::clone(&zones), Arc::clone(&helm), query.question.rtype);
                    decision.answer.chooser = Some(Arc::new(Steersman { zones, helm, steered, name, rtype }));
                }
                decision
            }
        };
        decision.answer.scope = helm.ecs().map(|_| decision.answer.scope.unwrap_or(0));
        Some(decision)
    }
}

impl Handler for Authority {
    fn name(&self) -> &'static str {
        "authority"
    }

    fn handle(&self, query: &Query, turn: &mut Turn<'_>) -> Verdict {
        self.decide(query, turn.now, turn.dice, &mut turn.choices)
            .map_or(Verdict::Pass, |decision| decision.verdict(query))
    }
}
