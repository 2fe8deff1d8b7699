//! The crowd of clients that wait: how many each may have waiting, and how fast they are answered.
//!
//! Whoever holds the answers back can collect queries of many seconds and let their responses loose at once, on an
//! address that never asked (CVE-2024-33655). So late responses leave for a client network no faster than its queries
//! came in their busiest tenth of a second, and none later than its deadline; those of deadlines leave as far
//! apart as their queries came. Who has proven its address is answered at once.

use std::net::IpAddr;

use crate::app::house::Capacity;
use crate::base::collections::{Map, keyed};
use crate::base::{Dice, Instant, Network, bounds};

/// A client, as it counts here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Client {
    /// Its address.
    pub(super) address: IpAddr,
    /// Whether it has proven that the address is its own, by a connection or a cookie.
    pub(super) is_proven: bool,
}

impl Client {
    pub(super) fn network(self) -> Network {
        Network::of_client(self.address)
    }
}

/// The queries and responses of a network some of whose clients wait.
#[derive(Debug)]
struct Flow {
    waiting: u32,
    /// The span that is being counted, and the queries that came in it.
    span: (Instant, u32),
    /// The most that came in a span, in this age and in the one before.
    peaks: (u32, u32),
    age: Instant,
    /// When the responses that have left would have left one by one.
    paid_until: Instant,
}

impl Flow {
    const fn new(now: Instant) -> Self {
        Self { waiting: 0, span: (now, 0), peaks: (0, 0), age: now, paid_until: Instant::ZERO }
    }

    fn note_query(&mut self, now: Instant) {
        if now.since(self.span.0) >= bounds::PACE_SPAN {
            self.span = (now, 0);
        }
        // What waits came within the deadline: older peaks are forgotten after it has passed twice.
        if now.since(self.age) >= bounds::CLIENT_DEADLINE {
            (self.age, self.peaks) = (now, (0, self.peaks.0));
        }
        self.span.1 += 1;
        self.peaks.0 = self.peaks.0.max(self.span.1);
    }

    /// When the next response may leave: half a span's worth at once, then evenly.
    fn pay(&mut self, now: Instant) -> Instant {
        let rate = self.peaks.0.max(self.peaks.1).max(bounds::PACE_FLOOR);
        let leaves = self.paid_until.max(now);
        self.paid_until = leaves + bounds::PACE_SPAN / rate;
        let ahead = leaves.since(now);
        now + ahead.saturating_sub(bounds::PACE_SPAN / 2)
    }
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Crowd {
    capacity: Capacity,
    clients: Map<Client, u32>,
    flows: Map<Network, Flow>,
    count: usize,
}

impl Crowd {
    pub(super) fn new(capacity: Capacity, dice: &mut Dice) -> Self {
        Self { capacity, clients: Map::with_hasher(keyed(dice)), flows: Map::with_hasher(keyed(dice)), count: 0 }
    }

    /// Everybody who waits.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Whether `client` may have one more query waiting.
    pub(super) fn has_room(&self, client: Client) -> bool {
        let most = if client.is_proven { self.capacity.per_proven_client } else { self.capacity.per_client };
        self.clients.get(&client).is_none_or(|waiting| *waiting < most)
    }

    /// A query of `client` begins to wait.
    pub(super) fn enter(&mut self, client: Client, now: Instant) {
        *self.clients.entry(client).or_insert(0) += 1;
        let flow = self.flows.entry(client.network()).or_insert_with(|| Flow::new(now));
        flow.waiting += 1;
        if !client.is_proven {
            flow.note_query(now);
        }
        self.count += 1;
    }

    /// A query of `client` waits no more.
    pub(super) fn leave(&mut self, client: Client) {
        let Some(waiting) = self.clients.get_mut(&client) else { return };
        *waiting -= 1;
        if *waiting == 0 {
            self.clients.remove(&client);
        }
        self.count -= 1;
        if let Some(flow) = self.flows.get_mut(&client.network()) {
            flow.waiting -= 1;
            if flow.waiting == 0 {
                self.flows.remove(&client.network());
            }
        }
    }

