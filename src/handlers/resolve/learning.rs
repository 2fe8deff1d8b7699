//! What memory is taught of a finding.

use std::sync::Arc;

use super::Surroundings;
use super::classify::{End, Finding, is_made_by_wildcard};
use crate::chain::{Learned, Proofs, Rank};
use crate::dns::{Question, RrSet};

/// Keeps what a finding taught. NXDOMAIN is left to the walk whose whole name it is about: servers that deny
/// empty non-terminals must not make whole subtrees vanish.
pub(super) fn learn(finding: &Finding, question: &Question, around: &mut Surroundings<'_>) {
    let (memory, now) = (around.memory, around.now);
    match finding {
        Finding::Referral(delegation, about) => {
            memory.learn(Learned::Delegation(Arc::clone(delegation)), now);
            if let Some(ds) = &about.ds {
                memory.learn(Learned::unchecked(Arc::clone(ds), Rank::Authority), now);
            }
        }
        Finding::Chain(chain) => {
            let rank = if chain.is_authoritative { Rank::Answer } else { Rank::Authority };
            let taught = |set: &Arc<RrSet>| {
                let proofs = if is_made_by_wildcard(set) { Arc::clone(&chain.proofs) } else { Proofs::default() };
                Learned::RrSet { set: Arc::clone(set), rank, proofs, checked: None }
            };
            for alias in &chain.aliases {
                memory.learn(taught(alias.dname.as_ref().unwrap_or(&alias.cname)), now);
            }
            match &chain.end {
                End::Answer(set) => memory.learn(taught(set), now),
                // The DNAME makes the CNAME again whenever it is asked for.
                End::Made(alias) => {
                    memory.learn(taught(alias.dname.as_ref().unwrap_or(&alias.cname)), now);
                }
                End::Denied(name, denial) if !denial.is_nxdomain => {
                    let learned = Learned::Denial { name: name.clone(), rtype: question.rtype, denial: denial.clone() };
                    memory.learn(learned, now);
                }
                End::TooLong(dname) => memory.learn(taught(dname), now),
                End::Denied(..) | End::Continues(_) => {}
            }
            if let Some(roots) = &chain.roots {
                memory.learn(Learned::Delegation(Arc::clone(roots)), now);
            }
        }
        Finding::Lame(_) => {}
    }
}
