//! One question that ends at a steered name, remembered with all that it takes to choose for the next asker: the zones
//! are not searched again, and a choice that was answered before is answered by what was written then.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::answer;
use super::steered::{Chosen, Steer};
use super::zones::Zones;
use crate::base::{Dice, Instant};
use crate::chain::{Asker, Chooser, Pick, Query, Turn, Verdict};
use crate::dns::{ClientSubnet, RecordType};
use crate::steer::{Call, Helm, Kind, Shown, Steered};

/// Chooses for those who ask one question.
#[derive(Debug)]
pub(super) struct Steersman {
    pub(super) zones: Arc<Zones>,
    pub(super) helm: Arc<Helm>,
    pub(super) steered: Arc<Steered>,
    /// The name at which is chosen, hashed.
    pub(super) name: u64,
    pub(super) rtype: RecordType,
}

impl Chooser for Steersman {
    fn choose(&self, asker: &Asker, subnet: Option<ClientSubnet>, now: Instant, dice: &mut Dice) -> Pick {
        let call = Call { name: self.name, resolver: asker.address.ip(), subnet, now, is_rehearsal: false };
        let bearing = self.helm.steer(&self.steered, &call, dice);
        let shown = self.steered.steering().show(&bearing.selection, self.rtype);
        let scope = if shown.kind.is_tailored() { bearing.scope } else { 0 };
        Pick { octets: written(&shown, subnet.is_some() && scope > 0), scope }
    }

    fn foresee(&self, addresses: &[IpAddr]) -> u64 {
        self.steered.foresee(addresses)
    }

    fn answer(&self, query: &Query, pick: &Pick, turn: &mut Turn<'_>) -> Verdict {
        // The option has been read before the choice was made, and was a lawful one.
        let subnet =
            query.edns.as_ref().filter(|_| self.helm.ecs().is_some()).and_then(|edns| edns.client_subnet().ok()?);
        let chosen = read(&pick.octets).map(|shown| Chosen { shown, scope: pick.scope });
        let mut steer = Steer::new(&self.helm, query, subnet, turn.now, turn.dice, None).with(chosen);
        match answer::decide(&self.zones, query, &mut steer) {
            Some(mut decision) => {
                let scope = steer.scope;
                // What was chosen beside the pick is not told by it.
                decision.is_chosen = steer.choices_made > 1;
                decision.answer.scope = self.helm.ecs().map(|_| scope);
                decision.answer.is_ordered = true;
                decision.verdict(query)
            }
            None => Verdict::Pass,
        }
    }
}

/// What is shown, in octets; an alias is followed or not as the answer is for one network alone or for all.
fn written(shown: &Shown, is_tailored: bool) -> SmallVec<[u8; 48]> {
    let kind = match shown.kind {
        Kind::Records => 0,
        Kind::Alias => 1,
        Kind::NoData => 2,
        Kind::ServFail => 3,
    };
    let is_alias_alone = shown.kind == Kind::Alias && is_tailored;
    let first = kind | u8::from(shown.is_fallback) << 2 | u8::from(is_alias_alone) << 3;
    let mut octets = SmallVec::new();
    octets.push(first);
    octets.extend_from_slice(&shown.ttl.to_be_bytes());
    octets.extend_from_slice(&shown.revision.to_be_bytes());
    for member in &shown.members {
        octets.extend_from_slice(&member.to_be_bytes());
    }
    octets
}

fn read(octets: &[u8]) -> Option<Shown> {
    let (&[first, t0, t1, t2, t3], rest) = octets.split_first_chunk::<5>()?;
    let (revision, members) = rest.split_first_chunk::<8>()?;
    let kind = match first & 3 {
        0 => Kind::Records,
        1 => Kind::Alias,
        2 => Kind::NoData,
        _ => Kind::ServFail,
    };
    Some(Shown {
        kind,
        members: members.as_chunks::<2>().0.iter().map(|member| u16::from_be_bytes(*member)).collect(),
        is_fallback: first & 4 != 0,
        ttl: u32::from_be_bytes([t0, t1, t2, t3]),
        revision: u64::from_be_bytes(*revision),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_of_a_choice_is_read_again(
            kind in 0..4_u8, members in prop::collection::vec(any::<u16>(), 0..30), is_fallback: bool, ttl: u32, revision: u64,
            is_tailored: bool,
        ) {
            let kind = [Kind::Records, Kind::Alias, Kind::NoData, Kind::ServFail][usize::from(kind)];
            let shown = Shown { kind, members: members.into_iter().collect(), is_fallback, ttl, revision };
            prop_assert_eq!(read(&written(&shown, is_tailored)), Some(shown));
        }
    }
}