    /// When a response for `client` may leave whose query came at `arrived`; it is counted as leaving then.
    pub(super) fn departure(&mut self, client: Client, arrived: Instant, now: Instant) -> Instant {
        let flow = self.flows.get_mut(&client.network()).filter(|_| !client.is_proven);
        let leaves = flow.map_or(now, |flow| flow.pay(now));
        leaves.min(arrived + bounds::CLIENT_DEADLINE).max(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn client(last: u8, is_proven: bool) -> Client {
        Client { address: [192, 0, 2, last].into(), is_proven }
    }

    fn crowd() -> Crowd {
        Crowd::new(Capacity::default(), &mut Dice::from_number(1))
    }

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(1_000_000_000 + micros * 1_000)
    }

    /// The most that fall into any tenth of a second.
    fn pulse(times: &mut [Instant]) -> usize {
        times.sort();
        (0..times.len())
            .map(|from| times[from..].iter().take_while(|time| time.since(times[from]) < bounds::PACE_SPAN).count())
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn a_client_has_so_many_waiting_and_no_more_and_proven_ones_are_counted_apart() {
        let mut crowd = crowd();
        for number in 0..u64::from(bounds::WAITING_PER_CLIENT) {
            assert!(crowd.has_room(client(1, false)));
            crowd.enter(client(1, false), at(number));
        }
        assert!(!crowd.has_room(client(1, false)));
        assert!(crowd.has_room(client(1, true)) && crowd.has_room(client(2, false)));
        crowd.leave(client(1, false));
        assert!(crowd.has_room(client(1, false)));
    }

    #[test]
    fn nothing_is_kept_of_those_who_have_left() {
        let mut crowd = crowd();
        for last in 0..250 {
            crowd.enter(client(last, last % 2 == 0), at(0));
        }
        (0..250).for_each(|last| crowd.leave(client(last, last % 2 == 0)));
        assert!(crowd.len() == 0 && crowd.clients.is_empty() && crowd.flows.is_empty());
    }

    #[test]
    fn what_was_collected_over_seconds_leaves_no_faster_than_half_as_much_again_as_it_came() {
        let mut crowd = crowd();
        let came: Vec<Instant> = (0..200).map(|number| at(number * 2_000)).collect(); // 50 in a span
        for now in &came {
            crowd.enter(client(1, false), *now);
        }
        let released = at(2_000_000);
        let mut left: Vec<Instant> =
            came.iter().map(|came| crowd.departure(client(1, false), *came, released)).collect();
        assert!(pulse(&mut left) <= 77, "{}", pulse(&mut left));
        assert!(left.last().is_some_and(|last| last.since(released) < Duration::from_millis(400)), "and soon");
    }

    #[test]
    fn who_came_together_is_answered_together() {
        let mut crowd = crowd();
        (0..200).for_each(|number| crowd.enter(client((number % 250) as u8, false), at(number)));
        let slowest = (0..200).map(|_| crowd.departure(client(1, false), at(0), at(500_000))).max();
        assert!(slowest.is_some_and(|slowest| slowest.since(at(500_000)) <= bounds::PACE_SPAN / 2));
    }

    #[test]
    fn a_household_is_answered_at_once() {
        let mut crowd = crowd();
        for number in 0..16 {
            crowd.enter(client(1, false), at(number * 100_000));
        }
        for _ in 0..16 {
            assert_eq!(crowd.departure(client(1, false), at(0), at(2_000_000)), at(2_000_000));
        }
    }

    #[test]
    fn who_has_proven_its_address_is_answered_at_once_and_costs_nobody_anything() {
        let mut crowd = crowd();
        for _ in 0..1_000 {
            crowd.enter(client(1, true), at(0));
            assert_eq!(crowd.departure(client(1, true), at(0), at(5)), at(5));
        }
        crowd.enter(client(1, false), at(0));
        assert_eq!(crowd.departure(client(1, false), at(0), at(5)), at(5));
    }

    proptest! {
        #[test]
        fn no_tenth_of_a_second_brings_more_than_twice_the_busiest(
            pauses in prop::collection::vec(0u64..30_000, 1..300),
            holds in prop::collection::vec(0u64..4_000_000, 300),
        ) {
            let mut crowd = crowd();
            let mut now = 0;
            let mut events = Vec::new();
            for (pause, hold) in pauses.iter().zip(holds) {
                now += pause;
                // Released in a few pulses, as an attacker would.
                let released = (now + hold).next_multiple_of(1_000_000).min(now + 4_400_000);
                events.push((now, now, true));
                events.push((released, now, false));
            }
            events.sort_unstable();
            let (mut came, mut left) = (Vec::new(), Vec::new());
            for (when, arrived, is_query) in events {
                if is_query {
                    came.push(at(when));
                    crowd.enter(client(1, false), at(when));
                } else {
                    let leaves = crowd.departure(client(1, false), at(arrived), at(when));
                    prop_assert!(leaves >= at(when) && leaves <= at(arrived) + bounds::CLIENT_DEADLINE);
                    left.push(leaves);
                }
            }
            // Deadlines bring as many again as came together.
            let most = pulse(&mut came).max(bounds::PACE_FLOOR as usize);
            prop_assert!(pulse(&mut left) <= most * 5 / 2 + 2, "{} of {most}", pulse(&mut left));
        }
    }
}
