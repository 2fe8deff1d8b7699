//! Records kept under hashes, in a log: what is new is written behind what came before, and what is oldest makes
//! room, unless it was used since it was written, when it is written anew (second chance).
//!
//! Facts and finished answers are small and very many. Here each takes its octets, a header and its share of the
//! index, some 24 octets in all; with allocations of their own they would take several times as much, half of it
//! the allocator's. Memory is taken in segments and given back in segments, so the bound is one on real memory.
//!
//! The log is a plain data structure: it knows neither time nor locks nor what a record means.

mod index;

use std::collections::VecDeque;

use index::Index;

/// Records are aligned to so many octets, and places count in them.
const UNIT: usize = 8;
/// A record's length (two octets), its marks (one, and one spare), its tag (four).
const HEADER: usize = 8;
/// Octets of the largest and the smallest segment.
const SEGMENT_MAX: usize = 1 << 16;
const SEGMENT_MIN: usize = 1 << 12;
/// Segments that a log must be able to have: it fills one while it empties another.
const SEGMENTS_MIN: usize = 4;
/// Octets that are left to an index however small.
const INDEX_MIN: usize = 1 << 12;
/// A place is the number of a segment, turning over, and the offset in it, which is never 0.
const OFFSET_BITS: u32 = (SEGMENT_MAX / UNIT).trailing_zeros();
const NUMBER_MASK: u32 = (1 << (32 - OFFSET_BITS)) - 1;
/// Used records that an insertion spares before it takes one all the same.
const SPARED_MAX: usize = 8;
/// Records that an insertion moves together where holes take more than what is kept.
const MOVED_MAX: usize = 3;

/// Where a record lies, until the log is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

/// The oldest record, whose time has come.
pub(super) struct Old<'l> {
    /// A hash that finds it.
    pub(super) hash: u64,
    /// The record.
    pub(super) octets: &'l [u8],
    /// Whether it was marked as used since it was written.
    pub(super) was_used: bool,
}

/// The records.
#[derive(Debug)]
pub(super) struct Log {
    index: Index,
    /// From the oldest to the newest.
    segments: VecDeque<Box<[u8]>>,
    /// The number of the oldest segment.
    first: u32,
    /// Where in the oldest segment the oldest record is.
    tail: usize,
    /// Where in the newest segment the next record comes.
    head: usize,
    segment_bytes: usize,
    size_bytes_max: usize,
    /// Octets of the records that can be found, headers included, and their number.
    live_bytes: usize,
    count: usize,
    moved: Vec<u8>,
}

const fn room(length: usize) -> usize {
    (HEADER + length).next_multiple_of(UNIT)
}

const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

impl Log {
    /// An empty log of at most `size_bytes_max` octets, index included; of none if those are too few to work with.
    pub(super) fn new(size_bytes_max: usize) -> Self {
        let wanted = (size_bytes_max / 16 + 1).next_power_of_two();
        let segment_bytes = wanted.clamp(SEGMENT_MIN, SEGMENT_MAX);
        let mut log = Self {
            index: Index::new(),
            segments: VecDeque::new(),
            first: 0,
            tail: UNIT,
            head: UNIT,
            segment_bytes,
            size_bytes_max: 0,
            live_bytes: 0,
            count: 0,
            moved: Vec::new(),
        };
        log.set_bound(size_bytes_max);
        log
    }

    /// Lets the log have at most `size_bytes_max` octets from the next record on.
    pub(super) fn set_bound(&mut self, size_bytes_max: usize) {
        self.size_bytes_max = size_bytes_max.min(self.segment_bytes * (NUMBER_MASK as usize - 1));
    }

    /// Octets of a segment.
    pub(super) const fn segment_bytes(&self) -> usize {
        self.segment_bytes
    }

    /// The number of records.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Octets of memory that the log takes.
    pub(super) fn size_bytes(&self) -> usize {
        self.segments_bytes() + self.index.size_bytes()
    }

    fn segments_bytes(&self) -> usize {
        self.segments.len() * self.segment_bytes
    }

    /// Segments that the log may have beside those that it has; the index may grow by a quarter meanwhile.
    fn segments_left(&self) -> usize {
        let of_index = self.index.size_bytes().max(INDEX_MIN) * 5 / 4;
        self.size_bytes_max.saturating_sub(self.segments_bytes() + of_index) / self.segment_bytes
    }

