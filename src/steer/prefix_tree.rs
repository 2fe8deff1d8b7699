//! Disjoint prefixes that cover a whole family, each with a number, laid out for quick finding.
//!
//! Runs come in, prefixes leave: 16 bits of an address choose a bucket, a short binary search within it finds the
//! prefix. An IPv4 prefix takes six octets. Finding allocates nothing.

use super::spans::{Bits, Spans};

/// Numbers must be below this: 24 bits beside 8 of prefix length.
pub const NUMBERS_MAX: u32 = 1 << 24;

/// The prefixes of a family.
#[derive(Debug)]
pub struct PrefixTree<A: Bits> {
    /// Where each bucket's prefixes begin, and at the end how many prefixes there are.
    index: Box<[u32]>,
    prefixes: Box<[Prefix<A::Rest>]>,
}

/// A prefix: all of it in one place, as most who look for one wait for it to come from memory.
#[derive(Clone, Copy, Debug)]
struct Prefix<R> {
    /// Its first address, without the bucket.
    first: R,
    /// Number and length, the upper half first: halves, so that six octets need not become eight.
    value: [u16; 2],
}

impl<R> Prefix<R> {
    const fn new(first: R, number: u32, length: u32) -> Self {
        Self { first, value: [(number >> 8) as u16, (number << 8 | length) as u16] }
    }

    fn number_and_length(&self) -> (u32, u8) {
        let [high, low] = self.value;
        (u32::from(high) << 8 | u32::from(low >> 8), low as u8)
    }
}

impl<A: Bits> PrefixTree<A> {
    /// Cuts runs into prefixes, as few as can be. Numbers must be below [`NUMBERS_MAX`].
    #[must_use]
    pub fn of(spans: &Spans<A>) -> Self {
        let mut index = Vec::with_capacity(A::BUCKETS + 1);
        let mut prefixes = Vec::with_capacity(spans.len());
        let mut runs = spans.runs().peekable();
        while let Some((start, id)) = runs.next() {
            let last = runs.peek().map_or(A::last().wide(), |(next, _)| next.wide().saturating_sub(1));
            let mut first = start.wide();
            loop {
                // The largest aligned block that begins here and ends within the run.
                let aligned = if first == 0 { u32::from(A::WIDTH) } else { first.trailing_zeros() };
                let fits = match (last - first).checked_add(1) {
                    Some(count) => count.ilog2(),
                    None => 128,
                };
                let host = aligned.min(fits);
                let (bucket, rest) = A::narrow(first).split();
                while index.len() <= bucket {
                    index.push(prefixes.len() as u32);
                }
                prefixes.push(Prefix::new(rest, id, u32::from(A::WIDTH) - host));
                match 1_u128.checked_shl(host).and_then(|size| first.checked_add(size)) {
                    Some(next) if next <= last => first = next,
                    _ => break,
                }
            }
        }
        while index.len() <= A::BUCKETS {
            index.push(prefixes.len() as u32);
        }
        Self { index: index.into(), prefixes: prefixes.into() }
    }

    /// Reads what leads to the prefix around `address`, or, once that `is_near`, a prefix beside it.
    #[must_use]
    pub fn touch(&self, address: A, is_near: bool) -> u64 {
        let (bucket, _) = address.split();
        let begin = self.index.get(bucket).copied().unwrap_or_default();
        if !is_near {
            return u64::from(begin);
        }
        let end = self.index.get(bucket + 1).copied().unwrap_or_default();
        // The middle is where the search begins, and mostly in the one line of memory that it needs.
        self.prefixes.get(usize::midpoint(begin as usize, end as usize)).map_or(0, |prefix| u64::from(prefix.value[1]))
    }

    /// The number of the prefix around `address`, and its length.
    #[must_use]
    pub fn find(&self, address: A) -> (u32, u8) {
        let (bucket, rest) = address.split();
        let begin = self.index.get(bucket).map_or(0, |&at| at as usize);
        let end = self.index.get(bucket + 1).map_or(begin, |&at| at as usize);
        let within = self.prefixes.get(begin..end).unwrap_or_default();
        // A prefix shorter than the bucket may begin in an earlier one: it is the last before this bucket's.
        let behind = begin + within.partition_point(|prefix| prefix.first <= rest);
        self.prefixes.get(behind.saturating_sub(1)).map_or((0, 0), Prefix::number_and_length)
    }

    /// How many prefixes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Whether there are no prefixes; a tree of any runs has some.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Octets held.
    #[must_use]
    pub fn size(&self) -> usize {
        self.index.len() * size_of::<u32>() + self.prefixes.len() * size_of::<Prefix<A::Rest>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agree<A: Bits + std::fmt::Debug>(networks: &[(A, u8, u32)], addresses: impl Iterator<Item = A>) {
        let spans = Spans::of_networks(networks.iter().copied()).renumbered(|id| id.min(NUMBERS_MAX - 1));
        let tree = PrefixTree::of(&spans);
        assert!(!tree.is_empty());
        for address in addresses {
            assert_eq!(tree.find(address), spans.find(address), "{address:?}");
        }
    }

    fn edges<A: Bits>(networks: &[(A, u8, u32)]) -> Vec<A> {
        networks
            .iter()
            .flat_map(|&(start, length, _)| {
                let host = u128::MAX.checked_shr(128 - u32::from(A::WIDTH - length)).unwrap_or(0);
                let (first, last) = (start.wide(), start.wide() | host);
                [first, first.wrapping_sub(1), last, last.wrapping_add(1)].map(A::narrow)
            })
            .chain([A::narrow(0), A::last()])
            .collect()
    }

    proptest! {
        #[test]
        fn a_tree_finds_what_the_runs_say_in_ipv4(
            networks in prop::collection::vec((any::<u32>(), 0..=32_u8, 0..5_u32), 0..60),
            addresses in prop::collection::vec(any::<u32>(), 50),
        ) {
            let networks: Vec<_> = networks.into_iter().map(|(bits, length, id)| (bits.cut(length), length, id)).collect();
            agree(&networks, addresses.into_iter().chain(edges(&networks)));
        }

        #[test]
        fn a_tree_finds_what_the_runs_say_in_ipv6(
            networks in prop::collection::vec((any::<u128>(), any::<bool>(), 0..=128_u8, 0..5_u32), 0..60),
            addresses in prop::collection::vec(any::<u128>(), 50),
        ) {
            // Half of the networks lie where the index is fine.
            let networks: Vec<_> = networks
                .into_iter()
                .map(|(bits, is_assigned, length, id)| (if is_assigned { bits >> 4 | 2 << 124 } else { bits }, length, id))
                .map(|(bits, length, id)| (bits.cut(length), length, id))
                .collect();
            agree(&networks, addresses.into_iter().flat_map(|bits| [bits, bits >> 4 | 2 << 124]).chain(edges(&networks)));
        }
    }
}
