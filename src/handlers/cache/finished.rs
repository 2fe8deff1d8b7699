//! One worker's table of finished answers: the first place that a query is looked up in.
//!
//! It belongs to one thread, so it has no locks. Answers lie in a `Log`, each in one run of octets, so that a hit
//! reads the index once and the answer once. What was used since it was written is spared when room is made.
//! The hash is keyed, so nobody can fill one set of the index on purpose.
//!
//! Where several answers to a question may be chosen, a map beside the log knows who chooses, and the hash of question
//! and pick leads to the answer.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::log::{Log, Old};
use crate::base::collections::{self, Keyed, Map};
use crate::base::{Dice, bounds};
use crate::chain::{Asker, Chooser};
use crate::dns::prepared::Source;
use crate::dns::wire::glance::{is_same_question, key_bits};
use crate::dns::wire::{Glance, Glanced};
use crate::dns::{ClientSubnet, PreparedAnswer};

/// Octets before the answer: the epoch and whose it is.
const FIXED: usize = 6;

/// Whose answer it is: what makes a different answer of the same question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// The hash of the question and of RD, CD and DO.
    pub hash: u64,
    /// RD, CD and DO, as [`crate::dns::wire::glance::key_bits`] packs them.
    pub bits: u8,
    /// Whether the asker may have recursion.
    pub may_recurse: bool,
    /// The asker's group.
    pub group: u8,
}

impl Key {
    /// The key of the query `glanced` of `asker`.
    #[must_use]
    pub fn of(glanced: &Glanced, asker: &Asker) -> Self {
        Self {
            hash: glanced.hash,
            bits: key_bits(glanced.recursion_desired, glanced.checking_disabled, glanced.dnssec_ok),
            may_recurse: asker.may_recurse,
            group: asker.group,
        }
    }

    fn whose(self) -> [u8; 2] {
        [self.bits << 1 | u8::from(self.may_recurse), self.group]
    }
}

/// A question's hash, and whose answers to it are meant.
type ChoicePlace = (u64, [u8; 2]);

/// Who chooses among the answers to a question.
#[derive(Clone, Debug)]
pub struct HeldChoice {
    /// The header of some message, then the question.
    pub question: Box<[u8]>,
    /// Whether a client subnet option is heeded.
    pub heeds_subnet: bool,
    /// Who chooses.
    pub chooser: Arc<dyn Chooser>,
}

/// One worker's finished answers.
#[derive(Debug)]
pub struct Finished {
    keyed: Keyed,
    log: Log,
    epoch: u32,
    /// By hash and whose answers.
    choices: Map<ChoicePlace, Arc<HeldChoice>>,
    /// The one that was asked for last, and probably is the next time.
    chosen: Option<(ChoicePlace, Arc<HeldChoice>)>,
    keeps_choices: bool,
    /// What is being kept.
    octets: Vec<u8>,
}

/// What a record of the log holds, if it is of `epoch`: whose answer, and the answer.
fn read(octets: &[u8], epoch: u32) -> Option<([u8; 2], PreparedAnswer<'_>)> {
    let ([e0, e1, e2, e3, whose @ ..], rest) = octets.split_first_chunk::<FIXED>()?;
    let is_of_epoch = u32::from_ne_bytes([*e0, *e1, *e2, *e3]) == epoch;
    PreparedAnswer::read(rest).filter(|_| is_of_epoch).map(|answer| (*whose, answer))
}

impl Finished {
    /// An empty table of at most `size_bytes_max` octets.
    #[must_use]
    pub fn new(dice: &mut Dice, size_bytes_max: usize) -> Self {
        let keyed = collections::keyed(dice);
        Self {
            choices: Map::with_hasher(keyed.clone()),
            chosen: None,
            keeps_choices: size_bytes_max > 0,
            keyed,
            log: Log::new(size_bytes_max),
            epoch: 0,
            octets: Vec::new(),
        }
    }

    /// The hasher that a query must be glanced at with.
    #[must_use]
    pub const fn keyed(&self) -> &Keyed {
        &self.keyed
    }

