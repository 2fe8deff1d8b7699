//! The names of a zone in a few large allocations: an arena with the nodes in canonical order, where each
//! begins, and a hash table over them.
//!
//! A node is `flags, length of the name, name relative to the apex, number of RRsets, RRsets`, and an `RRset`
//! `type, TTL, octets of RDATA, octets of signatures, RDATA, signatures`, both packed as [`Rdatas`] packs
//! them. Empty non-terminals are nodes without `RRsets`, so that a name exists exactly if it has a node
//! (RFC 4592 §2.2.2). A node's number is its rank in canonical order (RFC 4034 §6.1).

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::collections::Keyed;
use crate::dns::name::NAME_MAX;
use crate::dns::{Name, Rdatas, RecordType, RrSet, rrset};

/// What is known of a node without reading its `RRsets`.
pub(super) mod flag {
    /// NS records below the apex: a zone cut.
    pub(in super::super) const CUT: u8 = 1;
    /// DNAME records: names below are elsewhere.
    pub(in super::super) const DNAME: u8 = 2;
    /// Below a cut or a DNAME: no authoritative data here.
    pub(in super::super) const OCCLUDED: u8 = 4;
    /// A wildcard stands directly below.
    pub(in super::super) const WILDCARD_BELOW: u8 = 8;
}

const SET_HEADER: usize = 14;
const EMPTY: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Slot {
    /// Bits of the hash, to pass over other names without reading them.
    tag: u32,
    node: u32,
}

/// The nodes of a zone.
pub(super) struct Tree {
    arena: Box<[u8]>,
    starts: Box<[u32]>,
    slots: Box<[Slot]>,
    keyed: Keyed,
}

/// A node of the tree.
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    pub(super) rank: u32,
    pub(super) flags: u8,
    /// The name relative to the apex, without the root's octet, letters as written in the zone.
    pub(super) name: &'t [u8],
    set_count: u16,
    sets: &'t [u8],
}

/// An `RRset` of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetView<'t> {
    /// The type.
    pub rtype: RecordType,
    /// The TTL as written in the zone, seconds.
    pub ttl: u32,
    rdatas: &'t [u8],
    signatures: &'t [u8],
}

impl<'t> SetView<'t> {
    /// The RDATA, in the order of the zone.
    pub fn rdatas(&self) -> impl Iterator<Item = &'t [u8]> + Clone + use<'t> {
        rrset::unpack(self.rdatas)
    }

    /// The RDATA of the RRSIG records that cover the set.
    pub fn signatures(&self) -> impl Iterator<Item = &'t [u8]> + Clone + use<'t> {
        rrset::unpack(self.signatures)
    }

    /// The set as an owned one of `owner`; with its signatures only where they are wanted.
    #[must_use]
    pub fn to_rrset(&self, owner: Name, wants_signatures: bool) -> Arc<RrSet> {
        Arc::new(RrSet {
            owner,
            rtype: self.rtype,
            ttl: self.ttl,
            rdatas: Rdatas::from_packed(self.rdatas),
            signatures: Rdatas::from_packed(if wants_signatures { self.signatures } else { &[] }),
        })
    }
}

impl<'t> Node<'t> {
    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.set_count == 0
    }

    pub(super) fn sets(&self) -> impl Iterator<Item = SetView<'t>> + use<'t> {
        let mut rest = self.sets;
        std::iter::repeat_with(move || {
            let (view, after) = split_set(rest)?;
            rest = after;
            Some(view)
        })
        .take(usize::from(self.set_count))
        .map_while(|view| view)
    }

    pub(super) fn set(&self, rtype: RecordType) -> Option<SetView<'t>> {
        self.sets().find(|set| set.rtype == rtype)
    }
}

fn split_set(bytes: &[u8]) -> Option<(SetView<'_>, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<SET_HEADER>()?;
    let [t1, t2, ttl @ .., _, _, _, _, _, _, _, _] = *header;
    let [.., r1, r2, r3, r4, s1, s2, s3, s4] = *header;
    let (rdatas, rest) = rest.split_at_checked(u32::from_be_bytes([r1, r2, r3, r4]) as usize)?;
    let (signatures, rest) = rest.split_at_checked(u32::from_be_bytes([s1, s2, s3, s4]) as usize)?;
    let rtype = RecordType(u16::from_be_bytes([t1, t2]));
    Some((SetView { rtype, ttl: u32::from_be_bytes(ttl), rdatas, signatures }, rest))
}

