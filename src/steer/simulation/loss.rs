//! What happens when one member is down (N−1).

use super::lens::{Chances, Lens};
use super::sampling::{Sample, Samples};
use super::tally::Tally;
use super::{Side, board_without};
use crate::base::bounds;
use crate::steer::health::Board;
use crate::steer::selection::Steering;

/// Members whose loss is tried, those with the largest shares.
const LOSSES_MAX: usize = 32;

/// What is when one member is down.
#[derive(Clone, PartialEq, Debug)]
pub struct Loss {
    /// Who is down.
    pub member: Box<str>,
    /// Everybody's part of the clients then, in the order of [`super::Report::shares`]; of those alone that are in
    /// the new configuration.
    pub shares: Vec<(Box<str>, f64)>,
    /// The part of the clients that lose their member.
    pub lost: f64,
    /// The part of the clients that move though their member is up.
    pub disturbed: f64,
    /// Whose load grows most, and how many times its share is then what it was; infinite for a standby.
    pub peak: Option<(Box<str>, f64)>,
    /// The largest load that the others bear then.
    pub bears: Option<f64>,
    /// Who has more than it can bear under the load that was told.
    pub overloaded: Vec<Box<str>>,
    /// The part of the clients that nobody answers then.
    pub unanswered: f64,
}

/// The losses of the members that answer anybody, in the pool's order, and how many were left out.
pub(super) fn losses(side: &Side<'_>, samples: &Samples, whole: &Tally<'_>, load: Option<f64>) -> (Vec<Loss>, usize) {
    let members = side.steering.pool().members().len();
    let mut at_work: Vec<(u16, f64)> = (0_u16..)
        .zip(whole.slots())
        .take(members)
        .filter(|(_, part)| **part > 0.0)
        .map(|(m, part)| (m, *part))
        .collect();
    at_work.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let left_out = at_work.len().saturating_sub(LOSSES_MAX);
    at_work.truncate(LOSSES_MAX);
    at_work.sort_unstable_by_key(|(member, _)| *member);
    // Every so many networks, so that the bound holds; the parts below are of those looked at.
    let step = (samples.list.len() * at_work.len()).div_ceil(bounds::SIMULATED_LOSSES).max(1);
    let thinned: Vec<(usize, &Sample)> = samples.list.iter().enumerate().step_by(step).collect();
    let weight: f64 = thinned.iter().map(|(_, sample)| sample.weight).sum();
    let healthy = Board::default();
    let mut lens = Lens::new(side, thinned.len());
    let mut base = Tally::new(side.steering);
    let looked_at = thinned.into_iter().map(|(number, sample)| {
        let chances = lens.look(number, sample, &healthy);
        base.add(sample, &chances);
        (number, sample, chances)
    });
    let looked_at: Vec<(usize, &Sample, Chances)> = looked_at.collect();
    let found = at_work.iter().map(|(lost, _)| {
        let board = board_without(side.steering, *lost);
        let mut tally = Tally::new(side.steering);
        let mut lens = Lens::new(side, looked_at.len());
        for (number, sample, before) in &looked_at {
            let now = lens.look(*number, sample, &board);
            tally.add(sample, &now);
            tally.compare(&now, base.names(), before, sample.weight);
        }
        one(side, *lost, &base, &tally, weight, load)
    });
    (found.collect(), left_out)
}

fn one(side: &Side<'_>, lost: u16, base: &Tally<'_>, tally: &Tally<'_>, weight: f64, load: Option<f64>) -> Loss {
    let part = |tally: &Tally<'_>, slot: usize| tally.slots().get(slot).map_or(0.0, |part| part / weight);
    let parts: Vec<f64> = (0..tally.slots().len()).map(|slot| part(tally, slot)).collect();
    let own = part(base, usize::from(lost));
    let growth = |slot: usize, now: f64| now / part(base, slot);
    let peak = parts
        .iter()
        .zip(tally.names())
        .enumerate()
        .filter(|(slot, (now, name))| *slot != usize::from(lost) && **now > 0.0 && !name.is_empty())
        .map(|(slot, (now, name))| (name.clone(), growth(slot, *now)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    Loss {
        member: tally.names().get(usize::from(lost)).cloned().unwrap_or_default(),
        lost: own,
        disturbed: (tally.moved() / weight - own).max(0.0),
        peak,
        bears: Tally::bears(&parts, side.steering, Some(lost)),
        overloaded: overloaded(side.steering, &parts, load),
        unanswered: tally.unanswered() / weight,
        shares: tally.names().iter().cloned().zip(parts).filter(|(name, _)| !name.is_empty()).collect(),
    }
}

/// Whose part of `load` is more than it can bear.
pub(super) fn overloaded(steering: &Steering, parts: &[f64], load: Option<f64>) -> Vec<Box<str>> {
    let Some(load) = load else { return Vec::new() };
    let members = steering.pool().members().iter().zip(parts);
    let over = members.filter(|(member, part)| member.capacity.is_some_and(|capacity| load * **part > capacity));
    over.map(|(member, _)| member.name.clone()).collect()
}