    /// The number of answers held, forgotten ones included until their place is needed.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether no answer is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of memory held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.log.size_bytes()
    }

    /// Forgets every answer at once: the house has changed, or something was flushed.
    pub fn forget_all(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.choices.clear();
        self.chosen = None;
    }

    /// The answer to the query `glanced`, which came as `datagram`, if it may be given in second `now`; of several the one
    /// of `pick`, which `key` is made for.
    pub fn find(
        &mut self,
        glanced: &Glanced,
        datagram: &[u8],
        key: Key,
        pick: &[u8],
        now: u64,
    ) -> Option<PreparedAnswer<'_>> {
        let (epoch, whose) = (self.epoch, key.whose());
        let octets = self.log.recall(key.hash, |octets| {
            read(octets, epoch).is_some_and(|(of, answer)| {
                of == whose && answer.is_fresh(now) && answer.is_for(glanced, datagram, pick)
            })
        })?;
        PreparedAnswer::read(octets.get(FIXED..)?)
    }

    /// Who chooses among the answers to the query `glanced`, which came as `datagram`, if there are several.
    #[must_use]
    pub fn choice(&mut self, glanced: &Glanced, datagram: &[u8], key: Key) -> Option<&HeldChoice> {
        if !self.was_chosen(key) {
            let place = (key.hash, key.whose());
            self.chosen = Some((place, Arc::clone(self.choices.get(&place)?)));
        }
        let (_, held) = self.chosen.as_ref()?;
        is_same_question(&held.question, datagram, glanced.question_end()).then_some(held)
    }

    /// Whether the choice that was asked for last is that of `key`.
    #[must_use]
    pub fn was_chosen(&self, key: Key) -> bool {
        self.chosen.as_ref().is_some_and(|(place, _)| *place == (key.hash, key.whose()))
    }

    /// Keeps who chooses among the answers to a question. Where there is no room for one more, all are forgotten: those
    /// who are asked for come back at once.
    pub fn keep_choice(&mut self, key: Key, held: HeldChoice) {
        if !self.keeps_choices {
            return;
        }
        if self.choices.len() >= bounds::CHOOSERS {
            self.choices.clear();
        }
        self.chosen = None;
        self.choices.insert((key.hash, key.whose()), Arc::new(held));
    }

    /// The hash of a question's answer by `pick`, `hash` being the question's own.
    #[must_use]
    pub fn picked_hash(&self, hash: u64, pick: &[u8]) -> u64 {
        let mut hasher = self.keyed.build_hasher();
        hasher.write_u64(hash);
        hasher.write(pick);
        hasher.finish()
    }

    /// Reads where the answers to `queries` would lie, so that they are at hand when they are looked up: for a whole batch
    /// before the first of it is answered. The processor then waits for the memory of many at a time, and a pass reads
    /// what the one before has found, so that none waits for one alone. Of each query the glance, the datagram and who sent
    /// it. What is returned says nothing; it is to be kept from the optimiser.
    #[must_use]
    pub fn foresee<'a>(&self, queries: impl Iterator<Item = (&'a Glance, (&'a [u8], IpAddr))> + Clone) -> u64 {
        let plain = queries.filter_map(|(glance, from)| match glance {
            Glance::Plain(glanced) => Some((glanced, from)),
            _ => None,
        });
        // The question that was chosen for last has no answer of its own, and whoever chooses looks ahead.
        let chosen = self.chosen.as_ref();
        let is_chosen = |hash: u64| chosen.is_some_and(|((question, _), _)| *question == hash);
        let hashes = plain.clone().map(|(glanced, _)| glanced.hash).filter(|hash| !is_chosen(*hash));
        let seen = hashes.clone().fold(0, |seen, hash| seen ^ self.log.touch_index(hash));
        let seen = hashes.fold(seen, |seen, hash| seen ^ u64::from(self.log.touch(hash)));
        let Some((_, held)) = chosen else { return seen };
        let address = |(glanced, (datagram, sender)): (&Glanced, (&[u8], IpAddr))| {
            let of_subnet = glanced.subnet(datagram).filter(|_| held.heeds_subnet);
            of_subnet.and_then(ClientSubnet::address_ahead).unwrap_or(sender)
        };
        let addresses: SmallVec<[IpAddr; bounds::BATCH]> =
            plain.filter(|(glanced, _)| is_chosen(glanced.hash)).map(address).collect();
        seen ^ held.chooser.foresee(&addresses)
    }

    /// Keeps the answer prepared from `source` under `key`, in place of an older one to its question, which ends
    /// before octet `question_end`; what is in the way has to go.
    pub fn insert(&mut self, key: Key, source: &Source<'_>, question_end: usize, now: u64) {
        let epoch = self.epoch;
        self.octets.clear();
        self.octets.extend_from_slice(&epoch.to_ne_bytes());
        self.octets.extend_from_slice(&key.whose());
        if PreparedAnswer::compose(source, &mut self.octets).is_none() {
            return;
        }
        let is_same = |octets: &[u8]| {
            // Of an epoch that is over too: it is in the way as well.
            let old = octets.split_first_chunk::<FIXED>().map(|([_, _, _, _, whose @ ..], rest)| (*whose, rest));
            old.is_some_and(|(whose, rest)| {
                let answer = PreparedAnswer::read(rest);
                whose == key.whose()
                    && answer.is_some_and(|answer| answer.is_to(source.sections, question_end, source.pick))
            })
        };
        let is_spared =
            |old: &Old<'_>| old.was_used && read(old.octets, epoch).is_some_and(|(_, answer)| answer.is_fresh(now));
        self.log.put(key.hash, &self.octets, is_same, is_spared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Instant;
    use crate::chain::{Aged, Answer, Carrier, Query, Recall, seal};
    use crate::dns::{Flags, Message, Name, Question, RecordType, RrSet};

    fn query(number: usize) -> Query {
        let name: Name = format!("n{number}.example.").parse().unwrap();
        Query {
            id: 7,
            flags: Flags { recursion_desired: true, ..Flags::default() },
            question: Question::new(name, RecordType::A),
            edns: None,
            asker: Asker {
                address: "192.0.2.1:5353".parse().unwrap(),
                local: None,
                carrier: Carrier::Udp,
                may_recurse: true,
                group: 0,
            },
        }
    }

    fn keep(finished: &mut Finished, number: usize, now: u64, until: u64) {
        let query = query(number);
        let set = RrSet::new(query.question.name.clone(), RecordType::A, 300, [[192, 0, 2, 1]]);
        let answer = Answer {
            answer: vec![Aged { set: Arc::new(set), ttl: 300 }],
            recallable_until: Some(until),
            ..Answer::default()
        };
        let mut bytes = Vec::new();
        let sealed = seal(&query, &answer, true, &mut bytes);
        finished.keep(&query, &answer, None, &sealed, &bytes, Instant::from_seconds(now));
    }

    fn recall(finished: &mut Finished, number: usize, now: u64) -> Recall {
        let query = query(number);
        let message = Message {
            id: query.id,
            flags: query.flags,
            questions: smallvec::smallvec![query.question.clone()],
            ..Message::default()
        };
        let (mut datagram, mut out) = (Vec::new(), Vec::new());
        message.compose(&mut datagram, bounds::MESSAGE_MAX).unwrap();
        finished.recall(&datagram, &query.asker, Instant::from_seconds(now), &mut Dice::from_number(1), &mut out)
    }

    #[test]
    fn an_answer_is_found_until_its_last_second() {
        let mut finished = Finished::new(&mut Dice::from_number(1), 1 << 20);
        keep(&mut finished, 1, 10, 20);
        assert_eq!(recall(&mut finished, 1, 19), Recall::Hit(0));
        assert_eq!(recall(&mut finished, 1, 20), Recall::Unsure);
        assert_eq!(recall(&mut finished, 2, 19), Recall::Unsure);
    }

    #[test]
    fn forgetting_is_for_all_and_for_the_past_only() {
        let mut finished = Finished::new(&mut Dice::from_number(1), 1 << 20);
        keep(&mut finished, 1, 0, 20);
        finished.forget_all();
        assert_eq!(recall(&mut finished, 1, 1), Recall::Unsure);
        keep(&mut finished, 1, 0, 20);
        assert_eq!(recall(&mut finished, 1, 1), Recall::Hit(0));
    }

    #[test]
    fn the_bounds_hold_whatever_comes() {
        let mut dice = Dice::from_number(2);
        for size_bytes_max in [1 << 20, 40_000, 17_000, 10_000, 10] {
            let mut finished = Finished::new(&mut dice, size_bytes_max);
            for now in 0..3_000 {
                keep(&mut finished, dice.index(900), now, now + 1 + dice.below(50));
                let asked = dice.index(900);
                assert!(matches!(recall(&mut finished, asked, now), Recall::Hit(0) | Recall::Unsure));
                if now % 400 == 399 {
                    finished.forget_all();
                }
                assert!(finished.size_bytes() <= size_bytes_max);
            }
        }
    }

    #[test]
    fn what_is_asked_again_and_again_stays() {
        let mut finished = Finished::new(&mut Dice::from_number(3), 20_000);
        keep(&mut finished, 0, 0, 10_000);
        for number in 1..2_000 {
            assert_eq!(recall(&mut finished, 0, 1), Recall::Hit(0), "after {number} others");
            keep(&mut finished, number, 0, 10_000);
        }
        assert_eq!(recall(&mut finished, 1, 1), Recall::Unsure, "there was room for all");
    }
}