impl Tree {
    pub(super) const fn len(&self) -> usize {
        self.starts.len()
    }

    /// Octets of the nodes.
    pub(super) const fn arena_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Octets held.
    pub(super) fn size_bytes(&self) -> usize {
        self.arena.len() + size_of_val(&*self.starts) + size_of_val(&*self.slots)
    }

    pub(super) fn node(&self, rank: u32) -> Option<Node<'_>> {
        let start = *self.starts.get(rank as usize)? as usize;
        let ([flags, length], rest) = self.arena.get(start..)?.split_first_chunk::<2>()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (count, sets) = rest.split_first_chunk::<2>()?;
        Some(Node { rank, flags: *flags, name, set_count: u16::from_be_bytes(*count), sets })
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.starts.len() as u32).map_while(|rank| self.node(rank))
    }

    /// The node of a relative name in small letters.
    pub(super) fn find(&self, lowered: &[u8]) -> Option<Node<'_>> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = self.keyed.hash_one(lowered);
        let mut at = hash as usize & mask;
        // The table is never full, so an empty slot ends the search.
        for _ in 0..=mask {
            let slot = self.slots.get(at)?;
            if slot.node == EMPTY {
                return None;
            }
            if slot.tag == (hash >> 32) as u32
                && let Some(node) = self.node(slot.node)
                && node.name.eq_ignore_ascii_case(lowered)
            {
                return Some(node);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Of the nodes with these `ranks`, ascending, the last that is not behind `name` in canonical order;
    /// behind the start it is the last of all, for the order is a ring (RFC 4034 §6.1, RFC 5155 §7.1).
    pub(super) fn at_or_before(&self, ranks: &[u32], name: &[u8]) -> Option<Node<'_>> {
        let behind = ranks.partition_point(|&rank| {
            self.node(rank).is_some_and(|node| canonical_order(node.name, name) != Ordering::Greater)
        });
        let rank = behind.checked_sub(1).and_then(|at| ranks.get(at)).or(ranks.last())?;
        self.node(*rank)
    }
}

/// Builds a [`Tree`] from nodes that come in canonical order.
pub(super) struct TreeBuilder {
    arena: Vec<u8>,
    starts: Vec<u32>,
    keyed: Keyed,
    /// Where the number of `RRsets` of the last node stands.
    count_at: usize,
}

impl TreeBuilder {
    pub(super) fn new(keyed: Keyed, octets: usize, nodes: usize) -> Self {
        Self { arena: Vec::with_capacity(octets), starts: Vec::with_capacity(nodes), keyed, count_at: 0 }
    }

    /// Begins the next node; its rank is returned.
    pub(super) fn node(&mut self, flags: u8, name: &[u8]) -> u32 {
        let rank = self.starts.len() as u32;
        self.starts.push(self.arena.len() as u32); // the builder's bound keeps an arena below 4 GiB
        self.arena.extend_from_slice(&[flags, name.len() as u8]);
        self.arena.extend_from_slice(name);
        self.count_at = self.arena.len();
        self.arena.extend_from_slice(&[0, 0]);
        rank
    }

    pub(super) fn add_flags(&mut self, rank: u32, flags: u8) {
        if let Some(start) = self.starts.get(rank as usize)
            && let Some(octet) = self.arena.get_mut(*start as usize)
        {
            *octet |= flags;
        }
    }

