//! Looks at one client network through one configuration: who may answer it, and how likely each is to.

use smallvec::{SmallVec, smallvec};

use super::sampling::Sample;
use super::{Side, draws_for};
use crate::base::{Dice, Instant};
use crate::steer::asker::{Asker, Scope};
use crate::steer::centroids;
use crate::steer::feeds::Feeds;
use crate::steer::hashing::hash_words;
use crate::steer::health::Board;
use crate::steer::odds::Odds;
use crate::steer::place::Point;
use crate::steer::selection::{Outcome, Selection, Steering};
use crate::steer::whereabouts::Whereabouts;

/// The moment of every simulation.
const WALL: u64 = 1_800_000_000;
const NOW: Instant = Instant::from_seconds(1_000_000);

/// Who answers a client: a slot of the configuration (see [`slots`]) and its part.
pub(super) type Parts = SmallVec<[(u16, f64); 4]>;

/// What a client can expect.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Chances {
    /// Who answers, by slot; the parts sum to 1. Sorted by slot.
    pub(super) parts: Parts,
    /// How many bits of the client decided.
    pub(super) scope: Scope,
    /// Where the client is.
    pub(super) point: Option<Point>,
}

/// The slots of a configuration: its members, the fallback's, and one for nobody.
pub(super) fn slots(steering: &Steering) -> usize {
    nobody(steering) + 1
}

pub(super) fn nobody(steering: &Steering) -> usize {
    steering.pool().members().len() + steering.fallback().map_or(0, |pool| pool.members().len())
}

pub(super) struct Lens<'a> {
    side: &'a Side<'a>,
    feeds: Feeds,
    tries: u32,
    draws: u32,
    has_drawn: bool,
}

impl<'a> Lens<'a> {
    pub(super) fn new(side: &'a Side<'a>, networks: usize) -> Self {
        Self { side, feeds: Feeds::default(), tries: draws_for(networks), draws: 0, has_drawn: false }
    }

    /// How often chance was tried for a network; 0 if there was no need.
    pub(super) const fn draws(&self) -> u32 {
        self.draws
    }

    /// Whether chance decided for anybody.
    pub(super) const fn has_drawn(&self) -> bool {
        self.has_drawn
    }

    /// What the client network with this number can expect.
    pub(super) fn look(&mut self, number: usize, sample: &Sample, board: &Board) -> Chances {
        let (place, place_scope) = (self.side.whereabouts)(sample.subject);
        let whereabouts = Whereabouts::known(place, place_scope.min(Scope(sample.known)));
        let select = |seed: u64| {
            let asker = Asker {
                subject: sample.subject,
                source: sample.known,
                resolver: sample.subject,
                whereabouts: &whereabouts,
                found: self.side.compiled.map(|compiled| compiled.find(sample.subject)),
                name: self.side.name,
                now: NOW,
                wall: WALL,
                is_rehearsal: true,
                agreed: Some(seed),
            };
            self.side.steering.select(&asker, board, &self.feeds, &mut Dice::from_number(seed), false)
        };
        let first = select(hash_words(0, &[number as u64, 0]));
        let (scope, point) = (first.scope, centroids::point_of(whereabouts.place()));
        let exact = self.exact(&first);
        self.has_drawn |= !matches!(first.odds.as_deref(), None | Some(Odds::Certain));
        let mut parts = if let Some(parts) = exact {
            parts
        } else {
            let mut sum: Parts = smallvec![];
            for draw in 0..u64::from(self.tries) {
                let selection = select(hash_words(0, &[number as u64, draw]));
                self.share(&selection, 1.0 / f64::from(self.tries), &mut sum);
            }
            self.draws = self.tries;
            sum
        };
        parts.sort_unstable_by_key(|(slot, _)| *slot);
        Chances { parts, scope, point }
    }

    /// The parts, if they are known without trying.
    fn exact(&self, selection: &Selection) -> Option<Parts> {
        let mut parts: Parts = smallvec![];
        match selection.odds.as_deref() {
            _ if selection.outcome != Outcome::Members || selection.chosen().len() == selection.order.len() => {
                self.share(selection, 1.0, &mut parts);
            }
            Some(Odds::Race(race)) if selection.chosen().len() == 1 => {
                for (member, part) in race {
                    if *part > 0.0 {
                        add(&mut parts, self.slot(selection, *member), *part);
                    }
                }
            }
            Some(Odds::Race(_) | Odds::Unknown) => return None,
            Some(Odds::Certain) | None => self.share(selection, 1.0, &mut parts),
        }
        Some(parts)
    }

    /// Gives `part` to those who answer in equal shares.
    fn share(&self, selection: &Selection, part: f64, parts: &mut Parts) {
        let chosen = selection.chosen();
        if selection.outcome != Outcome::Members || chosen.is_empty() {
            return add(parts, nobody(self.side.steering) as u16, part);
        }
        for &member in chosen {
            add(parts, self.slot(selection, member), part / chosen.len() as f64);
        }
    }

    fn slot(&self, selection: &Selection, member: u16) -> u16 {
        let own = self.side.steering.pool().members().len() as u16;
        if selection.is_fallback { own.saturating_add(member) } else { member }
    }
}

fn add(parts: &mut Parts, slot: u16, part: f64) {
    match parts.iter_mut().find(|(known, _)| *known == slot) {
        Some((_, sum)) => *sum += part,
        None => parts.push((slot, part)),
    }
}
