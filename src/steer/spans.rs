//! All addresses of a family cut into runs, each with a number: what a database of places, a list of networks and a
//! compiled policy have in common.
//!
//! A run need not be a prefix. It is cut into prefixes only where somebody asks for one, so that equal neighbours
//! merge by themselves and a prefix is always as short as it can be.

/// The number of a run of which nothing is known.
pub const UNKNOWN: u32 = u32::MAX;

/// The address of a family as a number: `u32` for IPv4, `u128` for IPv6.
pub trait Bits: Copy + Ord {
    /// Bits of an address.
    const WIDTH: u8;
    /// First-level buckets of a tree of such addresses.
    const BUCKETS: usize;
    /// What a tree keeps of an address beside its bucket; it orders the addresses of one bucket.
    type Rest: Copy + Ord;

    /// The number, widened.
    fn wide(self) -> u128;
    /// The lowest [`Self::WIDTH`] bits of a number.
    fn narrow(wide: u128) -> Self;
    /// The bucket and the rest. Buckets order as addresses do.
    fn split(self) -> (usize, Self::Rest);

    /// The address with all bits but the first `length` cleared.
    #[must_use]
    fn cut(self, length: u8) -> Self {
        let host = u32::from(Self::WIDTH.saturating_sub(length));
        Self::narrow(self.wide() & u128::MAX.checked_shl(host).unwrap_or(0))
    }

    /// The last address of the family.
    #[must_use]
    fn last() -> Self {
        Self::narrow(u128::MAX)
    }
}

impl Bits for u32 {
    const WIDTH: u8 = 32;
    const BUCKETS: usize = 1 << 16;
    type Rest = u16;

    fn wide(self) -> u128 {
        u128::from(self)
    }
    fn narrow(wide: u128) -> Self {
        wide as Self
    }
    fn split(self) -> (usize, u16) {
        ((self >> 16) as usize, self as u16)
    }
}

impl Bits for u128 {
    const WIDTH: u8 = 128;
    /// `2000::/4` by its next 16 bits, since all that is assigned lies there; a bucket for what is below it and one
    /// for what is above.
    const BUCKETS: usize = (1 << 16) + 2;
    /// In words, so that it needs no alignment of its own.
    type Rest = [u32; 4];

    fn wide(self) -> u128 {
        self
    }
    fn narrow(wide: u128) -> Self {
        wide
    }
    fn split(self) -> (usize, [u32; 4]) {
        let bucket = match self >> 124 {
            0 | 1 => 0,
            2 => 1 + ((self >> 108) & 0xFFFF) as usize,
            _ => Self::BUCKETS - 1,
        };
        (bucket, [(self >> 96) as u32, (self >> 64) as u32, (self >> 32) as u32, self as u32])
    }
}

/// All addresses of a family as runs in order, the first from address 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spans<A> {
    starts: Vec<A>,
    ids: Vec<u32>,
}

impl<A: Bits> Spans<A> {
    /// A single run: nothing is known of any address.
    #[must_use]
    pub fn unknown() -> Self {
        Self { starts: vec![A::narrow(0)], ids: vec![UNKNOWN] }
    }

    /// No runs yet; the first [`Self::push`] is to start at address 0.
    #[must_use]
    pub const fn empty() -> Self {
        Self { starts: Vec::new(), ids: Vec::new() }
    }

    /// From `start` on the number is `id`. Starts must come in order; a start that comes again overwrites.
    pub fn push(&mut self, start: A, id: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.ids.pop();
        }
        if self.ids.last() != Some(&id) {
            self.starts.push(start);
            self.ids.push(id);
        }
    }

    /// The runs of networks: first address, prefix length and number. Longer networks lie over shorter ones, and of
    /// equal ones the first counts.
    #[must_use]
    pub fn of_networks(networks: impl IntoIterator<Item = (A, u8, u32)>) -> Self {
        let mut networks: Vec<_> = networks.into_iter().collect();
        networks.sort_by_key(|&(start, length, _)| (start, length)); // stable: the first of equals stays first
        networks.dedup_by_key(|&mut (start, length, _)| (start, length));
        let mut spans = Self::unknown();
        let mut open: Vec<(u128, u32)> = Vec::new(); // last address and number of the networks around
        let close = |spans: &mut Self, open: &mut Vec<(u128, u32)>, before: Option<u128>| {
            while let Some(&(last, _)) = open.last().filter(|(last, _)| before.is_none_or(|before| *last < before)) {
                open.pop();
                if last < A::last().wide() {
                    spans.push(A::narrow(last + 1), open.last().map_or(UNKNOWN, |&(_, id)| id));
                }
            }
        };
        for (start, length, id) in networks {
            close(&mut spans, &mut open, Some(start.wide()));
            spans.push(start, id);
            let host = u128::MAX.checked_shr(128 - u32::from(A::WIDTH.saturating_sub(length))).unwrap_or(0);
            open.push((start.wide() | host, id));
        }
        close(&mut spans, &mut open, None);
        spans
    }

    /// The same runs with other numbers; neighbours that become equal merge.
    #[must_use]
    pub fn renumbered(&self, mut renumber: impl FnMut(u32) -> u32) -> Self {
        let mut spans = Self::empty();
        for (start, id) in self.runs() {
            spans.push(start, renumber(id));
        }
        spans
    }

    /// The runs in order: first address and number.
    pub fn runs(&self) -> impl Iterator<Item = (A, u32)> {
        self.starts.iter().copied().zip(self.ids.iter().copied())
    }

    /// Whether there are no runs, not even unknown ones.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// How many runs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether nothing is known of any address.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.ids.iter().all(|&id| id == UNKNOWN)
    }

    /// The number of `address`, and the length of the shortest prefix around it that lies within one run.
    #[must_use]
    pub fn find(&self, address: A) -> (u32, u8) {
        let behind = self.starts.partition_point(|start| *start <= address);
        let at = behind.saturating_sub(1);
        let first = self.starts.get(at).map_or(0, |start| start.wide());
        let last = self.starts.get(behind).map_or(A::last().wide(), |next| next.wide().saturating_sub(1));
        let address = address.wide();
        // The prefix grows until it would leave the run: at the bit where the address and the neighbour part.
        let parts = |neighbour: u128| 128 - (neighbour ^ address).leading_zeros();
        let below = first.checked_sub(1).map_or(u32::from(A::WIDTH), |neighbour| parts(neighbour) - 1);
        let above = if last == A::last().wide() { u32::from(A::WIDTH) } else { parts(last + 1) - 1 };
        (self.ids.get(at).copied().unwrap_or(UNKNOWN), A::WIDTH - below.min(above) as u8)
    }

    /// Octets held.
    #[must_use]
    pub fn size(&self) -> usize {
        self.starts.capacity() * size_of::<A>() + self.ids.capacity() * size_of::<u32>()
    }

    /// Gives back what was reserved and not used.
    pub fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.ids.shrink_to_fit();
    }
}

