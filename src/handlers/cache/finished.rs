//! One worker's table of finished answers: the first place that a query is looked up in.
//!
//! It belongs to one thread, so it has no locks. Answers lie densely in a vector; an index of sets, each one
//! cache line wide, leads from a question's hash to them. It is bounded in answers and in octets; a hand that
//! goes round and spares what was used since it last came by (second chance) makes room, in a few steps at most.
//! The hash is keyed, so nobody can fill one set on purpose, and a full set costs its own answers only.
//!
//! Where several answers to a question may be chosen, its hash leads to whoever chooses, and the hash of question and
//! pick to the answer.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use crate::base::collections::{self, Keyed};
use crate::base::{Dice, bounds};
use crate::chain::{Asker, Chooser};
use crate::dns::PreparedAnswer;
use crate::dns::wire::glance::key_bits;
use crate::dns::wire::{Glance, Glanced};

/// Slots of a set: 8 of 8 octets are a cache line.
const WAYS: usize = 8;
/// What a chooser is taken to hold beside what it shares with the house.
const CHOOSER_BYTES: usize = 256;
/// Used answers that the hand spares before it takes one all the same.
const SPARED_MAX: usize = 8;

/// A slot holds the upper half of a hash, then the answer's place in the vector plus one; 0 is an empty slot.
type Set = [u64; WAYS];

/// Whose answer it is: what makes a different answer of the same question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// The hash of the question and of RD, CD and DO.
    pub hash: u64,
    /// RD, CD and DO, as [`crate::dns::wire::glance::key_bits`] packs them.
    pub bits: u8,
    /// Whether the asker may have recursion.
    pub may_recurse: bool,
}

impl Key {
    /// The key of the query `glanced` of `asker`.
    #[must_use]
    pub fn of(glanced: &Glanced, asker: &Asker) -> Self {
        Self {
            hash: glanced.hash,
            bits: key_bits(glanced.recursion_desired, glanced.checking_disabled, glanced.dnssec_ok),
            may_recurse: asker.may_recurse,
        }
    }
}

/// What is known of a question.
#[derive(Clone, Debug)]
pub enum Held {
    /// Its answer, or one of them.
    Answer(PreparedAnswer),
    /// Its answers differ by what is chosen.
    Choice(Box<HeldChoice>),
}

/// Who chooses among the answers to a question.
#[derive(Clone, Debug)]
pub struct HeldChoice {
    /// The question, as an answer without records.
    pub question: PreparedAnswer,
    /// Who chooses.
    pub chooser: Arc<dyn Chooser>,
}

impl Held {
    /// The answer, or what tells whose question it is.
    const fn prepared(&self) -> &PreparedAnswer {
        match self {
            Self::Answer(answer) => answer,
            Self::Choice(choice) => &choice.question,
        }
    }

