//! What memory is taught of a finding.

use std::sync::Arc;

use super::Surroundings;
use super::classify::{End, Finding};
use crate::chain::{Learned, Rank};
use crate::dns::Question;

/// Keeps what a finding taught. NXDOMAIN is left to the walk whose whole name it is about: servers that deny
/// empty non-terminals must not make whole subtrees vanish.
pub(super) fn learn(finding: &Finding, question: &Question, around: &mut Surroundings<'_>) {
    let (memory, now) = (around.memory, around.now);
    match finding {
        Finding::Referral(delegation, ds) => {
            memory.learn(Learned::Delegation(Arc::clone(delegation)), now);
            if let Some(ds) = ds {
                memory.learn(Learned::RrSet { set: Arc::clone(ds), rank: Rank::Authority }, now);
            }
        }
        Finding::Chain(chain) => {
            let rank = if chain.is_authoritative { Rank::Answer } else { Rank::Authority };
            for alias in &chain.aliases {
                let set = alias.dname.as_ref().unwrap_or(&alias.cname);
                memory.learn(Learned::RrSet { set: Arc::clone(set), rank }, now);
            }
            match &chain.end {
                End::Answer(set) => memory.learn(Learned::RrSet { set: Arc::clone(set), rank }, now),
                // The DNAME makes the CNAME again whenever it is asked for.
                End::Made(alias) => {
                    let set = alias.dname.as_ref().unwrap_or(&alias.cname);
                    memory.learn(Learned::RrSet { set: Arc::clone(set), rank }, now);
                }
                End::Denied(name, denial) if !denial.is_nxdomain => {
                    let learned = Learned::Denial { name: name.clone(), rtype: question.rtype, denial: denial.clone() };
                    memory.learn(learned, now);
                }
                End::TooLong(dname) => memory.learn(Learned::RrSet { set: Arc::clone(dname), rank }, now),
                End::Denied(..) | End::Continues(_) => {}
            }
            if let Some(roots) = &chain.roots {
                memory.learn(Learned::Delegation(Arc::clone(roots)), now);
            }
        }
        Finding::Lame(_) => {}
    }
}
