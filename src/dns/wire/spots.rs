//! Where names stand in a message under composition, for pointers to them (RFC 1035 §4.1.4).
//!
//! The endings of the names make a tree: each hangs one label from the ending that is a label shorter. A name is
//! looked up from its last label to its first, one label at a step, and the first step that finds nothing ends it.
//! So a name costs at most its own length, whoever chose it and whatever else the message holds.

use smallvec::SmallVec;

use crate::base::bounds;
use crate::dns::name::{LABEL_MAX, NAME_MAX};

/// Where the labels of a name begin in its wire form.
pub(super) struct Labels {
    /// Of the labels in order, and then of the root's octet.
    starts: [u8; NAME_MAX / 2 + 1],
    count: usize,
}

impl Labels {
    /// The labels of the uncompressed name at the start of `wire`; none where there is no such name.
    pub(super) fn of(wire: &[u8]) -> Option<Self> {
        let mut labels = Self { starts: [0; NAME_MAX / 2 + 1], count: 0 };
        let mut at = 0;
        loop {
            *labels.starts.get_mut(labels.count)? = u8::try_from(at).ok()?;
            match usize::from(*wire.get(at)?) {
                0 => return (at < NAME_MAX).then_some(labels),
                length if length <= LABEL_MAX => at += 1 + length,
                _ => return None,
            }
            labels.count += 1;
        }
    }

    /// How many there are, the root's left out.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Where the label of that number begins, counted from 0; behind the last one stands the root's octet.
    pub(super) fn start(&self, number: usize) -> usize {
        self.starts.get(number).copied().map_or(0, usize::from)
    }

    /// The label of that number with its length, in the name's wire form.
    fn label<'w>(&self, number: usize, wire: &'w [u8]) -> &'w [u8] {
        wire.get(self.start(number)..self.start(number + 1)).unwrap_or_default()
    }
}

/// An ending of a name: what it hangs from, and where its first label stands.
#[derive(Clone, Copy, Debug)]
struct Spot {
    at: u16,
    parent: u8,
    slot: u8,
}

/// The endings that a message holds. The number of one is its place in order, from 1; 0 is the root.
#[derive(Debug)]
pub(super) struct Spots {
    known: SmallVec<[Spot; bounds::COMPRESSION_NAMES_MAX]>,
    /// A hash table of their numbers: parent and label choose the first slot, the next free one is taken.
    slots: [u8; SLOTS],
}

/// More than twice the endings, so that a free slot is near.
const SLOTS: usize = 256;
const _: () = assert!(bounds::COMPRESSION_NAMES_MAX < SLOTS / 2, "numbers are octets, and half of the slots free");

/// Where a pointer of 14 bits can point to.
const POINTED_MAX: usize = 0x4000;

impl Default for Spots {
    fn default() -> Self {
        Self { known: SmallVec::new(), slots: [0; SLOTS] }
    }
}

impl Spots {
    /// The longest ending of the name `wire` that stands in `message`: how many labels it has, and where it stands.
    /// Letters count, save where those of the message stand before `question_end`. The longer endings are
    /// remembered: they are to be written at the message's end now.
    pub(super) fn place(&mut self, message: &[u8], wire: &[u8], labels: &Labels, question_end: usize) -> (usize, u16) {
        let (mut number, mut at, mut left) = (0, 0, labels.count());
        while left > 0 {
            let label = labels.label(left - 1, wire);
            match self.seek(number, label, message, question_end) {
                Ok(found) => (number, at) = found,
                Err(free) => {
                    self.remember(number, free, message, (wire, labels, left));
                    break;
                }
            }
            left -= 1;
        }
        (labels.count() - left, at)
    }