    /// Adds an `RRset` to the last node.
    pub(super) fn set<'s>(
        &mut self,
        rtype: RecordType,
        ttl: u32,
        rdatas: impl Iterator<Item = &'s [u8]>,
        signatures: impl Iterator<Item = &'s [u8]>,
    ) {
        self.arena.extend_from_slice(&rtype.0.to_be_bytes());
        self.arena.extend_from_slice(&ttl.to_be_bytes());
        let lengths_at = self.arena.len();
        self.arena.extend_from_slice(&[0; 8]);
        self.pack(rdatas, lengths_at);
        self.pack(signatures, lengths_at + 4);
        if let Some(count) = self.arena.get_mut(self.count_at..).and_then(|rest| rest.first_chunk_mut::<2>()) {
            *count = u16::from_be_bytes(*count).saturating_add(1).to_be_bytes();
        }
    }

    /// Gives the last node, new and empty, the `RRsets` of another tree's node.
    pub(super) fn copy_sets(&mut self, node: &Node<'_>) {
        let length: usize = node.sets().map(|set| SET_HEADER + set.rdatas.len() + set.signatures.len()).sum();
        self.arena.extend_from_slice(node.sets.get(..length).unwrap_or_default());
        if let Some(count) = self.arena.get_mut(self.count_at..).and_then(|rest| rest.first_chunk_mut::<2>()) {
            *count = node.set_count.to_be_bytes();
        }
    }

    fn pack<'s>(&mut self, rdatas: impl Iterator<Item = &'s [u8]>, length_at: usize) {
        let start = self.arena.len();
        for rdata in rdatas {
            self.arena.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            self.arena.extend_from_slice(rdata);
        }
        let length = (self.arena.len() - start) as u32;
        if let Some(field) = self.arena.get_mut(length_at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
            *field = length.to_be_bytes();
        }
    }

    pub(super) fn finish(self) -> Tree {
        let slot_count = (self.starts.len() * 4 / 3 + 1).next_power_of_two();
        let mut tree = Tree {
            arena: self.arena.into_boxed_slice(),
            starts: self.starts.into_boxed_slice(),
            slots: vec![Slot { tag: 0, node: EMPTY }; slot_count].into_boxed_slice(),
            keyed: self.keyed,
        };
        let mask = slot_count - 1;
        let mut lowered = [0u8; NAME_MAX];
        for rank in 0..tree.starts.len() as u32 {
            let Some(node) = tree.node(rank) else { break };
            let Some(name) = lowered.get_mut(..node.name.len()) else { break };
            name.copy_from_slice(node.name);
            name.make_ascii_lowercase();
            let hash = tree.keyed.hash_one(&*name);
            let mut at = hash as usize & mask;
            for _ in 0..=mask {
                match tree.slots.get_mut(at) {
                    Some(slot) if slot.node == EMPTY => {
                        *slot = Slot { tag: (hash >> 32) as u32, node: rank };
                        break;
                    }
                    _ => at = (at + 1) & mask,
                }
            }
        }
        tree
    }
}

/// Where the labels of a relative name begin, from the left.
pub(super) fn label_starts(name: &[u8]) -> SmallVec<[u8; 16]> {
    let mut starts = SmallVec::new();
    let mut at = 0;
    while let Some(&length) = name.get(at) {
        starts.push(at as u8);
        at += 1 + usize::from(length);
    }
    starts
}

/// The canonical order of two relative names of one zone (RFC 4034 §6.1).
pub(super) fn canonical_order(one: &[u8], two: &[u8]) -> Ordering {
    let (ones, twos) = (label_starts(one), label_starts(two));
    for (a, b) in ones.iter().rev().zip(twos.iter().rev()) {
        let (a, b) = (label_at(one, *a), label_at(two, *b));
        let order = a.iter().map(u8::to_ascii_lowercase).cmp(b.iter().map(u8::to_ascii_lowercase));
        if order != Ordering::Equal {
            return order;
        }
    }
    ones.len().cmp(&twos.len())
}

pub(super) fn label_at(name: &[u8], start: u8) -> &[u8] {
    let rest = name.get(usize::from(start)..).unwrap_or_default();
    rest.split_first().and_then(|(length, tail)| tail.get(..usize::from(*length))).unwrap_or_default()
}

/// A name within a zone, relative to its apex and in small letters, as the tree is asked for it.
pub(super) struct Path {
    lowered: [u8; NAME_MAX],
    length: usize,
    starts: SmallVec<[u8; 16]>,
}

impl Path {
    /// The path of `name` from `apex`; none if it does not lie within.
    pub(super) fn of(name: &Name, apex: &Name) -> Option<Self> {
        if !name.is_within(apex) {
            return None;
        }
        let relative = name.wire().get(..name.wire().len() - apex.wire().len())?;
        let mut lowered = [0u8; NAME_MAX];
        let into = lowered.get_mut(..relative.len())?;
        into.copy_from_slice(relative);
        into.make_ascii_lowercase();
        Some(Self { lowered, length: relative.len(), starts: label_starts(relative) })
    }

    pub(super) fn label_count(&self) -> usize {
        self.starts.len()
    }

    /// The rightmost `count` labels below the apex.
    pub(super) fn suffix(&self, count: usize) -> &[u8] {
        let start = match self.starts.len().checked_sub(count) {
            Some(skip) => self.starts.get(skip).map_or(self.length, |start| usize::from(*start)),
            None => 0,
        };
        self.lowered.get(start..self.length).unwrap_or_default()
    }

    pub(super) fn whole(&self) -> &[u8] {
        self.suffix(self.starts.len())
    }
}