    /// The record under `hash` that `is_it` knows.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(&[u8]) -> bool) -> Option<Place> {
        self.index.places(tag(hash)).map(Place).find(|&place| self.octets(place).is_some_and(&is_it))
    }

    /// The octets of the record at `place`.
    pub(super) fn octets(&self, place: Place) -> Option<&[u8]> {
        let (number, offset) = self.split(place);
        let (header, rest) = self.segments.get(number)?.get(offset..)?.split_first_chunk::<HEADER>()?;
        rest.get(..length(*header))
    }

    /// The octets of the record at `place`, to be changed.
    pub(super) fn octets_mut(&mut self, place: Place) -> Option<&mut [u8]> {
        let (number, offset) = self.split(place);
        let (header, rest) = self.segments.get_mut(number)?.get_mut(offset..)?.split_first_chunk_mut::<HEADER>()?;
        rest.get_mut(..length(*header))
    }

    /// The octets of the record under `hash` that `is_it` knows, which is spared when its time comes.
    pub(super) fn recall(&mut self, hash: u64, is_it: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        let (number, offset) = self.split(self.find(hash, is_it)?);
        let (header, rest) = self.segments.get_mut(number)?.get_mut(offset..)?.split_first_chunk_mut::<HEADER>()?;
        let [_, _, marks, ..] = header;
        *marks = 1;
        rest.get(..length(*header))
    }

    /// Spares the record at `place` when its time comes.
    pub(super) fn mark_used(&mut self, place: Place) {
        if let Some([_, _, marks, ..]) = self.header_mut(place) {
            *marks = 1;
        }
    }

    /// Reads where the index would tell of what lies under `hash`, so that this comes nearer.
    pub(super) fn touch_index(&self, hash: u64) -> u64 {
        self.index.touch(tag(hash))
    }

    /// Reads a little of what lies under `hash`, so that the rest comes nearer.
    pub(super) fn touch(&self, hash: u64) -> u8 {
        let records = self.index.places(tag(hash)).filter_map(|place| {
            let (number, offset) = self.split(Place(place));
            let segment = self.segments.get(number)?;
            Some(segment.get(offset)? ^ segment.get(offset + 64).copied().unwrap_or_default())
        });
        records.fold(0, |all, octet| all ^ octet)
    }

    /// Writes `octets` under `hash`, in place of the record that `is_it` knows. What is oldest makes room, except for
    /// a few that `is_spared`, which are written anew. False where the record is too large.
    pub(super) fn put(
        &mut self,
        hash: u64,
        octets: &[u8],
        is_it: impl Fn(&[u8]) -> bool,
        mut is_spared: impl FnMut(&Old<'_>) -> bool,
    ) -> bool {
        if let Some(place) = self.find(hash, is_it) {
            let held = self.octets(place).map_or(0, <[u8]>::len);
            if room(held) == room(octets.len()) {
                self.write(place, tag(hash), true, octets);
                return true;
            }
            self.remove(hash, place);
        }
        let room = room(octets.len());
        if room > self.segment_bytes - UNIT || self.size_bytes_max < SEGMENTS_MIN * self.segment_bytes {
            return false;
        }
        if self.segments_bytes() > 2 * (self.live_bytes + self.segment_bytes) {
            for _ in 0..MOVED_MAX {
                self.pass_oldest(|_| true); // holes are in the way, not records
            }
        }
        if let Some(full) = self.index.full_set(tag(hash)) {
            self.make_room_in(&full.0);
        }
        let mut spared = 0;
        let place = loop {
            if !self.is_crowded(room)
                && let Some(place) = self.append(tag(hash), octets)
            {
                break place;
            }
            spared += usize::from(self.pass_oldest(|old| spared < SPARED_MAX && is_spared(old)));
        };
        self.enter(tag(hash), place);
        true
    }

    /// Enters a record that was written into the index.
    fn enter(&mut self, tag: u32, place: Place) {
        let mut dropped = Vec::new();
        let is_in = self.index.insert(tag, place.0, |place| dropped.push(Place(place)));
        if is_in {
            self.count += 1;
            self.live_bytes += self.room_at(place);
        }
        for place in dropped {
            self.count -= 1;
            self.live_bytes -= self.room_at(place);
        }
    }

    /// Takes the record under `hash` at `place` out.
    pub(super) fn remove(&mut self, hash: u64, place: Place) {
        self.take_out(tag(hash), place);
        if self.count == 0 {
            self.clear();
        }
    }

    fn take_out(&mut self, tag: u32, place: Place) {
        if self.index.remove(tag, place.0) {
            self.count -= 1;
            self.live_bytes -= self.room_at(place);
        }
    }

    /// Gives memory back where holes take more than what is kept.
    pub(super) fn tidy(&mut self) {
        while self.segments_bytes() > 2 * (self.live_bytes + self.segment_bytes) {
            self.pass_oldest(|_| true);
        }
    }

    /// Gives the memory back of a log that is empty.
    fn clear(&mut self) {
        self.segments.clear();
        (self.tail, self.head, self.index) = (UNIT, UNIT, Index::new());
    }

    /// Shows some records, in the order of their hashes, from the one after which the last call ended; returns
    /// with what to go on, or none at the end.
    pub(super) fn walk(&self, from: u32, mut show: impl FnMut(&[u8])) -> Option<u32> {
        self.index.walk(from, |slot| {
            if let Some(octets) = self.octets(Place(index::place(slot))) {
                show(octets);
            }
        })
    }

    fn split(&self, place: Place) -> (usize, usize) {
        let number = (place.0 >> OFFSET_BITS).wrapping_sub(self.first) & NUMBER_MASK;
        (number as usize, (place.0 & ((1 << OFFSET_BITS) - 1)) as usize * UNIT)
    }

    fn place(&self, segment: usize, offset: usize) -> Place {
        let number = self.first.wrapping_add(segment as u32) & NUMBER_MASK;
        Place(number << OFFSET_BITS | (offset / UNIT) as u32)
    }

    fn header(&self, segment: usize, offset: usize) -> Option<[u8; HEADER]> {
        self.segments.get(segment)?.get(offset..)?.first_chunk().copied()
    }

    fn header_mut(&mut self, place: Place) -> Option<&mut [u8; HEADER]> {
        let (segment, offset) = self.split(place);
        self.segments.get_mut(segment)?.get_mut(offset..)?.first_chunk_mut()
    }

    fn room_at(&self, place: Place) -> usize {
        let (segment, offset) = self.split(place);
        self.header(segment, offset).map_or(0, |header| room(length(header)))
    }

    fn write(&mut self, place: Place, tag: u32, was_used: bool, octets: &[u8]) {
        let (segment, offset) = self.split(place);
        let Some(rest) = self.segments.get_mut(segment).and_then(|segment| segment.get_mut(offset..)) else { return };
        let [l0, l1] = (octets.len() as u16).to_ne_bytes();
        let [t0, t1, t2, t3] = tag.to_ne_bytes();
        let Some((header, rest)) = rest.split_first_chunk_mut::<HEADER>() else { return };
        *header = [l0, l1, u8::from(was_used), 0, t0, t1, t2, t3];
        if let Some(into) = rest.get_mut(..octets.len()) {
            into.copy_from_slice(octets);
        }
    }

    /// Whether something old must go before a new record of `room` octets comes. The oldest segment is emptied as
    /// the last but one is filled, so that no insertion does it all; what is spared may use the last one.
    fn is_crowded(&self, room: usize) -> bool {
        let fits = !self.segments.is_empty() && self.head + room <= self.segment_bytes;
        match self.segments_left() {
            0 => true,
            1 => fits && self.tail < self.head + room,
            _ => false,
        }
    }

    /// Writes a record behind all others; it is not in the index yet.
    fn append(&mut self, tag: u32, octets: &[u8]) -> Option<Place> {
        let room = room(octets.len());
        if self.segments.is_empty() || self.head + room > self.segment_bytes {
            if self.segments_left() == 0 {
                return None;
            }
            self.segments.push_back(vec![0; self.segment_bytes].into_boxed_slice());
            self.head = UNIT;
        }
        let place = self.place(self.segments.len() - 1, self.head);
        self.write(place, tag, false, octets);
        self.head += room;
        Some(place)
    }

    /// Passes the oldest record, or the end of the oldest segment; a record that `is_kept` is written anew, if there
    /// is room. Tells whether one was.
    fn pass_oldest(&mut self, is_kept: impl FnOnce(&Old<'_>) -> bool) -> bool {
        if self.segments.len() <= 1 && self.tail >= self.head {
            self.clear(); // there is nothing
            return false;
        }
        let header = self.header(0, self.tail).filter(|header| length(*header) > 0);
        let Some(header) = header else {
            self.drop_oldest_segment();
            return false;
        };
        let ([.., t0, t1, t2, t3], place) = (header, self.place(0, self.tail));
        let tag = u32::from_ne_bytes([t0, t1, t2, t3]);
        self.tail += room(length(header));
        if !self.index.has(tag, place.0) {
            return false;
        }
        let octets = self.octets(place).unwrap_or_default();
        if is_kept(&Old { hash: u64::from(tag) << 32, octets, was_used: header[2] != 0 }) {
            let mut moved = std::mem::take(&mut self.moved);
            moved.clear();
            moved.extend_from_slice(self.octets(place).unwrap_or_default());
            let new = self.append(tag, &moved);
            self.moved = moved;
            if let Some(new) = new {
                self.index.relocate(tag, place.0, new.0);
                return true;
            }
        }
        self.take_out(tag, place);
        false
    }

    fn drop_oldest_segment(&mut self) {
        self.segments.pop_front();
        self.first = self.first.wrapping_add(1) & NUMBER_MASK;
        self.tail = UNIT;
    }

    /// Takes one of a full set's records out, one that was not used if there is any.
    fn make_room_in(&mut self, set: &[u64]) {
        let was_used = |slot: &&u64| {
            let (segment, offset) = self.split(Place(index::place(**slot)));
            self.header(segment, offset).is_some_and(|[_, _, marks, ..]| marks != 0)
        };
        // Where all are in use the first goes, for want of anything better.
        if let Some(&slot) = set.iter().find(|slot| !was_used(slot)).or(set.first()) {
            self.take_out(index::tag(slot), Place(index::place(slot)));
        }
    }
}

const fn length([l0, l1, ..]: [u8; HEADER]) -> usize {
    u16::from_ne_bytes([l0, l1]) as usize
}

#[cfg(test)]
mod tests;