    /// Remembers the endings of a name that have more than its last labels, which are those of `parent`: the first
    /// of them gets the slot `free`, and `left` labels are not yet in the message.
    fn remember(
        &mut self,
        mut parent: u8,
        mut free: Option<u8>,
        message: &[u8],
        (wire, labels, left): (&[u8], &Labels, usize),
    ) {
        for number in (0..left).rev() {
            let at = message.len() + labels.start(number);
            if at >= POINTED_MAX || self.known.len() >= bounds::COMPRESSION_NAMES_MAX {
                return;
            }
            let slot = match free.take() {
                Some(slot) => slot,
                None => match Self::probe(parent, labels.label(number, wire)).find(|slot| self.number_in(*slot) == 0) {
                    Some(slot) => slot,
                    None => return,
                },
            };
            self.known.push(Spot { at: at as u16, parent, slot });
            parent = self.known.len() as u8;
            if let Some(number) = self.slots.get_mut(usize::from(slot)) {
                *number = parent;
            }
        }
    }

    /// The number and place of the ending of `label` and `parent`, or else the slot where it belongs.
    fn seek(&self, parent: u8, label: &[u8], message: &[u8], question_end: usize) -> Result<(u8, u16), Option<u8>> {
        for slot in Self::probe(parent, label) {
            let number = self.number_in(slot);
            let Some(spot) = usize::from(number).checked_sub(1).and_then(|at| self.known.get(at)) else {
                return Err(Some(slot));
            };
            let at = usize::from(spot.at);
            if spot.parent == parent
                && let Some(there) = message.get(at..at + label.len())
                && (there == label || at < question_end && there.eq_ignore_ascii_case(label))
            {
                return Ok((number, spot.at));
            }
        }
        Err(None)
    }

    /// The slots that may hold the ending of `label` and `parent`, at most [`bounds::COMPRESSION_PROBES_MAX`].
    fn probe(parent: u8, label: &[u8]) -> impl Iterator<Item = u8> + use<> {
        let first = hash(parent, label);
        (0..bounds::COMPRESSION_PROBES_MAX).map(move |step| first.wrapping_add(step))
    }

    fn number_in(&self, slot: u8) -> u8 {
        self.slots.get(usize::from(slot)).copied().unwrap_or(0)
    }

    /// Forgets the endings that stand at octet `length` or behind it. They are the latest, so every slot is as it
    /// was before them.
    pub(super) fn forget(&mut self, length: usize) {
        while let Some(spot) = self.known.last().copied().filter(|spot| usize::from(spot.at) >= length) {
            self.known.pop();
            if let Some(number) = self.slots.get_mut(usize::from(spot.slot)) {
                *number = 0;
            }
        }
    }
}