/// Walks several layers together: `each` is told where a run of their combination starts, and its numbers.
pub fn sweep<A: Bits, const N: usize>(layers: [&Spans<A>; N], mut each: impl FnMut(A, [u32; N])) {
    let mut at = A::narrow(0);
    let mut rests = layers.map(|layer| layer.runs().peekable());
    let mut ids = [UNKNOWN; N];
    loop {
        let mut next = None;
        for (id, runs) in ids.iter_mut().zip(&mut rests) {
            while let Some((_, found)) = runs.next_if(|(start, _)| *start <= at) {
                *id = found;
            }
            if let Some(&(start, _)) = runs.peek() {
                next = Some(next.map_or(start, |least: A| least.min(start)));
            }
        }
        each(at, ids);
        match next {
            Some(start) => at = start,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn networks() -> impl Strategy<Value = Vec<(u32, u8, u32)>> {
        prop::collection::vec((any::<u32>(), 0..=32_u8, 0..4_u32), 0..40)
            .prop_map(|list| list.into_iter().map(|(bits, length, id)| (bits.cut(length), length, id)).collect())
    }

    fn longest(networks: &[(u32, u8, u32)], address: u32) -> u32 {
        let mut best: Option<(u8, u32)> = None;
        for &(start, length, id) in networks {
            if address.cut(length) == start && best.is_none_or(|(longest, _)| length > longest) {
                best = Some((length, id));
            }
        }
        best.map_or(UNKNOWN, |(_, id)| id)
    }

    proptest! {
        #[test]
        fn runs_say_what_the_longest_network_says(networks in networks(), addresses in prop::collection::vec(any::<u32>(), 50)) {
            let spans = Spans::of_networks(networks.clone());
            let edges = networks.iter().flat_map(|&(start, length, _)| {
                let last = start | u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                [start, start.wrapping_sub(1), last, last.wrapping_add(1)]
            });
            for address in addresses.into_iter().chain(edges) {
                prop_assert_eq!(spans.find(address).0, longest(&networks, address));
            }
        }

        #[test]
        fn a_found_prefix_is_of_one_run_and_the_shortest(networks in networks(), address in any::<u32>()) {
            let spans = Spans::of_networks(networks);
            let (id, length) = spans.find(address);
            let inside = |length: u8| {
                let first = address.cut(length);
                let last = first | u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                spans.runs().filter(|(start, _)| *start > first && *start <= last).count() == 0
            };
            prop_assert!(inside(length));
            prop_assert!(length == 0 || !inside(length - 1));
            prop_assert_eq!(spans.find(address.cut(length)).0, id);
        }

        #[test]
        fn layers_walked_together_agree_with_each(one in networks(), two in networks()) {
            let (one, two) = (Spans::of_networks(one), Spans::of_networks(two));
            let mut seen = 0;
            sweep([&one, &two], |start, ids| {
                seen += 1;
                assert_eq!(ids, [one.find(start).0, two.find(start).0]);
            });
            prop_assert!(seen <= one.len() + two.len());
        }
    }

    #[test]
    fn the_last_address_of_each_family_can_be_held() {
        let spans = Spans::of_networks([(u128::MAX, 128, 7)]);
        assert_eq!(spans.find(u128::MAX), (7, 128));
        assert_eq!(spans.find(u128::MAX - 1), (UNKNOWN, 128));
        assert_eq!(Spans::of_networks([(0_u32, 0, 3)]).find(9), (3, 0));
        assert_eq!(Spans::<u32>::unknown().find(9), (UNKNOWN, 0));
    }
}
