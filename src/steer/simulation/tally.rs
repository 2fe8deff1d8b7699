//! Adds up what client networks can expect.

use super::Share;
use super::lens::{Chances, nobody, slots};
use super::sampling::Sample;
use crate::base::Network;
use crate::base::collections::{Keyed, Map, Set};
use crate::steer::selection::Steering;

/// Clients that change hands.
#[derive(Clone, PartialEq, Debug)]
pub struct Flow {
    /// Who answered them.
    pub from: Box<str>,
    /// Who answers them.
    pub to: Box<str>,
    /// Their part of all clients.
    pub part: f64,
}

/// How a number is spread over the clients.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Half of the clients have no more.
    pub median: f64,
    /// 95 % of the clients have no more.
    pub p95: f64,
    /// The part of the clients of which it is known.
    pub known: f64,
}

pub(super) struct Tally<'a> {
    steering: &'a Steering,
    names: Vec<Box<str>>,
    slots: Vec<f64>,
    prefixes: Set<Network>,
    split_entries: f64,
    answers: Set<Vec<(u16, u64)>>,
    distances: Vec<(f64, f64)>,
    moved: f64,
    flows: Map<(Box<str>, Box<str>), f64>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(steering: &'a Steering) -> Self {
        // The operator's own data fill these tables, so their key need be no secret.
        let keyed = Keyed::with_seeds(1, 2, 3, 4);
        let own = steering.pool().members().iter().map(|member| member.name.clone());
        let others = steering.fallback().into_iter().flat_map(|pool| {
            pool.members().iter().map(|member| format!("{}/{}", pool.name(), member.name).into_boxed_str())
        });
        Self {
            steering,
            names: own.chain(others).chain([Box::default()]).collect(),
            slots: vec![0.0; slots(steering)],
            prefixes: Set::with_hasher(keyed.clone()),
            split_entries: 0.0,
            answers: Set::with_hasher(keyed.clone()),
            distances: Vec::new(),
            moved: 0.0,
            flows: Map::with_hasher(keyed),
        }
    }

    /// The slots' names; the last is nobody's.
    pub(super) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The slots' parts of the clients.
    pub(super) fn slots(&self) -> &[f64] {
        &self.slots
    }

    pub(super) fn add(&mut self, sample: &Sample, chances: &Chances) {
        for &(slot, part) in &chances.parts {
            if let Some(sum) = self.slots.get_mut(usize::from(slot)) {
                *sum += sample.weight * part;
            }
            if let (Some(here), Some(there)) = (chances.point, self.point(slot)) {
                self.distances.push((here.distance_km(&there), sample.weight * part));
            }
        }
        self.answers.insert(chances.parts.iter().map(|(slot, part)| (*slot, part.to_bits())).collect());
        if chances.scope.0 <= sample.within {
            self.prefixes.insert(Network::new(sample.subject, chances.scope.0));
        } else {
            // The networks that it stands for lie, so many together, in prefixes of the scope's length.
            let together = 2_f64.powi(i32::from(sample.known.saturating_sub(chances.scope.0)));
            self.split_entries += sample.stands_for / together;
        }
    }

    fn point(&self, slot: u16) -> Option<crate::steer::place::Point> {
        let pool = self.steering.pool();
        let own = pool.members().len() as u16;
        match slot.checked_sub(own) {
            None => pool.member(slot)?.place.point(),
            Some(slot) => self.steering.fallback()?.member(slot)?.place.point(),
        }
    }

    /// Counts clients that change hands: of each loser's loss, winners take what they win.
    pub(super) fn compare(&mut self, now: &Chances, names_before: &[Box<str>], before: &Chances, weight: f64) {
        let name = |names: &[Box<str>], slot: u16| names.get(usize::from(slot)).cloned().unwrap_or_default();
        let mut changes: Vec<(Box<str>, f64)> =
            now.parts.iter().map(|(slot, part)| (name(&self.names, *slot), *part)).collect();
        for (slot, part) in &before.parts {
            let gone = name(names_before, *slot);
            match changes.iter_mut().find(|(known, _)| *known == gone) {
                Some((_, change)) => *change -= part,
                None => changes.push((gone, -part)),
            }
        }
        let won: f64 = changes.iter().map(|(_, change)| change.max(0.0)).sum();
        if won < 1e-12 {
            return;
        }
        self.moved += weight * won;
        for (from, loss) in changes.iter().filter(|(_, change)| *change < 0.0) {
            for (to, win) in changes.iter().filter(|(_, change)| *change > 0.0) {
                *self.flows.entry((from.clone(), to.clone())).or_default() += weight * -loss * win / won;
            }
        }
    }

    pub(super) const fn moved(&self) -> f64 {
        self.moved
    }

    pub(super) fn flows(&self) -> Vec<Flow> {
        let mut flows: Vec<Flow> = self
            .flows
            .iter()
            .map(|((from, to), part)| Flow { from: from.clone(), to: to.clone(), part: *part })
            .collect();
        flows.sort_by(|a, b| b.part.total_cmp(&a.part).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
        flows
    }

    pub(super) fn shares(&self, old: Option<&Self>) -> Vec<Share> {
        let own = self.steering.pool().members().len();
        let before = |name: &str| {
            let old = old?;
            let at = old.names.iter().position(|known| &**known == name)?;
            old.slots.get(at).copied()
        };
        let mut shares: Vec<Share> = self
            .names
            .iter()
            .zip(&self.slots)
            .enumerate()
            .map(|(slot, (name, now))| {
                let share = Share { member: name.clone(), now: *now, before: old.map(|_| before(name).unwrap_or(0.0)) };
                (slot < own, share)
            })
            .filter(|(is_own, share)| *is_own || share.now > 0.0 || share.before.is_some_and(|before| before > 0.0))
            .map(|(_, share)| share)
            .collect();
        for (name, part) in old.into_iter().flat_map(|old| old.names.iter().zip(&old.slots)) {
            if *part > 0.0 && !self.names.contains(name) {
                shares.push(Share { member: name.clone(), now: 0.0, before: Some(*part) });
            }
        }
        shares
    }

    /// The largest whole load under which nobody has more than it can bear; none if no capacity is known of whoever
    /// answers. `lost` bears nothing.
    pub(super) fn bears(parts: &[f64], steering: &Steering, lost: Option<u16>) -> Option<f64> {
        let members = (0_u16..).zip(steering.pool().members());
        members
            .filter(|(member, _)| Some(*member) != lost)
            .filter_map(|(member, declared)| {
                let part = parts.get(usize::from(member)).copied().filter(|part| *part > 0.0)?;
                Some(declared.capacity? / part)
            })
            .min_by(f64::total_cmp)
    }

    pub(super) fn cache_entries(&self) -> f64 {
        self.prefixes.len() as f64 + self.split_entries
    }

    pub(super) fn answers(&self) -> usize {
        self.answers.len()
    }

    /// The part that nobody answers.
    pub(super) fn unanswered(&self) -> f64 {
        self.slots.get(nobody(self.steering)).copied().unwrap_or(0.0)
    }

    pub(super) fn spread(&self) -> Option<Spread> {
        let mut distances = self.distances.clone();
        distances.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let known: f64 = distances.iter().map(|(_, weight)| weight).sum();
        let mean = distances.iter().map(|(km, weight)| km * weight).sum::<f64>() / known;
        let at = |part: f64| {
            let mut sum = 0.0;
            let reached = distances.iter().find(|(_, weight)| {
                sum += weight;
                sum >= part * known
            });
            reached.or(distances.last()).map(|(km, _)| *km)
        };
        Some(Spread { mean, median: at(0.5)?, p95: at(0.95)?, known })
    }
}