/// The same for capital and small letters.
fn hash(parent: u8, label: &[u8]) -> u8 {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ (word | SMALL)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let (words, rest) = label.as_chunks::<8>();
    let whole = words.iter().fold(u64::from(parent), |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(0, |word, octet| word << 8 | u64::from(*octet));
    (mix(whole, rest) >> 56) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dns::Name;
    use crate::dns::wire::Reader;

    const HEADER: usize = 12;

    /// Writes `name` at the end of `message` as a composer does, and returns how many of its labels are a pointer.
    fn write(spots: &mut Spots, message: &mut Vec<u8>, name: &Name, question_end: usize) -> usize {
        let labels = Labels::of(name.wire()).unwrap();
        let (known, at) = spots.place(message, name.wire(), &labels, question_end);
        message.extend_from_slice(&name.wire()[..labels.start(labels.count() - known)]);
        if known == 0 {
            message.push(0);
        } else {
            message.extend_from_slice(&(0xC000 | at).to_be_bytes());
        }
        known
    }

    fn endings(name: &Name) -> impl Iterator<Item = Vec<u8>> + '_ {
        let labels = Labels::of(name.wire()).unwrap();
        (0..labels.count()).map(move |number| name.wire()[labels.start(number)..].to_vec())
    }

    fn names() -> impl Strategy<Value = Vec<Name>> {
        let label = prop::sample::select(vec!["a", "A", "b", "bb", "longer-than-eight", "\\000", "x1", "x2", "x3"]);
        let name = prop::collection::vec(label, 0..6).prop_map(|labels| format!("{}.", labels.join(".")));
        prop::collection::vec(name.prop_map(|text| text.parse().unwrap()), 1..24)
    }

    proptest! {
        #[test]
        fn every_name_is_compressed_as_far_as_a_search_of_all_earlier_ones_would(names in names()) {
            let (mut spots, mut message) = (Spots::default(), vec![0; HEADER]);
            let mut written: Vec<Vec<u8>> = Vec::new();
            for name in &names {
                let at = message.len();
                let known = write(&mut spots, &mut message, name, 0);
                let longest = endings(name).position(|ending| written.contains(&ending));
                prop_assert_eq!(known, longest.map_or(0, |skipped| name.label_count() - skipped));
                let read = Reader::new(&message, at).name().unwrap();
                prop_assert_eq!(read.wire(), name.wire(), "to the letter");
                written.extend(endings(name));
            }
        }

        #[test]
        fn what_is_taken_back_leaves_no_trace(kept in names(), taken in names(), later in names()) {
            let (mut spots, mut message) = (Spots::default(), vec![0; HEADER]);
            let (mut other_spots, mut other) = (Spots::default(), vec![0; HEADER]);
            for name in &kept {
                write(&mut spots, &mut message, name, 0);
                write(&mut other_spots, &mut other, name, 0);
            }
            for name in &taken {
                write(&mut other_spots, &mut other, name, 0);
            }
            other_spots.forget(message.len());
            other.truncate(message.len());
            for name in &later {
                write(&mut spots, &mut message, name, 0);
                write(&mut other_spots, &mut other, name, 0);
            }
            prop_assert_eq!(message, other);
        }
    }

    #[test]
    fn letters_count_save_those_of_the_question() {
        let (mut spots, mut message) = (Spots::default(), vec![0; HEADER]);
        let mut known = |text: &str, end| write(&mut spots, &mut message, &text.parse().unwrap(), end);
        assert_eq!(known("wWw.ExAmPlE.", 0), 0);
        let question_end = HEADER + 13;
        assert_eq!(known("www.example.", question_end), 2);
        assert_eq!(known("WWW.example.", question_end), 2);
        assert_eq!(known("Sub.example.", question_end), 1);
        assert_eq!(known("sub.example.", question_end), 1, "another record's letters are its own");
        assert_eq!(known("www.example.", 0), 0, "a transfer keeps the letters of the zone");
    }

    #[test]
    fn labels_that_were_chosen_to_meet_in_one_slot_are_looked_at_within_the_bound() {
        let first = hash(0, b"\x08meeting0");
        let meeting = (0..).map(|number: u32| format!("z{number:07}."));
        let meeting = meeting.filter(|text| hash(0, &[&[8], &text.as_bytes()[..8]].concat()) == first);
        let (mut spots, mut message) = (Spots::default(), vec![0; HEADER]);
        let names: Vec<Name> = meeting.take(40).map(|text| text.parse().unwrap()).collect();
        let written: usize = names.iter().map(|name| write(&mut spots, &mut message, name, 0)).sum();
        let again = names.iter().map(|name| write(&mut spots, &mut message, name, 0)).sum::<usize>();
        assert_eq!((written, again), (0, usize::from(bounds::COMPRESSION_PROBES_MAX)));
    }

    #[test]
    fn a_message_full_of_names_remembers_the_first_and_points_no_further_than_fourteen_bits() {
        let (mut spots, mut message) = (Spots::default(), vec![0; HEADER]);
        for number in 0..1_000 {
            write(&mut spots, &mut message, &format!("n{number}.example.").parse().unwrap(), 0);
        }
        assert_eq!(spots.known.len(), bounds::COMPRESSION_NAMES_MAX);
        assert_eq!(write(&mut spots, &mut message, &"n7.example.".parse().unwrap(), 0), 2);
        assert_eq!(write(&mut spots, &mut message, &"n900.example.".parse().unwrap(), 0), 1);
        let (mut spots, mut message) = (Spots::default(), vec![0; POINTED_MAX]);
        assert_eq!([(); 2].map(|()| write(&mut spots, &mut message, &"far.example.".parse().unwrap(), 0)), [0, 0]);
    }
}
