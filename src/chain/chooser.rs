//! Questions whose answer is chosen anew for every asker, and how they take the fast tempo all the same: the choice is
//! made by whoever can, and each choice's answer is remembered by itself.

use std::fmt::Debug;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::handler::{Turn, Verdict};
use super::query::{Asker, Query};
use crate::base::{Dice, Instant};
use crate::dns::ClientSubnet;

/// What was chosen for an asker.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pick {
    /// What decides the answer's octets, as only the chooser can read it: equal ones of a question have equal answers.
    pub octets: SmallVec<[u8; 48]>,
    /// Bits of the client subnet for which it holds; of no effect on any other octet.
    pub scope: u8,
}

/// A link's word that the answers to one question differ by what it chooses and by nothing else. It holds until the
/// house changes.
pub trait Chooser: Send + Sync + Debug {
    /// Chooses for `asker`, who says `subnet` of its client. It takes no memory from the heap.
    fn choose(&self, asker: &Asker, subnet: Option<ClientSubnet>, now: Instant, dice: &mut Dice) -> Pick;

    /// Reads where choices for clients at `addresses`, some of whose bits may be unknown, would be made from, so that it
    /// comes nearer: for a whole batch before the first of them. What is returned says nothing.
    fn foresee(&self, addresses: &[IpAddr]) -> u64 {
        let _ = addresses;
        0
    }

    /// What the link says to `query`, which asks the chooser's question, once `pick` has been chosen for it.
    fn answer(&self, query: &Query, pick: &Pick, turn: &mut Turn<'_>) -> Verdict;
}

/// Each is like itself alone.
impl PartialEq for dyn Chooser {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}

impl Eq for dyn Chooser {}