    /// Whether a client subnet option is heeded.
    #[must_use]
    pub const fn heeds_subnet(&self) -> bool {
        self.prepared().heeds_subnet()
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Answer(answer) => answer.size_bytes(),
            Self::Choice(choice) => size_of::<HeldChoice>() + CHOOSER_BYTES + choice.question.size_bytes(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    key: Key,
    held: Held,
    epoch: u32,
    was_used: bool,
}

impl Entry {
    /// Octets that the entry takes with its share of the index and of the allocator.
    fn size_bytes(&self) -> usize {
        size_of::<Self>() + 2 * size_of::<u64>() + 16 + self.held.size_bytes()
    }
}

/// One worker's finished answers.
#[derive(Debug)]
pub struct Finished {
    keyed: Keyed,
    sets: Vec<Set>,
    entries: Vec<Entry>,
    entries_max: usize,
    size_bytes: usize,
    size_bytes_max: usize,
    hand: usize,
    epoch: u32,
}

impl Finished {
    /// An empty table of at most `entries_max` answers and about `size_bytes_max` octets.
    #[must_use]
    pub fn new(dice: &mut Dice, entries_max: usize, size_bytes_max: usize) -> Self {
        let entries_max = entries_max.clamp(1, 1 << 28);
        Self {
            keyed: collections::keyed(dice),
            // Sets are half full when the table is, so that few of them ever overflow. The octets are zero and
            // the system gives them only when they are touched.
            sets: vec![[0; WAYS]; entries_max.div_ceil(WAYS / 2).next_power_of_two()],
            entries: Vec::new(),
            entries_max,
            size_bytes: 0,
            size_bytes_max,
            hand: 0,
            epoch: 0,
        }
    }

    /// The hasher that a query must be glanced at with.
    #[must_use]
    pub const fn keyed(&self) -> &Keyed {
        &self.keyed
    }

    /// The number of answers held, forgotten ones included until their place is needed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no answer is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Octets held.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Forgets every answer at once: the house has changed, or something was flushed.
    pub fn forget_all(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// What is held for the query `glanced`, which came as `datagram`, if it may be given in second `now`; of several
    /// answers the one of `pick`, which `key` is made for.
    pub fn find(&mut self, glanced: &Glanced, datagram: &[u8], key: Key, pick: &[u8], now: u64) -> Option<&Held> {
        let place = self.places(key.hash).find(|&place| {
            self.entries.get(place).is_some_and(|entry| {
                entry.key == key
                    && entry.epoch == self.epoch
                    && entry.held.prepared().is_fresh(now)
                    && entry.held.prepared().is_for(glanced, datagram, pick)
            })
        })?;
        let entry = self.entries.get_mut(place)?;
        entry.was_used = true;
        Some(&entry.held)
    }

    /// Reads where the answers to the queries `glances` would lie, so that they are at hand when they are looked up: for
    /// a whole batch before the first of it is answered. The processor then waits for the memory of many at a time, and
    /// each pass reads what the one before has found, so that none waits for one alone. What is returned says nothing;
    /// it is to be kept from the optimiser.
    #[must_use]
    pub fn foresee(&self, glances: &[Glance]) -> u64 {
        let hashes = || {
            glances.iter().map(|glance| match glance {
                Glance::Plain(glanced) => glanced.hash,
                _ => 0,
            })
        };
        let mask = self.sets.len() - 1;
        let first = |hash: u64| self.sets.get(hash as usize & mask).and_then(|set| set.first()).copied().unwrap_or(0);
        let mut seen = hashes().fold(0, |seen, hash| seen ^ first(hash));
        let mut places = [usize::MAX; bounds::BATCH];
        for (found, hash) in places.iter_mut().zip(hashes()) {
            *found = self.places(hash).next().unwrap_or(usize::MAX);
            seen ^= self.entries.get(*found).map_or(0, |entry| entry.key.hash);
        }
        for entry in places.iter().filter_map(|&place| self.entries.get(place)) {
            seen ^= u64::from(entry.held.prepared().touch());
        }
        seen
    }

    /// Keeps `held` under `key`, in place of what was there; what is in the way has to go.
    pub fn insert(&mut self, key: Key, held: Held, now: u64) {
        let known = self.places(key.hash).find(|&place| self.entries.get(place).is_some_and(|entry| entry.key == key));
        if let Some(place) = known {
            self.remove(place);
        }
        let entry = Entry { key, held, epoch: self.epoch, was_used: false };
        let size_bytes = entry.size_bytes();
        if size_bytes > self.size_bytes_max {
            return;
        }
        while self.entries.len() >= self.entries_max || self.size_bytes + size_bytes > self.size_bytes_max {
            self.evict(now);
        }
        if self.set_mut(key.hash).is_some_and(|set| set.iter().all(|slot| *slot != 0)) {
            self.evict_from_set(key.hash, now);
        }
        let slot = slot(key.hash, self.entries.len());
        if let Some(empty) = self.set_mut(key.hash).and_then(|set| set.iter_mut().find(|slot| **slot == 0)) {
            *empty = slot;
            self.size_bytes += size_bytes;
            self.entries.push(entry);
        }
    }

    /// The hash of a question's answer by `pick`, `hash` being the question's own.
    #[must_use]
    pub fn picked_hash(&self, hash: u64, pick: &[u8]) -> u64 {
        let mut hasher = self.keyed.build_hasher();
        hasher.write_u64(hash);
        hasher.write(pick);
        hasher.finish()
    }

    /// Where the answers of this hash's set lie whose hashes begin alike.
    fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let set = self.sets.get(hash as usize & (self.sets.len() - 1)).map_or(&[][..], <[u64; WAYS]>::as_slice);
        set.iter().filter(move |slot| **slot >> 32 == hash >> 32 && **slot != 0).map(|slot| place(*slot))
    }

    fn set_mut(&mut self, hash: u64) -> Option<&mut Set> {
        let mask = self.sets.len() - 1;
        self.sets.get_mut(hash as usize & mask)
    }

    fn is_idle(&self, place: usize, now: u64) -> bool {
        self.entries
            .get(place)
            .is_none_or(|entry| !entry.was_used || entry.epoch != self.epoch || !entry.held.prepared().is_fresh(now))
    }

    /// Makes room somewhere.
    fn evict(&mut self, now: u64) {
        for _ in 0..SPARED_MAX {
            self.hand = if self.hand + 1 < self.entries.len() { self.hand + 1 } else { 0 };
            if self.is_idle(self.hand, now) {
                break;
            }
            if let Some(entry) = self.entries.get_mut(self.hand) {
                entry.was_used = false;
            }
        }
        self.remove(self.hand);
    }

    /// Makes room in the set of `hash`.
    fn evict_from_set(&mut self, hash: u64, now: u64) {
        let Some(set) = self.set_mut(hash).map(|set| *set) else { return };
        let idle = set.iter().map(|slot| place(*slot)).find(|&place| self.is_idle(place, now));
        // Where all are in use the hash chooses, for want of anything better.
        let other = set.get(hash as usize >> 24 & (WAYS - 1)).map(|slot| place(*slot));
        if let Some(place) = idle.or(other) {
            self.remove(place);
        }
    }

    /// Takes the entry at `place` out; the last one moves there.
    fn remove(&mut self, at: usize) {
        if at >= self.entries.len() {
            return;
        }
        let removed = self.entries.swap_remove(at);
        self.size_bytes -= removed.size_bytes();
        self.rewrite(removed.key.hash, slot(removed.key.hash, at), 0);
        if let Some(hash) = self.entries.get(at).map(|moved| moved.key.hash) {
            self.rewrite(hash, slot(hash, self.entries.len()), slot(hash, at));
        }
    }

    fn rewrite(&mut self, hash: u64, old: u64, new: u64) {
        if let Some(found) = self.set_mut(hash).and_then(|set| set.iter_mut().find(|slot| **slot == old)) {
            *found = new;
        }
    }
}

const fn slot(hash: u64, place: usize) -> u64 {
    hash & 0xFFFF_FFFF_0000_0000 | (place as u64 + 1)
}

const fn place(slot: u64) -> usize {
    (slot & 0xFFFF_FFFF) as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Instant;
    use crate::chain::{Aged, Answer, Asker, Carrier, Query, Recall, seal};
    use crate::dns::{Flags, Message, Name, Question, RecordType, RrSet};
    use std::sync::Arc;

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

    /// Index and vector lead to each other, and the octets add up.
    fn assert_sound(finished: &Finished) {
        let slots: Vec<u64> = finished.sets.iter().flatten().copied().filter(|slot| *slot != 0).collect();
        assert_eq!(slots.len(), finished.entries.len());
        for (at, entry) in finished.entries.iter().enumerate() {
            assert!(finished.places(entry.key.hash).any(|place| place == at));
        }
        assert_eq!(finished.size_bytes, finished.entries.iter().map(Entry::size_bytes).sum::<usize>());
        assert!(finished.size_bytes <= finished.size_bytes_max && finished.len() <= finished.entries_max);
    }

    #[test]
    fn an_answer_is_found_until_its_last_second() {
        let mut finished = Finished::new(&mut Dice::from_number(1), 100, 1 << 20);
        keep(&mut finished, 1, 10, 20);
        assert_eq!(recall(&mut finished, 1, 19), Recall::Hit(0));
        assert_eq!(recall(&mut finished, 1, 20), Recall::Unsure);
        assert_eq!(recall(&mut finished, 2, 19), Recall::Unsure);
    }

    #[test]
    fn forgetting_is_for_all_and_for_the_past_only() {
        let mut finished = Finished::new(&mut Dice::from_number(1), 100, 1 << 20);
        keep(&mut finished, 1, 0, 20);
        finished.forget_all();
        assert_eq!(recall(&mut finished, 1, 1), Recall::Unsure);
        keep(&mut finished, 1, 0, 20);
        assert_eq!(recall(&mut finished, 1, 1), Recall::Hit(0));
        assert_sound(&finished);
    }

    #[test]
    fn the_bounds_hold_whatever_comes() {
        let mut dice = Dice::from_number(2);
        for (entries_max, size_bytes_max) in [(1, 1 << 20), (7, 1 << 20), (500, 1 << 20), (500, 10_000), (500, 10)] {
            let mut finished = Finished::new(&mut dice, entries_max, size_bytes_max);
            for now in 0..3_000 {
                keep(&mut finished, dice.index(900), now, now + 1 + dice.below(50));
                let asked = dice.index(900);
                assert!(matches!(recall(&mut finished, asked, now), Recall::Hit(0) | Recall::Unsure));
                if now % 400 == 399 {
                    finished.forget_all();
                }
                if now % 50 == 0 {
                    assert_sound(&finished);
                }
            }
        }
    }

    #[test]
    fn what_is_asked_again_and_again_stays() {
        let mut finished = Finished::new(&mut Dice::from_number(3), 100, 1 << 20);
        keep(&mut finished, 0, 0, 10_000);
        for number in 1..2_000 {
            assert_eq!(recall(&mut finished, 0, 1), Recall::Hit(0), "after {number} others");
            keep(&mut finished, number, 0, 10_000);
        }
    }
}
