//! Faults: what the network and the servers do to a world, at rates and in spells that its seed draws.

use std::time::Duration;

use meridian::base::{Dice, Instant};
use meridian::dns::Rcode;

/// What a server does instead of answering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    Silent,
    Unreachable,
    Says(Rcode),
    /// An empty answer without authority.
    Lame,
    /// A referral to the root.
    Upward,
    /// The honest answer, so much later.
    Slow(Duration),
    /// TC=1 to datagrams, and no TCP.
    TruncatedOnly,
}

/// Rates in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) loss: u32,
    pub(crate) duplication: u32,
    pub(crate) delay: u32,
    /// One bit of a datagram turns over.
    pub(crate) flips: u32,
    /// The right answer with a wrong id, question, type or letters, before the honest one.
    pub(crate) mangling: u32,
    /// A response of somebody who guesses, before the honest one.
    pub(crate) forgery: u32,
    pub(crate) truncation: u32,
    /// Somebody on the way changes a response of a signed zone.
    pub(crate) alteration: u32,
}

/// Bad weather at some servers for some time; at all of a family where it says so.
#[derive(Clone, Debug)]
struct Spell {
    from: Instant,
    until: Instant,
    hosts: Vec<usize>,
    is_ipv6: bool,
    what: Trouble,
}

/// See the module's text.
pub(crate) struct Weather {
    fair: Rates,
    burst: Rates,
    bursts: Vec<(Instant, Instant)>,
    spells: Vec<Spell>,
    /// From here on the sun shines.
    pub(crate) ends: Instant,
}

impl Weather {
    pub(crate) fn random(from: Instant, ends: Instant, hosts: usize, dice: &mut Dice) -> Self {
        let span = ends.since(from);
        let moment = |dice: &mut Dice| from + span.mul_f64(dice.below(1_000) as f64 / 1_000.0);
        let rate = |most: u64, dice: &mut Dice| if dice.chance(500) { dice.below(most) as u32 } else { 0 };
        let fair = Rates {
            loss: rate(100, dice),
            duplication: rate(200, dice),
            delay: rate(200, dice),
            flips: rate(60, dice),
            mangling: rate(100, dice),
            forgery: rate(300, dice),
            truncation: rate(60, dice),
            alteration: 0,
        };
        let burst = Rates { loss: rate(600, dice), forgery: rate(800, dice), delay: rate(600, dice), ..fair };
        let bursts = (0..dice.below(6))
            .map(|_| {
                let begin = moment(dice);
                (begin, begin + Duration::from_millis(100 + dice.below(20_000)))
            })
            .collect();
        let spells = (0..dice.below(14))
            .map(|_| {
                let begin = moment(dice);
                let count = [1, 1, 3, hosts / 3, hosts][dice.index(5)];
                let what = match dice.below(12) {
                    0..=3 => Trouble::Silent,
                    4 => Trouble::Unreachable,
                    5 => Trouble::Says(Rcode::REFUSED),
                    6 => Trouble::Says(Rcode::SERVFAIL),
                    7 => Trouble::Lame,
                    8 => Trouble::Upward,
                    9 | 10 => Trouble::Slow(Duration::from_millis(dice.below(5_000))),
                    _ => Trouble::TruncatedOnly,
                };
                Spell {
                    from: begin,
                    until: (begin + Duration::from_millis(500 + dice.below(60_000))).min(ends),
                    hosts: (0..count).map(|_| dice.index(hosts)).collect(),
                    is_ipv6: dice.chance(150),
                    what,
                }
            })
            .collect();
        Self { fair, burst, bursts, spells, ends }
    }

    /// Somebody on the way to signed zones' servers changes so many responses in a thousand.
    pub(crate) fn alter(&mut self, permille: u32) {
        (self.fair.alteration, self.burst.alteration) = (permille, permille);
    }

    pub(crate) fn rates(&self, now: Instant) -> Rates {
        if now >= self.ends {
            Rates::default()
        } else if self.bursts.iter().any(|(from, until)| (*from..*until).contains(&now)) {
            self.burst
        } else {
            self.fair
        }
    }

    /// What is wrong with a server at an address of this family.
    pub(crate) fn trouble(&self, host: usize, is_ipv6: bool, now: Instant) -> Option<Trouble> {
        let spells = self.spells.iter().filter(|spell| (spell.from..spell.until).contains(&now));
        let here = spells.clone().find(|spell| if spell.is_ipv6 { is_ipv6 } else { spell.hosts.contains(&host) });
        here.map(|spell| if spell.is_ipv6 { Trouble::Silent } else { spell.what })
    }
}
