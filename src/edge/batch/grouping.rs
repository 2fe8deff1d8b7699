//! Which answers of a batch leave together: those of one length, from one address to one socket of a client.
//!
//! The system takes such answers as one datagram that it cuts into equal ones (`UDP_SEGMENT`), and goes but once through
//! most of what it does for a datagram. Forwarders and load balancers, which ask through few sockets, are answered
//! so; where everybody asks from a port of his own every answer stays alone, at the price of a glance.
#![forbid(unsafe_code)]

use std::net::{IpAddr, SocketAddr};

use crate::base::bounds::{BATCH, UDP_RESPONSE_MAX};

/// Places in which a group is looked for.
const PLACES: usize = 2 * BATCH;
/// No answer.
const NONE: u8 = u8::MAX;

/// An answer of a batch, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Leaving {
    /// Octets.
    pub(super) length: usize,
    pub(super) peer: SocketAddr,
    pub(super) local: Option<IpAddr>,
}

impl Leaving {
    /// Nothing can be sent to port 0, which a forger may ask from: it must not look as if groups were refused.
    const fn may_be_grouped(&self) -> bool {
        self.length <= UDP_RESPONSE_MAX && self.peer.port() != 0
    }

    fn place(&self) -> usize {
        (usize::from(self.peer.port()).wrapping_mul(31) ^ self.length) % PLACES
    }
}

/// The answers of a batch in the order in which they leave, and how many of them leave together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    order: [u8; BATCH],
    ordered: usize,
    sizes: [u8; BATCH],
    count: usize,
}

impl Groups {
    /// Groups the first `count` answers of a batch. Two groups that are looked for in the same place only grow in turns.
    pub(super) fn of(count: usize, answer: impl Fn(u8) -> Option<Leaving>) -> Self {
        let mut last = [NONE; PLACES];
        let (mut next, mut first) = ([NONE; BATCH], [NONE; BATCH]);
        let mut groups = Self::none();
        for number in 0..count.min(BATCH) as u8 {
            let Some(one) = answer(number) else { continue };
            let Some(place) = last.get_mut(one.place()) else { continue };
            let before = std::mem::replace(place, number);
            let is_alike = before != NONE && one.may_be_grouped() && answer(before) == Some(one);
            if is_alike && let Some(next) = next.get_mut(usize::from(before)) {
                *next = number;
            } else if let Some(first) = first.get_mut(groups.count) {
                *first = number;
                groups.count += 1;
            }
        }
        for (mut number, size) in first.into_iter().zip(&mut groups.sizes).take(groups.count) {
            while let (Some(behind), Some(place)) =
                (next.get(usize::from(number)), groups.order.get_mut(groups.ordered))
            {
                *place = number;
                groups.ordered += 1;
                *size += 1;
                number = *behind;
            }
        }
        groups
    }

    /// Each answer alone.
    pub(super) fn of_one(count: usize, answer: impl Fn(u8) -> Option<Leaving>) -> Self {
        let mut groups = Self::none();
        let numbers = (0..count.min(BATCH) as u8).filter(|number| answer(*number).is_some());
        for ((number, place), size) in numbers.zip(&mut groups.order).zip(&mut groups.sizes) {
            (*place, *size) = (number, 1);
            groups.count += 1;
        }
        groups.ordered = groups.count;
        groups
    }

    const fn none() -> Self {
        Self { order: [NONE; BATCH], ordered: 0, sizes: [0; BATCH], count: 0 }
    }

    /// How many answers are in the groups.
    pub(super) const fn answers(&self) -> usize {
        self.ordered
    }

    /// The numbers of the answers of each group.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.order.get(..self.ordered).unwrap_or(&[]);
        self.sizes.iter().take(self.count).map_while(move |size| {
            let (group, behind) = rest.split_at_checked(usize::from(*size))?;
            rest = behind;
            Some(group)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaving(port: u16, length: usize, local: u8) -> Leaving {
        let local = Some(IpAddr::from([127, 0, 0, local]));
        Leaving { length, peer: SocketAddr::from(([192, 0, 2, 1], port)), local }
    }

    fn groups(answers: &[Option<Leaving>]) -> Vec<Vec<u8>> {
        let of = |number: u8| answers[usize::from(number)];
        Groups::of(answers.len(), of).iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn what_one_socket_gets_in_one_length_leaves_together() {
        let (one, other) = (leaving(1_000, 60, 1), leaving(1_001, 60, 1));
        let longer = leaving(1_000, 61, 1);
        let answers = [one, other, one, longer, one, other].map(Some);
        assert_eq!(groups(&answers), [vec![0, 2, 4], vec![1, 5], vec![3]]);
    }

    #[test]
    fn what_leaves_from_another_address_or_is_long_or_cannot_leave_at_all_is_alone() {
        let (long, lost) = (leaving(1_000, UDP_RESPONSE_MAX + 1, 1), leaving(0, 60, 1));
        let answers = [leaving(1_000, 60, 1), leaving(1_000, 60, 2), long, long, lost, lost].map(Some);
        assert_eq!(groups(&answers).len(), 6);
    }

    proptest! {
        #[test]
        fn every_answer_is_in_one_group_of_its_like(
            answers in proptest::collection::vec(proptest::option::of((0..4_u16, 0..3_usize, 0..2_u8)), 0..=BATCH),
        ) {
            let answers: Vec<_> =
                answers.iter().map(|one| one.map(|(port, length, local)| leaving(port, length, local))).collect();
            let groups = groups(&answers);
            let mut all: Vec<u8> = groups.concat();
            all.sort_unstable();
            let there: Vec<u8> = (0..answers.len() as u8).filter(|at| answers[usize::from(*at)].is_some()).collect();
            prop_assert_eq!(all, there);
            for group in groups {
                prop_assert!(group.iter().all(|at| answers[usize::from(*at)] == answers[usize::from(group[0])]));
            }
        }
    }
}
