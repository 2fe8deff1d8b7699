//! The table: names in sorted order, each with its addresses; a name costs its octets and about 16 more, so that
//! block lists with hundreds of thousands of names stay small. It is built once and then only read.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::base::bounds;
use crate::dns::{Name, reverse};

/// What a hosts file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hosts {
    ttl: u32,
    /// The names in wire form, letters small, one behind the other in the order of their octets.
    names: Box<[u8]>,
    /// One for each name, and one more that ends the last.
    entries: Box<[Entry]>,
    v4: Box<[[u8; 4]]>,
    v6: Box<[[u8; 16]]>,
    /// The name that each address reads in reverse, by where it begins in `names`; sorted by address.
    pointers: Box<[(IpAddr, u32)]>,
}

/// Where a name begins in `names`, and its addresses in `v4` and `v6`; they end where the next entry's begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    name: u32,
    v4: u32,
    v6: u32,
}

/// The addresses of a name, in the file's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Addresses<'h> {
    /// RDATA of A records.
    pub v4: &'h [[u8; 4]],
    /// RDATA of AAAA records.
    pub v6: &'h [[u8; 16]],
}

impl Hosts {
    /// TTL of every record, seconds.
    #[must_use]
    pub const fn ttl(&self) -> u32 {
        self.ttl
    }

    /// The number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len().saturating_sub(1)
    }

    /// Whether no name is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets that the table takes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.names.len()
            + size_of_val(&*self.entries)
            + size_of_val(&*self.v4)
            + size_of_val(&*self.v6)
            + size_of_val(&*self.pointers)
    }

    /// The addresses of `name`; none if it is not listed. At least one family is not empty.
    #[must_use]
    pub fn addresses(&self, name: &Name) -> Option<Addresses<'_>> {
        let name = name.lowered();
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let (found, addresses) = self.at(middle)?;
            match found.cmp(name.wire()) {
                Ordering::Equal => return Some(addresses),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The name that stands for the address whose reverse name is `reverse_name`.
    #[must_use]
    pub fn pointer(&self, reverse_name: &Name) -> Option<Name> {
        let address = reverse::address_of(reverse_name)?;
        let at = self.pointers.binary_search_by_key(&address, |(address, _)| *address).ok()?;
        self.pointers.get(at).and_then(|(_, name)| self.name_from(*name))
    }

    /// The `index`th name in wire form, and its addresses.
    fn at(&self, index: usize) -> Option<(&[u8], Addresses<'_>)> {
        let (entry, end) = (self.entries.get(index)?, self.entries.get(index + 1)?);
        let name = self.names.get(entry.name as usize..end.name as usize)?;
        let v4 = self.v4.get(entry.v4 as usize..end.v4 as usize)?;
        let v6 = self.v6.get(entry.v6 as usize..end.v6 as usize)?;
        Some((name, Addresses { v4, v6 }))
    }

    fn name_from(&self, at: u32) -> Option<Name> {
        Name::from_wire(self.names.get(at as usize..)?).ok().map(|(name, _)| name)
    }
}

/// The names whose answers differ between `old` and `new`: names with other addresses, listed only in one of
/// them, and reverse names that read another name.
#[must_use]
pub fn changed_names(old: &Hosts, new: &Hosts) -> Vec<Name> {
    let mut changed = Vec::new();
    let (mut olds, mut news) = (0, 0);
    loop {
        let (before, after) = (old.at(olds), new.at(news));
        let order = match (&before, &after) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        if order == Ordering::Equal && before == after {
            (olds, news) = (olds + 1, news + 1);
            continue;
        }
        let named = if order == Ordering::Greater { after } else { before };
        changed.extend(named.and_then(|(wire, _)| Name::from_wire(wire).ok()).map(|(name, _)| name));
        olds += usize::from(order != Ordering::Greater);
        news += usize::from(order != Ordering::Less);
    }
    let differs = |one: &Hosts, other: &Hosts, (address, name): &(IpAddr, u32)| {
        let at = other.pointers.binary_search_by_key(address, |(address, _)| *address).ok();
        let theirs = at.and_then(|at| other.pointers.get(at)).and_then(|(_, name)| other.name_from(*name));
        theirs != one.name_from(*name)
    };
    let reversed = |(address, _): &(IpAddr, u32)| reverse::name_of(*address);
    changed.extend(new.pointers.iter().filter(|pointer| differs(new, old, pointer)).filter_map(reversed));
    // Those that are only in the old table; the others are in the list already.
    let is_gone = |(address, _): &&(IpAddr, u32)| new.pointers.binary_search_by_key(address, |(at, _)| *at).is_err();
    changed.extend(old.pointers.iter().filter(is_gone).filter_map(reversed));
    changed
}

/// Collects records in the file's order, then sorts them into a table.
#[derive(Default)]
pub(super) struct Builder {
    names: Vec<u8>,
    records: Vec<Listed>,
}

struct Listed {
    /// Where the name begins in the builder's `names`, and its length there.
    name: u32,
    length: u8,
    /// Whether the name is the line's first.
    is_canonical: bool,
    address: IpAddr,
    line: u32,
}

