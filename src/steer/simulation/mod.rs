//! What a policy will do to its clients, before it does: who answers how many of them, who changes hands against
//! another configuration, what happens when a member is lost.
//!
//! Clients come in with weights, and one name's [`Steering`] as it is to be and perhaps as it is; a [`Report`] leaves.
//! Whatever can be known exactly is: a policy without chance is asked once for each network, and where a single race
//! by weight decides, its odds are taken instead of drawn. Only the rest is drawn, always with the same seeds, so that
//! two equal configurations never seem to differ and a report can be repeated.

mod lens;
mod loss;
mod sampling;
mod split;
mod tally;

use std::net::IpAddr;

pub use self::loss::Loss;
pub use self::sampling::{Client, Sample, Samples, clients_of, sample};
pub use self::split::{concentration, split_error, zipf};
pub use self::tally::{Flow, Spread};

use self::lens::Lens;
use self::tally::Tally;
use super::asker::Scope;
use super::compile::Compiled;
use super::health::{Board, Standing, State};
use super::place::Place;
use super::selection::Steering;
use crate::base::bounds;

/// Where an address is, and how many of its bits said so.
pub type Whereabouts<'a> = &'a dyn Fn(IpAddr) -> (Place, Scope);

/// One configuration of a name.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The name's steering.
    pub steering: &'a Steering,
    /// Where addresses are, as the name's policy sees it.
    pub whereabouts: Whereabouts<'a>,
    /// What the policy makes of places, compiled as a server has it; none decides by the places themselves.
    pub compiled: Option<&'a Compiled>,
    /// The name, hashed.
    pub name: u64,
}

/// What a member gets.
#[derive(Clone, PartialEq, Debug)]
pub struct Share {
    /// The member; `pool/member` if it is of the fallback pool, empty if nobody answers.
    pub member: Box<str>,
    /// Its part of the clients, 0 to 1.
    pub now: f64,
    /// Its part in the old configuration.
    pub before: Option<f64>,
}

/// What a simulation found for one name.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// The members in the order of the pool, then those of the fallback that answer anybody, then nobody, then those
    /// that the old configuration alone has.
    pub shares: Vec<Share>,
    /// The part of the clients that another member answers than before: the total variation between the two
    /// configurations' odds, averaged over the clients.
    pub moved: Option<f64>,
    /// From whom to whom they move, the largest first.
    pub flows: Vec<Flow>,
    /// What is when a member is down, for each member that answers anybody.
    pub losses: Vec<Loss>,
    /// Members that are not among the losses, because there are too many.
    pub losses_left_out: usize,
    /// The largest load that the pool bears as long as everybody is up, in the unit of the members' capacity.
    pub bears: Option<f64>,
    /// Who has more than it can bear under the load that was told, with everybody up.
    pub overloaded: Vec<Box<str>>,
    /// Entries that a resolver's cache takes to have an answer for all of these clients: prefixes of the scopes.
    pub cache_entries: f64,
    /// Different answers among them.
    pub answers: usize,
    /// How far clients are from their members, kilometres, where both places are known.
    pub distance: Option<Spread>,
    /// The same in the old configuration.
    pub distance_before: Option<Spread>,
    /// Client networks looked at, and how many there are.
    pub samples: usize,
    /// Of how many client networks these are a sample; the same number if nothing was left out.
    pub networks: f64,
    /// How often chance was tried for each of them; 0 if everything is exact.
    pub draws: u32,
    /// Whether shares come about by many resolvers each keeping an answer for a while: then a split has an error.
    pub is_split: bool,
}

/// Simulates one name for `clients`; `old` is what it is compared with, `load` the whole load, in the unit of the
/// members' capacity.
#[must_use]
pub fn simulate(new: &Side<'_>, old: Option<&Side<'_>>, clients: &[Client], load: Option<f64>) -> Report {
    let healthy = Board::default();
    let samples = sample(new, old, clients);
    let mut lens = Lens::new(new, samples.list.len());
    let mut tally = Tally::new(new.steering);
    let mut old_tally = old.map(|old| (Lens::new(old, samples.list.len()), Tally::new(old.steering)));
    for (number, sample) in samples.list.iter().enumerate() {
        let chances = lens.look(number, sample, &healthy);
        tally.add(sample, &chances);
        if let Some((old_lens, old_tally)) = &mut old_tally {
            let before = old_lens.look(number, sample, &healthy);
            old_tally.add(sample, &before);
            tally.compare(&chances, old_tally.names(), &before, sample.weight);
        }
    }
    let shares = tally.shares(old_tally.as_ref().map(|(_, tally)| tally));
    let (losses, losses_left_out) = loss::losses(new, &samples, &tally, load);
    Report {
        bears: Tally::bears(tally.slots(), new.steering, None),
        overloaded: loss::overloaded(new.steering, tally.slots(), load),
        moved: old.map(|_| tally.moved()),
        flows: tally.flows(),
        losses,
        losses_left_out,
        cache_entries: tally.cache_entries(),
        answers: tally.answers(),
        distance: tally.spread(),
        distance_before: old_tally.as_ref().and_then(|(_, tally)| tally.spread()),
        samples: samples.list.len(),
        networks: samples.networks,
        draws: lens.draws().max(old_tally.as_ref().map_or(0, |(lens, _)| lens.draws())),
        is_split: lens.has_drawn() || new.steering.stages().any(|stage| ["sticky", "cohort"].contains(&stage)),
        shares,
    }
}

/// A board on which `member` of the steering's pool is down and all else is up.
fn board_without(steering: &Steering, member: u16) -> Board {
    let mut board = Board::default();
    let standings = (0..steering.pool().members().len()).map(|index| Standing {
        state: if index == usize::from(member) { State::Down } else { State::Healthy },
        ..Standing::default()
    });
    board.post(steering.pool(), standings);
    board
}

/// Draws for each of so many networks, where chance decides in a way that no odds tell.
fn draws_for(networks: usize) -> u32 {
    let each = bounds::SIMULATED_DRAWS / networks.max(1);
    u32::try_from(each).unwrap_or(u32::MAX).clamp(16, 10_000)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
