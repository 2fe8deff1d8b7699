//! From hashes to places in a log, 8 octets each: sets of two cache lines that grow as more is kept.
//!
//! A hash's upper half, its tag, says which set is meant; sets lie in the order of their tags. So a piece of the
//! index grows by a quarter in one pass from its beginning to its end, and whoever walks the tags in order misses
//! nothing that was there all the time. Pieces grow one at a time, so that no insertion waits long.

/// Slots of a set.
const WAYS: usize = 16;
/// Slots of a set that are in use on average when its piece grows. Sets then seldom overflow: one in forty.
const FILL_MAX: usize = 10;
const PIECE_BITS: u32 = 5;

/// A slot holds a tag, then a place, which is never 0; 0 is an empty slot.
#[derive(Clone, Copy, Debug)]
#[repr(align(128))]
pub(super) struct Set(pub(super) [u64; WAYS]);

#[derive(Default, Debug)]
struct Piece {
    sets: Vec<Set>,
    count: usize,
}

/// Places by tag.
#[derive(Debug)]
pub(super) struct Index {
    pieces: [Piece; 1 << PIECE_BITS],
    size_bytes: usize,
}

const fn slot(tag: u32, place: u32) -> u64 {
    (tag as u64) << 32 | place as u64
}

/// The tag of a slot.
pub(super) const fn tag(slot: u64) -> u32 {
    (slot >> 32) as u32
}

/// The place of a slot.
pub(super) const fn place(slot: u64) -> u32 {
    slot as u32
}

impl Piece {
    fn at(&self, tag: u32) -> usize {
        ((u64::from(tag << PIECE_BITS) * self.sets.len() as u64) >> 32) as usize
    }

    fn set(&self, tag: u32) -> Option<&Set> {
        self.sets.get(self.at(tag))
    }

    fn set_mut(&mut self, tag: u32) -> Option<&mut Set> {
        let at = self.at(tag);
        self.sets.get_mut(at)
    }

    fn rewrite(&mut self, old: u64, new: u64) -> bool {
        let found = self.set_mut(tag(old)).and_then(|set| set.0.iter_mut().find(|slot| **slot == old));
        found.map(|slot| *slot = new).is_some()
    }
}

impl Index {
    pub(super) fn new() -> Self {
        Self { pieces: std::array::from_fn(|_| Piece::default()), size_bytes: 0 }
    }

    fn piece(&self, tag: u32) -> Option<&Piece> {
        self.pieces.get((tag >> (32 - PIECE_BITS)) as usize)
    }

    fn piece_mut(&mut self, tag: u32) -> Option<&mut Piece> {
        self.pieces.get_mut((tag >> (32 - PIECE_BITS)) as usize)
    }

    /// Octets that the index takes.
    pub(super) const fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Reads a little of the set of `tag`, so that the rest comes nearer.
    pub(super) fn touch(&self, tag: u32) -> u64 {
        let set = self.piece(tag).and_then(|piece| piece.set(tag));
        set.map_or(0, |Set([first, .., last])| first ^ last)
    }

    /// The places under `tag`.
    pub(super) fn places(&self, wanted: u32) -> impl Iterator<Item = u32> {
        let slots = self.piece(wanted).and_then(|piece| piece.set(wanted)).map_or(&[][..], |set| &set.0);
        slots.iter().filter(move |slot| tag(**slot) == wanted && **slot != 0).map(|slot| place(*slot))
    }

    /// The set of `tag`, if it is full.
    pub(super) fn full_set(&self, tag: u32) -> Option<Set> {
        let piece = self.piece(tag)?;
        piece.set(tag).filter(|set| !set.0.contains(&0)).copied()
    }

    /// Adds `place` under `tag` where its set has a free slot; `dropped` hears of what growing left no slot for.
    pub(super) fn insert(&mut self, tag: u32, place: u32, dropped: impl FnMut(u32)) -> bool {
        let Some(piece) = self.piece_mut(tag) else { return false };
        let mut grown = 0;
        if piece.count >= piece.sets.len() * FILL_MAX {
            grown = piece.grow(dropped);
        }
        let is_in = piece.set(tag).is_some_and(|set| set.0.contains(&0)) && {
            piece.count += 1;
            piece.set_mut(tag).and_then(|set| set.0.iter_mut().find(|slot| **slot == 0)).is_some_and(|empty| {
                *empty = slot(tag, place);
                true
            })
        };
        self.size_bytes += grown;
        is_in
    }

    /// Takes `place` out; false if it was not there.
    pub(super) fn remove(&mut self, tag: u32, place: u32) -> bool {
        self.piece_mut(tag).is_some_and(|piece| {
            let was_there = piece.rewrite(slot(tag, place), 0);
            piece.count -= usize::from(was_there);
            was_there
        })
    }

    /// Whether `place` is there.
    pub(super) fn has(&self, tag: u32, place: u32) -> bool {
        let piece = self.piece(tag);
        piece.and_then(|piece| piece.set(tag)).is_some_and(|set| set.0.contains(&slot(tag, place)))
    }

    /// What lies at `old` lies at `new` from now on.
    pub(super) fn relocate(&mut self, tag: u32, old: u32, new: u32) {
        if let Some(piece) = self.piece_mut(tag) {
            piece.rewrite(slot(tag, old), slot(tag, new));
        }
    }

    /// Shows the slots of one set, those from tag `from` on; returns the first tag behind the set, or none at
    /// the end.
    pub(super) fn walk(&self, from: u32, mut show: impl FnMut(u64)) -> Option<u32> {
        const PER_PIECE: u64 = 1 << (32 - PIECE_BITS);
        let piece = self.piece(from)?;
        let base = u64::from(from) / PER_PIECE * PER_PIECE;
        let next = if piece.sets.is_empty() {
            base + PER_PIECE
        } else {
            for slot in piece.set(from)?.0 {
                if slot != 0 && tag(slot) >= from {
                    show(slot);
                }
            }
            let behind = ((piece.at(from) as u64 + 1) << 32).div_ceil(piece.sets.len() as u64);
            base + behind.div_ceil(1 << PIECE_BITS)
        };
        u32::try_from(next).ok()
    }
}

impl Piece {
    /// Grows by a quarter; returns the octets that it takes more.
    fn grow(&mut self, mut dropped: impl FnMut(u32)) -> usize {
        let before = self.sets.len();
        let sets = vec![Set([0; WAYS]); before + before / 4 + 1];
        let old = std::mem::replace(&mut self.sets, sets);
        self.count = 0;
        for &slot in old.iter().flat_map(|set| &set.0).filter(|slot| **slot != 0) {
            match self.set_mut(tag(slot)).and_then(|set| set.0.iter_mut().find(|slot| **slot == 0)) {
                Some(empty) => {
                    *empty = slot;
                    self.count += 1;
                }
                None => dropped(place(slot)),
            }
        }
        (self.sets.len() - before) * size_of::<Set>()
    }
}