impl Builder {
    /// Adds a record; one that no longer fits into 4 GiB of names is left out.
    pub(super) fn add(&mut self, name: &Name, address: IpAddr, is_canonical: bool, line: usize) {
        let wire = name.wire();
        let place = (u32::try_from(self.names.len()), u8::try_from(wire.len()), u32::try_from(line));
        let (Ok(at), Ok(length), Ok(line)) = place else { return };
        self.names.extend(wire.iter().map(u8::to_ascii_lowercase));
        self.records.push(Listed { name: at, length, is_canonical, address, line });
    }

    /// The table, and the lines whose address was one too many for its name.
    pub(super) fn build(mut self, ttl: u32) -> (Hosts, Vec<usize>) {
        let all_names = std::mem::take(&mut self.names);
        let wire = |listed: &Listed| {
            let at = listed.name as usize;
            all_names.get(at..at + usize::from(listed.length)).unwrap_or_default()
        };
        // The sort is stable: the addresses of a name keep the file's order.
        self.records.sort_by(|one, other| wire(one).cmp(wire(other)));
        let (mut names, mut entries, mut v4, mut v6) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut pointers, mut crowded) = (Vec::new(), Vec::new());
        for group in self.records.chunk_by(|one, other| wire(one) == wire(other)) {
            let entry = Entry { name: names.len() as u32, v4: v4.len() as u32, v6: v6.len() as u32 };
            names.extend(group.iter().take(1).flat_map(wire));
            for listed in group {
                let has_room = match listed.address {
                    IpAddr::V4(address) => add_once(&mut v4, entry.v4, address.octets()),
                    IpAddr::V6(address) => add_once(&mut v6, entry.v6, address.octets()),
                };
                if !has_room {
                    crowded.push(listed.line as usize);
                }
                // Only a line's first name answers in reverse, and the unspecified address of block lists is
                // nobody's.
                if listed.is_canonical && !listed.address.is_unspecified() {
                    pointers.push((listed.address, listed.line, entry.name));
                }
            }
            entries.push(entry);
        }
        entries.push(Entry { name: names.len() as u32, v4: v4.len() as u32, v6: v6.len() as u32 });
        pointers.sort_unstable();
        pointers.dedup_by_key(|(address, ..)| *address); // the first line wins
        let pointers = pointers.into_iter().map(|(address, _, name)| (address, name)).collect();
        let hosts = Hosts { ttl, names: names.into(), entries: entries.into(), v4: v4.into(), v6: v6.into(), pointers };
        (hosts, crowded)
    }
}

/// Adds `address` to the addresses that begin at `from`, unless it is there. Whether there was room.
fn add_once<A: PartialEq>(addresses: &mut Vec<A>, from: u32, address: A) -> bool {
    let known = addresses.get(from as usize..).unwrap_or_default();
    if known.contains(&address) {
        return true;
    }
    let has_room = known.len() < bounds::RECORDS_PER_RRSET;
    if has_room {
        addresses.push(address);
    }
    has_room
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn hosts(text: &str) -> Hosts {
        parse(text, 60).0
    }

    fn changed(old: &str, new: &str) -> Vec<String> {
        let mut names: Vec<String> = changed_names(&hosts(old), &hosts(new)).iter().map(Name::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn an_empty_table_knows_nothing() {
        for hosts in [Hosts::default(), hosts("")] {
            assert!(hosts.is_empty());
            assert_eq!(hosts.addresses(&"a.example.".parse().unwrap()), None);
            assert_eq!(hosts.pointer(&"1.2.0.192.in-addr.arpa.".parse().unwrap()), None);
        }
    }

    #[test]
    fn the_first_line_of_an_address_names_it() {
        let hosts = hosts("192.0.2.1 z.example a.example\n192.0.2.1 b.example\n");
        let reverse = "1.2.0.192.in-addr.arpa.".parse().unwrap();
        assert_eq!(hosts.pointer(&reverse), "z.example.".parse().ok());
    }

    #[test]
    fn added_removed_and_altered_names_have_changed_and_others_not() {
        let old = "192.0.2.1 kept.example\n192.0.2.2 gone.example\n192.0.2.3 moved.example\n";
        let new = "192.0.2.1 kept.example\n192.0.2.4 moved.example\n192.0.2.5 new.example\n";
        assert_eq!(
            changed(old, new),
            [
                "2.2.0.192.in-addr.arpa.",
                "3.2.0.192.in-addr.arpa.",
                "4.2.0.192.in-addr.arpa.",
                "5.2.0.192.in-addr.arpa.",
                "gone.example.",
                "moved.example.",
                "new.example."
            ]
        );
    }

    #[test]
    fn a_table_does_not_differ_from_itself() {
        let text = "192.0.2.1 a.example b.example\n2001:db8::1 a.example\n";
        assert_eq!(changed(text, text), <[String; 0]>::default());
        assert_eq!(changed("", ""), <[String; 0]>::default());
    }

    #[test]
    fn another_canonical_name_changes_the_reverse() {
        let names = changed("192.0.2.1 a.example b.example\n", "192.0.2.1 b.example a.example\n");
        assert_eq!(names, ["1.2.0.192.in-addr.arpa."]);
    }
}
